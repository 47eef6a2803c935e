"""E-mail addresses of a user; the primary one equals the account's e-mail."""

from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import signing
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from controller.accounts.engine.email_addresses import (
    canonical_email,
    is_like_email,
    is_same_email,
)
from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.preferences import locale_of
from controller.accounts.rules.ranks import By, is_administrator, refuse_keys
from controller.base.errors import Conflict, Refused
from controller.celery import enqueue_on_commit

SALT = "accounts.email"
LINK_SECONDS = 3 * 24 * 3600
TAKEN = "A user with this e-mail exists already."
BAD_LINK = "This link is invalid, too old, or has been used."


def candidates(email: str, path: str = "email") -> Q:
    """Return a condition for all rows whose address may be this one; compare them afterwards."""
    forms = {email.strip(), canonical_email(email)}
    found = Q()
    for one in forms:
        found |= Q(**{f"{path}__iexact": one})
    return found


# Letters that no database compares as Python does.
BEYOND_ASCII = r"[^ -~]"


def _alike(rows: QuerySet[Any], email: str) -> bool:
    """Return whether one of the rows has this address, or one that could be taken for it."""
    found = rows.filter(
        candidates(email)
        | Q(email__iexact=canonical_email(email).casefold())
        | Q(email__regex=BEYOND_ASCII)
    )
    return any(is_like_email(one, email) for one in found.values_list("email", flat=True))


def _same(rows: Iterable[Any], email: str) -> list[Any]:
    return [row for row in rows if is_same_email(row.email, email)]


def account_of(email: str) -> User | None:
    """Return whose account's e-mail this is, proved or not."""
    return next(iter(_same(User.objects.filter(candidates(email)), email)), None)


def owner_of(email: str) -> User | None:
    """Return the user who has proved to have this address."""
    rows = EmailAddress.objects.filter(candidates(email), verified=True).select_related("user")
    found = _same(rows, email)
    return found[0].user if found else None


def verified_of(user: User) -> set[str]:
    """Return the addresses that are the user's beyond doubt, in their canonical form."""
    rows = EmailAddress.objects.filter(user=user, verified=True)
    return {canonical_email(one) for one in rows.values_list("email", flat=True)}


def refuse_taken(
    email: str, *, but: User | None = None, row: EmailAddress | None = None
) -> None:
    """Raise :class:`Refused` if somebody has this address already, in whatever spelling."""
    users = User.objects.all()
    rows = EmailAddress.objects.all()
    if but is not None:
        users = users.exclude(pk=but.pk)
    if row is not None:
        rows = rows.exclude(pk=row.pk)
    if _alike(users, email) or _alike(rows, email):
        raise Refused({"email": [TAKEN]})


def _is_own(by: By, user: User) -> bool:
    return isinstance(by, User) and by.pk == user.pk and not is_administrator(by)


@transaction.atomic
def add(
    user: User, email: str, *, by: By, primary: bool = False, verified: bool = False
) -> EmailAddress:
    """Add an address. One's own becomes primary when the mailed link is opened."""
    refuse_keys(by)
    refuse_taken(email, but=user)
    row: EmailAddress = EmailAddress.objects.create(user=user, email=email, verified=verified)
    own = _is_own(by, user)
    if primary and not own:
        _make_primary(row)
    if not verified:
        _send_link(row, primary=primary and own)
    record_audit("add_email", user, after={"email": email})
    return row


@transaction.atomic
def change(
    row: EmailAddress, *, by: By, email: str | None = None, primary: bool | None = None
) -> EmailAddress:
    """Change an address, which has to be proved again, or make it the account's."""
    refuse_keys(by)
    own = _is_own(by, row.user)
    if email is not None and email != row.email:
        if own and row.primary:
            raise Conflict(
                gettext(
                    "Add the new address and open the link that it is sent; then make it primary."
                )
            )
        refuse_taken(email, but=row.user, row=row)
        before, row.email, row.verified = row.email, email, False
        row.save()
        record_audit("change_email", row.user, before={"email": before}, after={"email": email})
        if row.primary:
            _make_primary(row)
        _send_link(row, primary=bool(primary) and own)
    if primary and not row.primary:
        if own and not row.verified:
            raise Refused(
                {"primary": [gettext("Open the link that was sent to this address first.")]}
            )
        _make_primary(row)
        record_audit("change_email", row.user, after={"email": row.email, "primary": True})
    return row


