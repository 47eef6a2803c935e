"""Helpers shared by creating, renewing and importing CAs and certificates."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Conflict, Refused
from pki.engine import keys
from pki.engine.acceptance import may_sign_lists
from pki.engine.certificates import check_serial, check_validity, random_serial
from pki.engine.contract import Points, Template
from pki.engine.errors import Rejected
from pki.engine.extensions import parse as parse_extensions
from pki.engine.names import Subject, from_name, to_name
from pki.models import Ca, Cert, Issued

# E-mail addresses of imported certificates may be invalid by our rules.
UNCHECKED_ON_IMPORT = {"email"}
LONGEST_EMAIL = 254


@contextmanager
def refusing() -> Iterator[None]:
    """Convert the engine's Rejected into Refused."""
    try:
        yield
    except Rejected as rejected:
        raise Refused(rejected.errors) from rejected


def midnight_before() -> datetime:
    """Return yesterday's midnight (UTC): devices may boot with a clock that is behind."""
    today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=1)


def fill(row: Ca | Cert, values: dict[str, Any], life: timedelta) -> None:
    """Set the values on the row, with defaults for names, dates and serial number."""
    for name, value in values.items():
        setattr(row, name, value)
    if not row.certificate and not any(asdict(row.subject).values()):
        row.common_name = row.name
    row.validity_start = whole_seconds(row.validity_start or midnight_before())
    row.validity_end = whole_seconds(row.validity_end or timezone.now() + life)
    row.serial_number = str(serial_of(row.serial_number))
    check_validity(row.validity_start, row.validity_end)


def whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def serial_of(text: str | None) -> int:
    if not text:
        return random_serial()
    if not (text.isascii() and text.isdigit()):
        raise Rejected(
            {"serial_number": "A serial number is a whole number, in decimal digits."}
        )
    return check_serial(int(text))


def template_of(row: Ca | Cert, public_key: keys.PublicKey, signer: Ca | None) -> Template:
    """Return the template of the row's certificate; `signer` is None for a root."""
    return Template(
        subject=subject_of(row),
        public_key=public_key,
        serial_number=int(row.serial_number),
        not_before=row.validity_start,
        not_after=row.validity_end,
        digest=row.digest,
        extensions=parse_extensions(row.extensions),
        authority=isinstance(row, Ca),
        points=points_of(signer) if signer else Points(),
    )


def subject_of(row: Ca | Cert) -> x509.Name:
    """Return the subject to sign: byte for byte that of the certificate that is there.

    The fields of the row hold only a part of what other authorities write into a subject.
    """
    if row.certificate and subject_fields(row.parsed) == row.subject:
        return row.parsed.subject
    return to_name(row.subject)


def subject_fields(certificate: x509.Certificate) -> Subject:
    """Return the fields that a row has of a certificate's subject."""
    subject = from_name(certificate.subject)
    return replace(subject, email=subject.email[:LONGEST_EMAIL])


def points_of(ca: Ca) -> Points:
    """Return the CA's CRL, OCSP and issuer URLs, if the portal knows its address."""
    portal = settings.MUSTER_PUBLIC_URL
    if not portal:
        return Points()
    return Points(
        crl=f"{portal}/pki/crl/{ca.pk}" if may_sign_lists(ca.parsed) else "",
        ocsp=f"{portal}/pki/ocsp/",
        issuer=f"{portal}/pki/ca/{ca.pk}.crt",
    )


def check_common_name(row: Ca | Cert) -> None:
    """Refuse a common name of another live row of its organization; if shared, of any row.

    An organization may have what is shared as its own, too: scripts import shared CAs so.
    """
    if not row.common_name:
        return
    organization = row.organization_id
    near = Q(organization=organization) if organization else Q()
    others = type(row)._default_manager.filter(near, common_name=row.common_name, revoked=False)
    if others.exclude(pk=row.pk).exists():
        kind = row._meta.verbose_name
        raise Refused(
            {
                "common_name": [
                    gettext("A %(kind)s with this common name exists in this organization.")
                    % {"kind": kind}
                ]
            }
        )


def check_organization(row: Ca | Cert, ca: Ca, label: str) -> None:
    if ca.organization_id is not None and ca.organization_id != row.organization_id:
        text = (
            f"Please ensure that the organization of this {label} and the organization of the "
            "related CA match."
        )
        raise Refused({"organization": [text]})


def check_signer(ca: Ca) -> None:
    if ca.revoked:
        raise Conflict(
            gettext("%(ca)s is revoked: what it would sign, nobody would trust.") % {"ca": ca}
        )
    if ca.validity_end <= timezone.now():
        raise Conflict(
            gettext("%(ca)s ended on %(validity_end)s: renew it first.")
            % {"ca": ca, "validity_end": format(ca.validity_end, "%Y-%m-%d")}
        )


def kind_for_renewal(row: Ca | Cert) -> str:
    return row.key_length if row.key_length in keys.KINDS else "2048"


def digest_for_renewal(row: Ca | Cert) -> str:
    return row.digest if row.digest in keys.DIGESTS else "sha256"


def save_new(row: Ca | Cert, signer: Ca | None) -> None:
    """Insert the row and its serial number; a uniqueness race becomes a refusal."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            if signer is not None:
                record(row, signer)
    except IntegrityError as error:
        kind = row._meta.verbose_name
        text = f"A {kind} with this common name or serial number was made at the same moment."
        raise Conflict(text) from error


def record(row: Ca | Cert, signer: Ca) -> None:
    """Record the serial number as signed by the CA."""
    issued_by(row, signer).save(force_insert=True)


def issued_by(row: Ca | Cert, signer: Ca) -> Issued:
    return Issued(
        ca=signer,
        serial_number=row.serial_number,
        validity_end=row.validity_end,
        cert=row if isinstance(row, Cert) else None,
        subordinate=row if isinstance(row, Ca) else None,
    )
