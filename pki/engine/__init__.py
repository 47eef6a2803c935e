"""X.509 without Django: keys, certificates, CRLs, OCSP and imports."""