def _make_primary(row: EmailAddress) -> None:
    EmailAddress.objects.filter(user=row.user).exclude(pk=row.pk).update(primary=False)
    row.primary = True
    row.save()
    user = User.objects.get(pk=row.user_id)
    if user.email != row.email:
        user.email = row.email
        user.checked().save()


@transaction.atomic
def set_account_email(user: User, email: str, *, by: By) -> None:
    """Give the account another e-mail: at once by who manages it, else after a mailed link."""
    refuse_keys(by)
    row = EmailAddress.objects.filter(user=user, email=email).first()
    if row is None:
        row = add(user, email, by=by, primary=True)
    elif _is_own(by, user) and not row.verified:
        _send_link(row, primary=True)
    else:
        _make_primary(row)
    user.refresh_from_db(fields=["email"])


def remove(row: EmailAddress, *, by: By) -> None:
    refuse_keys(by)
    if row.primary:
        raise Conflict(gettext("The primary e-mail stays; make another one primary first."))
    record_audit("remove_email", row.user, before={"email": row.email})
    row.delete()


# --- the link that proves an address


def _send_link(row: EmailAddress, *, primary: bool) -> None:
    enqueue_on_commit("controller.accounts.tasks.mail_confirmation", row.pk, primary)


def link_of(row: EmailAddress, *, primary: bool) -> str:
    token = signing.dumps([row.pk, row.email, primary], salt=SALT)
    return f"{settings.MUSTER_PUBLIC_URL}/account/email/{token}/"


def mail_link(pk: int, *, primary: bool) -> bool:
    """Send the link that proves an address. Returns whether there is anything to prove."""
    row = EmailAddress.objects.filter(pk=pk, verified=False).select_related("user").first()
    if row is None:
        return False
    with locale_of(row.user):
        text = gettext(
            "%(user)s gave this address as theirs. If it was you, open this link within "
            "three days:\n\n%(link)s\n\nIf not, do nothing.\n"
        )
        values = {"user": row.user.username, "link": link_of(row, primary=primary)}
        send_mail(gettext("Confirm your e-mail address"), text % values, None, [row.email])
    return True


def of_token(token: str, *, by: User) -> EmailAddress:
    """Return the address of a link, if it is one of this user's that is not proved yet.

    A stranger's address that somebody claims is not theirs by a stranger's click.
    """
    return _read(token, by)[0]


def _read(token: str, by: User) -> tuple[EmailAddress, bool]:
    try:
        pk, email, primary = signing.loads(token, salt=SALT, max_age=LINK_SECONDS)
    except signing.BadSignature:
        raise Refused({"token": [BAD_LINK]}) from None
    row: EmailAddress | None = EmailAddress.objects.filter(
        pk=pk, email=email, verified=False, user=by
    ).first()
    if row is None:
        raise Refused({"token": [BAD_LINK]})
    return row, bool(primary)


@transaction.atomic
def confirm(token: str, *, by: User) -> EmailAddress:
    """Count an address as its user's, since the link that was sent to it came back."""
    refuse_keys(by)
    row, primary = _read(token, by)
    mark_verified(by, row.email)
    row.refresh_from_db()
    if primary:
        _make_primary(row)
    return row


def mark_verified(user: User, email: str) -> None:
    """Count an address of the user's as proved: something that was mailed to it came back."""
    for row in EmailAddress.objects.filter(candidates(email), user=user, verified=False):
        if is_same_email(row.email, email):
            row.verified = True
            row.save(update_fields=["verified"])
            record_audit("verify_email", user, by=user, after={"email": row.email})
