"""Rules of ACME (RFC 8555). Each `Refused` carries an ACME error type as its code."""

import re
import secrets
from base64 import encodebytes
from collections.abc import Collection, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Conflict, NotPermitted, Refused, Unreachable
from controller.celery import enqueue_on_commit
from pki.drivers import http01
from pki.engine import jws
from pki.engine.errors import Rejected
from pki.engine.importing import read_certificates
from pki.engine.keys import PublicKey
from pki.models import AcmeAccount, AcmeAuthorization, AcmeOrder, Ca, Cert, Enrollment, Reason
from pki.rules.enrollment import Holder, check_holder, check_key, enroll
from pki.rules.revocation import revoke

VALIDATE = "pki.tasks.validate"
MOST_NAMES = 20
MOST_UNFINISHED = 50
MOST_CONTACTS = 5
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
REASONS = {
    0: Reason.UNSPECIFIED, 1: Reason.KEY_COMPROMISE, 3: Reason.AFFILIATION_CHANGED,
    4: Reason.SUPERSEDED, 5: Reason.CESSATION, 9: Reason.PRIVILEGE_WITHDRAWN,
}  # fmt: skip


def find_account(ca: Ca, jwk: dict[str, Any]) -> AcmeAccount | None:
    return ca.acme_accounts.filter(thumbprint=jws.thumbprint(jwk)).first()


def register(
    ca: Ca, jwk: dict[str, Any], *, contact: Sequence[str] = (), holder: Holder | None = None
) -> AcmeAccount:
    """Create an account for this key, or for the device in `holder`."""
    if holder is not None:
        check_holder(ca, holder)
    elif ca.enrollment != Enrollment.OPEN:
        text = "Bind the account to a device: --eab-kid <device id> --eab-hmac-key <its key>."
        raise NotPermitted(text, code="externalAccountRequired")
    account = AcmeAccount(
        ca=ca,
        organization=holder.organization if holder else ca.organization,
        device_id=holder.device_id if holder else None,
        jwk=jwk,
        thumbprint=jws.thumbprint(jwk),
        contact=check_contact(contact),
    )
    account.save()
    return account


def update_contact(account: AcmeAccount, contact: object) -> None:
    account.contact = check_contact(contact)
    account.save(update_fields=["contact"])


def check_contact(contact: object) -> list[str]:
    if not isinstance(contact, list | tuple) or len(contact) > MOST_CONTACTS:
        raise Refused(
            gettext("contact is a list of at most %(most_contacts)s.")
            % {"most_contacts": MOST_CONTACTS},
            code="invalidContact",
        )
    for address in contact:
        if not isinstance(address, str) or not re.fullmatch(r"mailto:[^\s,?]{3,250}", address):
            raise Refused(
                gettext("A contact reads mailto:user@host."), code="unsupportedContact"
            )
    return list(contact)


def deactivate(account: AcmeAccount) -> None:
    account.status = AcmeAccount.Status.DEACTIVATED
    account.save(update_fields=["status"])


def change_key(account: AcmeAccount, jwk: dict[str, Any]) -> None:
    account.jwk, account.thumbprint = jwk, jws.thumbprint(jwk)
    try:
        with transaction.atomic():
            account.save(update_fields=["jwk", "thumbprint"])
    except IntegrityError as error:
        raise Conflict(gettext("Another account has this key."), code="conflict") from error


@transaction.atomic
def order(account: AcmeAccount, names: Collection[str], *, own: Collection[str]) -> AcmeOrder:
    """Create an order for these names. The device's `own` names need no validation."""
    wanted = sorted({name.lower() for name in names})
    if not wanted or len(wanted) > MOST_NAMES:
        raise Refused(
            gettext("An order is for 1 to %(most_names)s names.") % {"most_names": MOST_NAMES},
            code="malformed",
        )
    for name in wanted:
        _check_name(account, name, own)
    unfinished = account.orders.filter(certificate="", expires__gt=timezone.now())
    if unfinished.count() >= MOST_UNFINISHED:
        text = f"{MOST_UNFINISHED} orders wait to be finished; finish those, or wait for their end."
        raise Refused(text, code="rateLimited")
    made = AcmeOrder.objects.create(account=account, identifiers=wanted)
    now = timezone.now()
    for name in wanted:
        known = name in own
        AcmeAuthorization.objects.create(
            order=made,
            identifier=name,
            token=secrets.token_urlsafe(32),
            status="valid" if known else "pending",
            validated=now if known else None,
        )
    return made


