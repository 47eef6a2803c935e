"""Admin pages of certificate authorities and certificates."""

from pki.admin.authorities import CaAdmin
from pki.admin.certificates import CertAdmin

__all__ = ["CaAdmin", "CertAdmin"]
