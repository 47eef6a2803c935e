"""Authorities and certificates: what they say in plain words, and what can be done with them."""

from pki.admin.authorities import CaAdmin
from pki.admin.certificates import CertAdmin

__all__ = ["CaAdmin", "CertAdmin"]
