"""Revocation, CRLs and OCSP."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Conflict
from pki.engine import ocsp
from pki.engine.acceptance import may_sign_lists
from pki.engine.contract import Period, Revocation, Status
from pki.engine.errors import Rejected
from pki.models import Ca, Cert, Issued, Reason, RevocationList

# Lifetime of a CRL: devices and portal may be offline for this long.
LIST_LIFE = timedelta(days=7)
PUBLISH_EVERY = timedelta(days=1)
ANSWER_LIFE = timedelta(hours=12)
# Tolerated lag of the clients' clocks.
CLOCK_SLACK = timedelta(minutes=5)

Revocable = TypeVar("Revocable", Ca, Cert)


def revoke(row: Revocable, *, reason: str = Reason.UNSPECIFIED) -> Revocable:
    """Revoke the certificate and those it replaced. An earlier revocation stays."""
    revoke_all([row], reason=reason)
    return row


@transaction.atomic
def revoke_all(rows: Iterable[Ca | Cert], *, reason: str = Reason.UNSPECIFIED) -> None:
    """Revoke many, signing each CA's CRL once.

    Roots are skipped, as no CRL lists them.
    """
    now = timezone.now().replace(microsecond=0)
    signers: dict[int, Ca] = {}
    for row in rows:
        signer = row.ca if isinstance(row, Cert) else row.issuer
        if row.revoked or signer is None:
            continue
        row.revoked, row.revoked_at, row.revocation_reason = True, now, reason
        row.auto_renew = False
        row.save(update_fields=["revoked", "revoked_at", "revocation_reason", "auto_renew"])
        row.serials.filter(revoked_at=None).update(revoked_at=now, reason=reason)
        signers[signer.pk] = signer
    for signer in signers.values():
        publish_change(signer)


def publish_change(ca: Ca) -> None:
    """Sign a new CRL, unless the CA's key usage lets it sign none."""
    if may_sign_lists(ca.parsed):
        publish(ca)


@transaction.atomic
def publish(ca: Ca) -> RevocationList:
    """Sign a new CRL with the next number."""
    if not may_sign_lists(ca.parsed):
        raise Conflict(
            gettext(
                "The key usage of %(ca)s has no cRLSign: clients would refuse its revocation "
                "list. They learn by OCSP what it has revoked."
            )
            % {"ca": ca}
        )
    now = timezone.now().replace(microsecond=0)
    before = RevocationList.objects.select_for_update().filter(ca=ca).first()
    number = before.number + 1 if before else 1
    period = Period(now - CLOCK_SLACK, now + LIST_LIFE)
    crl = ca.authority.revocation_list(_revocations(ca), number=number, period=period)
    made, _ = RevocationList.objects.update_or_create(
        ca=ca,
        defaults={
            "number": number,
            "this_update": period.this_update,
            "next_update": period.next_update,
            "der": crl.public_bytes(Encoding.DER),
        },
    )
    return made


def current_list(ca: Ca) -> RevocationList:
    """Return the current CRL, signing a new one if the last has expired."""
    found = RevocationList.objects.filter(ca=ca, next_update__gt=timezone.now()).first()
    return found or publish(ca)


def publish_due() -> int:
    """Sign every CRL older than a day again. Returns their number."""
    due = timezone.now() + LIST_LIFE - PUBLISH_EVERY
    authorities = list(Ca.objects.filter(revocation_list__next_update__lte=due))
    for ca in authorities:
        publish_change(ca)
    return len(authorities)


def status_of(request: bytes) -> bytes:
    """Return the OCSP response (DER) to a request (DER) of any content."""
    try:
        question = ocsp.read_question(request)
    except Rejected:
        return ocsp.malformed()
    ca, issued = _find(question)
    if ca is None:
        return ocsp.unauthorized()
    now = timezone.now().replace(microsecond=0)
    revocation = None
    if issued is not None and issued.revoked_at is not None:
        revocation = Revocation(question.serial_number, issued.revoked_at, issued.reason)
    status = Status(known=issued is not None, revocation=revocation)
    period = Period(now - CLOCK_SLACK, now + ANSWER_LIFE)
    return ca.authority.status(question, status, period=period)


def _find(question: ocsp.Question) -> tuple[Ca | None, Issued | None]:
    field = {"sha1": "ocsp_sha1", "sha256": "ocsp_sha256"}.get(question.algorithm.name)
    if field is None:
        return None, None
    issued = (
        Issued.objects.select_related("ca")
        .filter(serial_number=str(question.serial_number), **{f"ca__{field}": question.address})
        .first()
    )
    if issued is not None:
        return issued.ca, issued
    return Ca.objects.filter(**{field: question.address}).first(), None


def _revocations(ca: Ca) -> list[Revocation]:
    """Return the revocations to list: those of certificates not long expired."""
    listed = Issued.objects.filter(
        ca=ca, revoked_at__isnull=False, validity_end__gt=timezone.now() - LIST_LIFE
    ).order_by("revoked_at", "pk")
    return [
        Revocation(int(serial), at, reason)
        for serial, at, reason in listed.values_list("serial_number", "revoked_at", "reason")
        if at is not None
    ]
