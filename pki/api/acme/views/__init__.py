"""ACME server (RFC 8555) for CAs that are open for enrollment."""
