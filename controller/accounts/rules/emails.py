"""E-mail addresses of a user; the primary one equals the account's e-mail."""

from allauth.account.models import EmailAddress
from django.db import transaction

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, Refused


@transaction.atomic
def add(
    user: User, email: str, *, primary: bool = False, verified: bool = False
) -> EmailAddress:
    taken = User.objects.filter(email__iexact=email).exclude(pk=user.pk).exists()
    if taken or EmailAddress.objects.filter(email__iexact=email).exists():
        raise Refused({"email": ["A user with this e-mail exists already."]})
    row: EmailAddress = EmailAddress.objects.create(user=user, email=email, verified=verified)
    if primary:
        make_primary(row)
    record_audit("add_email", user, after={"email": email})
    return row


@transaction.atomic
def change(
    row: EmailAddress, *, email: str | None = None, primary: bool | None = None
) -> EmailAddress:
    record_audit(
        "change_email",
        row.user,
        before={"email": row.email},
        after={"email": email or row.email, "primary": primary},
    )
    if email is not None and email != row.email:
        others = EmailAddress.objects.filter(email__iexact=email).exclude(pk=row.pk)
        taken = User.objects.filter(email__iexact=email).exclude(pk=row.user_id)
        if others.exists() or taken.exists():
            raise Refused({"email": ["A user with this e-mail exists already."]})
        row.email, row.verified = email, False
        row.save()
        if row.primary:
            make_primary(row)
    if primary and not row.primary:
        make_primary(row)
    return row


def make_primary(row: EmailAddress) -> None:
    EmailAddress.objects.filter(user=row.user).exclude(pk=row.pk).update(primary=False)
    row.primary = True
    row.save()
    user = User.objects.get(pk=row.user_id)
    if user.email != row.email:
        user.email = row.email
        user.checked().save()


def move_primary(user: User) -> None:
    """Make the account's changed e-mail the primary address."""
    row = EmailAddress.objects.filter(user=user, email__iexact=user.email).first()
    if row is None:
        add(user, user.email, primary=True)
    else:
        make_primary(row)


def remove(row: EmailAddress) -> None:
    if row.primary:
        raise Conflict("The primary e-mail stays; make another one primary first.")
    record_audit("remove_email", row.user, before={"email": row.email})
    row.delete()
