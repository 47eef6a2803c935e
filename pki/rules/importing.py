"""Imported certificates: values copied to rows, and checks of what the client stated."""

from dataclasses import asdict

from cryptography import x509

from pki.engine import keys
from pki.engine.errors import Rejected
from pki.engine.extensions import from_certificate
from pki.engine.importing import to_pem
from pki.models import Ca, Cert
from pki.rules.signing import subject_fields


def take_over(row: Ca | Cert, certificate: x509.Certificate, digest: str) -> None:
    """Copy an imported certificate's values to the row."""
    for name, text in asdict(subject_fields(certificate)).items():
        setattr(row, name, text)
    row.key_length = keys.kind_of(certificate.public_key())
    row.digest = digest
    row.validity_start = certificate.not_valid_before_utc
    row.validity_end = certificate.not_valid_after_utc
    row.extensions = from_certificate(certificate.extensions)
    row.serial_number = str(certificate.serial_number)
    row.certificate = to_pem([certificate])


def check_key_length(given: str | None, certificate: x509.Certificate) -> None:
    """Refuse an import with another kind of key than the client stated."""
    found = keys.kind_of(certificate.public_key())
    if given and not keys.same_family(given, found):
        raise Rejected({"key_length": f"The certificate's key is {keys.describe(found)}."})
