"""Rules of supervisors: calls, batches, terminals, ingress, updates and backups."""
