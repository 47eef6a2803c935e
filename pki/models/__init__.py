"""Authorities, what they issued, and who may ask them for more."""

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
