"""What an authority does: the whole of what the rest of the portal asks of one.

`software.SoftwareAuthority` holds its key in memory. A hardware module or an authority elsewhere is
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
    """Where a relying party asks about a certificate; empty when the portal has no address."""

    crl: str = ""
    ocsp: str = ""
    issuer: str = ""


@dataclass(frozen=True)
class Template:
    """A certificate that is yet to be signed."""

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
    """From when until when a statement about revocation holds."""

    this_update: datetime
    next_update: datetime


@dataclass(frozen=True)
class Status:
    """Of one serial number: known or not, and revoked or not."""

    known: bool
    revocation: Revocation | None = None


class Authority(Protocol):
    def chain(self) -> Sequence[x509.Certificate]:
        """Its own certificate first, then whoever vouches for it."""

    def sign(self, template: Template) -> x509.Certificate: ...

    def revocation_list(
        self, revocations: Sequence[Revocation], *, number: int, period: Period
    ) -> x509.CertificateRevocationList: ...

    def status(self, question: Question, status: Status, *, period: Period) -> bytes:
        """An OCSP response, DER."""
