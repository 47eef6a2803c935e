"""Contract of a certificate authority: the only interface the portal uses.

`software_ca.SoftwareAuthority` holds its key in memory. An HSM or a remote CA would be
another implementation of these four methods.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography import x509

from pki.engine.extensions import Extension
from pki.engine.keys import PublicKey
from pki.engine.ocsp import Question


@dataclass(frozen=True)
class Points:
    """CRL, OCSP and caIssuers URLs; empty if the portal has no public address."""

    crl: str = ""
    ocsp: str = ""
    issuer: str = ""


@dataclass(frozen=True)
class Template:
    """A certificate to be signed."""

    subject: x509.Name
    public_key: PublicKey
    serial_number: int
    not_before: datetime
    not_after: datetime
    digest: str = "sha256"
    extensions: Sequence[Extension] = ()
    authority: bool = False
    points: Points = field(default_factory=Points)


@dataclass(frozen=True)
class Revocation:
    serial_number: int
    at: datetime
    reason: str = "unspecified"


@dataclass(frozen=True)
class Period:
    """Validity period of a CRL or OCSP response."""

    this_update: datetime
    next_update: datetime


@dataclass(frozen=True)
class Status:
    """Status of one serial number: known and revoked or not."""

    known: bool
    revocation: Revocation | None = None


class Authority(Protocol):
    def chain(self) -> Sequence[x509.Certificate]:
        """Return the CA's own certificate, followed by its issuers."""

    def sign(self, template: Template) -> x509.Certificate:
        """Return a certificate. Raises Rejected for one that clients would refuse."""

    def revocation_list(
        self, revocations: Sequence[Revocation], *, number: int, period: Period
    ) -> x509.CertificateRevocationList: ...

    def status(self, question: Question, status: Status, *, period: Period) -> bytes:
        """Return an OCSP response in DER."""
