"""Certificate authorities, certificates, CRLs and ACME enrollment."""

from pki.models.certificates import Ca, Cert, Enrollment, Issued, Reason, RevocationList
from pki.models.enrollment import AcmeAccount, AcmeAuthorization, AcmeOrder

__all__ = [
    "AcmeAccount",
    "AcmeAuthorization",
    "AcmeOrder",
    "Ca",
    "Cert",
    "Enrollment",
    "Issued",
    "Reason",
    "RevocationList",
]