def answer(authorization: AcmeAuthorization) -> bool:
    """Start the validation of an authorization. Returns False if already started."""
    changed = AcmeAuthorization.objects.filter(pk=authorization.pk, status="pending").update(
        status="processing", modified=timezone.now()
    )
    authorization.refresh_from_db()
    if changed:
        enqueue_on_commit(VALIDATE, str(authorization.pk))
    return bool(changed)


def validate(authorization: AcmeAuthorization, *, port: int) -> None:
    """Validate a name over HTTP and store the result. Idempotent."""
    account = authorization.order.account
    expected = f"{authorization.token}.{account.thumbprint}"
    status, problem = "valid", ""
    try:
        text = http01.fetch(authorization.identifier, authorization.token, port=port)
        if not secrets.compare_digest(text.encode(), expected.encode()):
            status, problem = "invalid", "The answer is not the key authorization."
    except Unreachable as unreachable:
        status, problem = "invalid", str(unreachable)
    AcmeAuthorization.objects.filter(pk=authorization.pk, status="processing").update(
        status=status, error=problem[:255], validated=timezone.now(), modified=timezone.now()
    )


def deactivate_authorization(authorization: AcmeAuthorization) -> None:
    authorization.status = "invalid"
    authorization.error = "Deactivated by the client."
    authorization.save(update_fields=["status", "error"])


@transaction.atomic
def finalize(made: AcmeOrder, csr: bytes) -> AcmeOrder:
    """Sign the CSR of a ready order. Raises NotPermitted with `orderNotReady`."""
    locked = AcmeOrder.objects.select_for_update(of=("self",)).select_related("account__ca")
    row: AcmeOrder = locked.get(pk=made.pk)
    if row.status != AcmeOrder.Status.READY:
        raise NotPermitted(
            gettext("The order is %(status)s, not ready.") % {"status": row.status},
            code="orderNotReady",
        )
    account = row.account
    try:
        check_key(csr, jws.public_key(account.jwk))
        cert = enroll(account.ca, csr, names=row.identifiers, organization=account.organization)
    except Conflict as conflict:
        raise Refused(str(conflict), code="rejectedIdentifier") from conflict
    except Refused as refused:
        raise Refused(str(refused), code="badCSR") from refused
    row.cert, row.certificate = cert, cert.bundle
    row.save(update_fields=["cert", "certificate"])
    return row


def revoke_issued(
    ca: Ca, der: bytes, *, account: AcmeAccount | None, key: PublicKey | None, reason: object
) -> Cert:
    """Revoke a certificate, authorized by its account or by its own key."""
    code = 0 if reason is None else reason
    if not isinstance(code, int) or code not in REASONS:
        raise Refused(gettext("Not a reason that can be given."), code="badRevocationReason")
    try:
        serial, public_key = _identify(der)
    except Rejected as rejected:
        raise Refused(gettext("Not a certificate."), code="malformed") from rejected
    cert = Cert.objects.filter(ca=ca, serials__serial_number=serial).first()
    if cert is None:
        raise Refused(gettext("Not a certificate of this authority."), code="malformed")
    ordered = account is not None and cert.acme_orders.filter(account=account).exists()
    if not ordered and public_key != key:
        raise NotPermitted(gettext("Neither your order nor your key."), code="unauthorized")
    if cert.revoked:
        raise Refused(gettext("It is revoked already."), code="alreadyRevoked")
    done: Cert = revoke(cert, reason=REASONS[code])
    return done


def _identify(der: bytes) -> tuple[str, object]:
    body = encodebytes(der).decode()
    found = read_certificates(f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
    return str(found[0].serial_number), found[0].public_key()


def _check_name(account: AcmeAccount, name: str, own: Collection[str]) -> None:
    if name in own:
        return
    if not _HOST.fullmatch(name) or re.fullmatch(r"[0-9.]+", name):
        text = f"{name[:80]} is not a host name; wildcards and addresses are not for sale here."
        raise Refused(text, code="rejectedIdentifier")
    if account.ca.enrollment != Enrollment.OPEN:
        told = ", ".join(sorted(own)) or "none"
        raise Refused(
            gettext("%(name)s is not a name of this device, which are: %(told)s.")
            % {"name": name, "told": told},
            code="rejectedIdentifier",
        )
