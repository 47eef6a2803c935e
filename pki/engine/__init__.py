"""X.509 without Django: keys, certificates, revocation, and what people import."""
