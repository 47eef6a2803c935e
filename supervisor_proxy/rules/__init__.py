"""Rules of supervisors: calls, batches, ingress, updates and backups."""
