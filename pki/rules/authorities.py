"""Certificate authorities: create, import, renew, change and delete."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.database import conflict_if_used
from controller.base.errors import Conflict, Refused
from pki.engine import keys, ocsp
from pki.engine.importing import read_authority, to_pem
from pki.engine.software_ca import SoftwareAuthority
from pki.models import Ca, Reason
from pki.rules.certificates import KEPT_ON_IMPORT, reissue_all
from pki.rules.importing import check_key_length, take_over
from pki.rules.revocation import publish_change, revoke
from pki.rules.signing import (
    UNCHECKED_ON_IMPORT,
    check_common_name,
    check_organization,
    check_signer,
    digest_for_renewal,
    fill,
    kind_for_renewal,
    midnight_before,
    record,
    refusing,
    save_new,
    template_of,
)

LIFE = timedelta(days=3650)
MADE_HERE = ("certificate", "ocsp_sha1", "ocsp_sha256", "issuer", "organization")


def create_ca(*, issuer: Ca | None = None, **values: Any) -> Ca:
    """Create a root, or an intermediate of `issuer`. Takes the fields of `Ca`."""
    if issuer is not None:
        check_signer(issuer)
    with refusing():
        row = Ca(issuer=issuer)
        fill(row, values, min(LIFE, issuer.validity_end - timezone.now()) if issuer else LIFE)
        _check_place(row)
        row.checked(leave_out={*MADE_HERE})
        key = keys.generate(row.key_length)
        row.private_key = keys.to_pem(key, row.passphrase)
        _sign(row, key)
    return _save_new(row)


def import_ca(*, certificate: str, private_key: str, passphrase: str = "", **values: Any) -> Ca:
    """Import a CA with its key; the PEM may also contain its issuers."""
    near = Ca.objects.filter(Q(organization=values.get("organization")) | Q(organization=None))
    with refusing():
        found = read_authority(
            certificate, private_key, passphrase,
            known=[ca.parsed for ca in near], now=timezone.now(),
        )  # fmt: skip
        check_key_length(values.get("key_length"), found.certificate)
        row = Ca(**{name: values[name] for name in KEPT_ON_IMPORT if name in values})
        take_over(row, found.certificate, found.digest)
        row.private_key, row.passphrase = keys.to_pem(found.key, passphrase), passphrase
        row.chain = to_pem(found.issuers)
        _address(row)
    _check_place(row)
    row.checked(leave_out={"organization", *UNCHECKED_ON_IMPORT})
    return _save_new(row)


def renew_ca(ca: Ca, *, keep_key: bool = False) -> Ca:
    """Renew the CA's certificate for the same lifetime.

    With a new key, all live certificates below it are signed again with their own keys;
    with the key kept they stay as they are.
    """
    check_renewable(ca)
    key = ca.key if keep_key else keys.generate(kind_for_renewal(ca))
    with transaction.atomic(), refusing():
        row: Ca = Ca.objects.select_for_update().get(pk=ca.pk)
        check_renewable(row)
        row.private_key = keys.to_pem(key, row.passphrase)
        row.key_length = keys.kind_of(key.public_key())
        _sign_again(row, key, ends=midnight_before() + row.lifetime)
        if not keep_key:
            _reissue_below(row)
        _hand_down_chain(row)
        publish_change(row)
    return row


def update_ca(ca: Ca, **values: Any) -> Ca:
    """Change name, notes, organization or automatic renewal, not the certificate."""
    organization = values.get("organization", ca.organization)
    below = (ca.certs.all(), ca.intermediates.all())
    if organization and any(rows.exclude(organization=organization).exists() for rows in below):
        raise Conflict(
            gettext("%(ca)s has certificates of other organizations, so it cannot move.")
            % {"ca": ca}
        )
    for name, value in values.items():
        setattr(ca, name, value)
    _check_place(ca)
    ca.checked(leave_out={"issuer", "organization", *UNCHECKED_ON_IMPORT})
    ca.save(update_fields=list(values))
    return ca


@transaction.atomic
def delete_ca(ca: Ca) -> None:
    """Delete a CA.

    Raises Conflict while a certificate, an intermediate or a server uses it.
    """
    live = ca.certs.live().count()
    if live:
        raise Conflict(
            gettext(
                "%(ca)s has %(live)s certificates that are neither revoked nor expired. "
                "Revoke or delete those first."
            )
            % {"ca": ca, "live": live}
        )
    if ca.issuer is not None and ca.validity_end > timezone.now():
        revoke(ca, reason=Reason.CESSATION)
    with conflict_if_used(ca, "take it out of there first"):
        ca.certs.all().delete()
        ca.delete()


def check_renewable(ca: Ca) -> None:
    if ca.revoked:
        raise Conflict(
            gettext("%(ca)s is revoked, which is final: create another CA instead.")
            % {"ca": ca}
        )
    if ca.issuer is not None:
        check_signer(ca.issuer)
        return
    own = ca.parsed
    if own.issuer != own.subject:
        raise Refused(
            gettext(
                "Its issuer is not here, so it cannot be renewed here: have its certificate renewed "
                "there, and import it."
            )
        )


def _check_place(row: Ca) -> None:
    if row.issuer is not None:
        check_organization(row, row.issuer, "CA")
    check_common_name(row)


def _sign(row: Ca, key: keys.PrivateKey) -> None:
    template = template_of(row, key.public_key(), row.issuer)
    if row.issuer is None:
        row.certificate = to_pem(SoftwareAuthority.create(template, key).chain())
    else:
        row.certificate = to_pem([row.issuer.authority.sign(template)])
        row.chain = row.issuer.bundle
    _address(row)


def _sign_again(row: Ca, key: keys.PrivateKey, *, ends: datetime) -> None:
    row.digest = digest_for_renewal(row)
    values = {"serial_number": "", "validity_start": None, "validity_end": ends}
    fill(row, values, LIFE)
    _sign(row, key)
    row.save()
    if row.issuer is not None:
        record(row, row.issuer)


def _address(row: Ca) -> None:
    """Store the hashes by which OCSP requests identify the CA."""
    row.ocsp_sha1, row.ocsp_sha256 = ocsp.addresses(row.parsed)


@transaction.atomic
def _save_new(row: Ca) -> Ca:
    save_new(row, row.issuer)
    publish_change(row)
    return row


def _reissue_below(ca: Ca) -> None:
    reissue_all(ca)
    for below in ca.intermediates.live():
        below.issuer = ca
        _sign_again(below, below.key, ends=below.validity_end)


def _hand_down_chain(ca: Ca) -> None:
    for below in ca.intermediates.all():
        below.chain = ca.bundle
        below.save(update_fields=["chain"])
        _hand_down_chain(below)


def add_ca(*, certificate: str = "", private_key: str = "", **values: Any) -> Ca:
    """Import a CA if a certificate is given, otherwise create one."""
    if not certificate and not private_key:
        return create_ca(**values)
    return import_ca(certificate=certificate, private_key=private_key, **values)
