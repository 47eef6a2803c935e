"""Certificates: issue, import, renew, change and delete."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.database import conflict_if_used
from controller.base.errors import Conflict, Refused
from pki.engine import keys
from pki.engine.importing import read_end_entity, to_pem
from pki.engine.requests import SigningRequest
from pki.models import Ca, Cert, Issued, Reason
from pki.rules.importing import check_key_length, take_over
from pki.rules.revocation import revoke
from pki.rules.signing import (
    UNCHECKED_ON_IMPORT,
    check_common_name,
    check_organization,
    check_signer,
    digest_for_renewal,
    fill,
    issued_by,
    kind_for_renewal,
    midnight_before,
    record,
    refusing,
    save_new,
    template_of,
)

LIFE = timedelta(days=365)
BATCH = 500
SIGNED_AGAIN = (
    "digest", "serial_number", "validity_start", "validity_end", "common_name", "certificate",
)  # fmt: skip
KEPT_ON_IMPORT = ("name", "organization", "notes", "auto_renew")


def issue(ca: Ca, *, public_key: keys.PublicKey | None = None, **values: Any) -> Cert:
    """Issue a certificate with a new key, or for the given public key.

    Takes the fields of `Cert`, with defaults for those omitted. The default lifetime is a
    year, or until the CA's end.
    """
    check_signer(ca)
    with refusing():
        row = Cert(ca=ca)
        fill(row, values, min(LIFE, ca.validity_end - timezone.now()))
        if public_key is not None:
            row.key_length = keys.kind_of(public_key)
        check_organization(row, ca, "Cert")
        check_common_name(row)
        row.checked(leave_out={"certificate", "ca", "organization"})
        if public_key is None:
            key = keys.generate(row.key_length)
            row.private_key = keys.to_pem(key, row.passphrase)
            public_key = key.public_key()
        _sign(row, ca, public_key)
    save_new(row, ca)
    return row


def issue_for_request(ca: Ca, request: SigningRequest, **values: Any) -> Cert:
    """Issue a certificate for a CSR's key. The caller must check the names."""
    return issue(ca, public_key=request.public_key, **values)


def import_cert(
    *, ca: Ca, certificate: str, private_key: str, passphrase: str = "", **values: Any
) -> Cert:
    """Import a certificate issued by `ca` elsewhere, with its key."""
    with refusing():
        chain = ca.authority.chain()
        found = read_end_entity(
            certificate, private_key, passphrase, chain=chain, now=timezone.now()
        )
        check_key_length(values.get("key_length"), found.certificate)
        row = Cert(ca=ca, **{name: values[name] for name in KEPT_ON_IMPORT if name in values})
        take_over(row, found.certificate, found.digest)
        row.private_key, row.passphrase = keys.to_pem(found.key, passphrase), passphrase
    check_organization(row, ca, "Cert")
    check_common_name(row)
    if ca.issued.filter(serial_number=row.serial_number).exists():
        text = f"{ca} has a certificate with this serial number already."
        raise Refused({"certificate": [text]})
    row.checked(leave_out={"ca", "organization", *UNCHECKED_ON_IMPORT})
    save_new(row, ca)
    return row


def renew(cert: Cert, *, keep_key: bool = False) -> Cert:
    """Renew the certificate in its row, for the same lifetime.

    The old one stays valid. The key is replaced, unless `keep_key` is set or only the
    device has the key.
    """
    check_signer(cert.ca)
    check_renewable(cert)
    fresh = None
    if cert.private_key and not keep_key:
        # Before locking the row: generating an RSA key takes tens of milliseconds or more.
        fresh = keys.generate(kind_for_renewal(cert))
    with transaction.atomic(), refusing():
        locked = Cert.objects.select_for_update(of=("self",)).select_related("ca")
        row: Cert = locked.get(pk=cert.pk)
        check_renewable(row)
        public_key = row.parsed_key
        if fresh is not None:
            public_key = fresh.public_key()
            row.private_key = keys.to_pem(fresh, row.passphrase)
            row.key_length = keys.kind_of(public_key)
        _sign_again(row, row.ca, public_key, ends=midnight_before() + row.lifetime)
    return row


@transaction.atomic
def replace(cert: Cert, public_key: keys.PublicKey, **values: Any) -> Cert:
    """Issue the row's certificate again for another public key held by its owner."""
    check_signer(cert.ca)
    with refusing():
        row: Cert = Cert.objects.select_for_update(of=("self",)).get(pk=cert.pk)
        check_renewable(row)
        ends = values.pop("validity_end")
        for name, value in values.items():
            setattr(row, name, value)
        row.key_length = keys.kind_of(public_key)
        _sign_again(row, cert.ca, public_key, ends=ends)
    return row


def reissue_all(ca: Ca) -> int:
    """Sign all live certificates again with their keys, after the CA's key changed.

    Returns their number.
    """
    count = 0
    rows = ca.certs.live().order_by("pk")
    while batch := list(rows[count : count + BATCH]):
        for cert in batch:
            _renewed(cert, ca, cert.parsed_key, ends=cert.validity_end)
        Cert.objects.bulk_update(batch, [*SIGNED_AGAIN, "modified"])
        Issued.objects.bulk_create(issued_by(cert, ca) for cert in batch)
        count += len(batch)
    return count


def update_cert(cert: Cert, **values: Any) -> Cert:
    """Change name, notes, organization or automatic renewal, not the certificate."""
    for name, value in values.items():
        setattr(cert, name, value)
    check_organization(cert, cert.ca, "Cert")
    check_common_name(cert)
    cert.checked(leave_out={"ca", "organization", *UNCHECKED_ON_IMPORT})
    cert.save(update_fields=list(values))
    return cert


@transaction.atomic
def delete_cert(cert: Cert) -> None:
    """Revoke and delete a certificate. Raises Conflict if it is in use."""
    if cert.validity_end > timezone.now():
        revoke(cert, reason=Reason.CESSATION)
    with conflict_if_used(cert, "take it out of there first"):
        cert.delete()


def check_renewable(cert: Cert) -> None:
    if cert.revoked:
        raise Conflict(
            gettext("%(cert)s is revoked, which is final: issue a new certificate instead.")
            % {"cert": cert}
        )


def _sign_again(cert: Cert, ca: Ca, public_key: keys.PublicKey, *, ends: datetime) -> None:
    _renewed(cert, ca, public_key, ends=ends)
    cert.save()
    record(cert, ca)


def _renewed(cert: Cert, ca: Ca, public_key: keys.PublicKey, *, ends: datetime) -> None:
    cert.digest = digest_for_renewal(cert)
    values = {"serial_number": "", "validity_start": None, "validity_end": ends}
    fill(cert, values, LIFE)
    _sign(cert, ca, public_key)
    cert.modified = timezone.now()


def _sign(row: Cert, ca: Ca, public_key: keys.PublicKey) -> None:
    row.certificate = to_pem([ca.authority.sign(template_of(row, public_key, ca))])


def add_cert(*, ca: Ca, certificate: str = "", private_key: str = "", **values: Any) -> Cert:
    """Import a certificate if one is given, otherwise issue one."""
    if not certificate and not private_key:
        return issue(ca, **values)
    return import_cert(ca=ca, certificate=certificate, private_key=private_key, **values)
