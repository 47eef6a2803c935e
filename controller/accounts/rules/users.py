"""Users: registration, changes and deletion. Nobody manages accounts above their own."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules import emails, lockouts, passwords, sessions
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.memberships import (
    add_member,
    create_membership,
    membership_values,
)
from controller.accounts.rules.ranks import (
    PORTAL,
    By,
    check_can_manage_user,
    check_flags,
    is_administrator,
    refuse_keys,
)
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.secrets import digest

MANY = ("groups", "user_permissions")


@transaction.atomic
def register(*, email: str, password: str, first_name: str, last_name: str) -> None:
    """Create an account without memberships.

    Succeeds silently if the e-mail is taken, to prevent user enumeration.
    """
    name = email.partition("@")[0]
    user = User(username=name, email=email, first_name=first_name, last_name=last_name)
    passwords.check_password_strength(password, user, "password")
    try:
        emails.refuse_taken(email)
    except Refused:
        return
    if User.objects.filter(username=name).exists():
        user.username = f"{name}-{digest(email)[:8]}"
    user.set_password(password)
    user.checked().save()
    emails.add(user, user.email, by=PORTAL, primary=True)
    record_audit("register", user, by=user)


def confirm_password(user: User, password: str) -> None:
    """Raise :class:`NotPermitted` unless this is the user's password."""
    key = lockouts.Kind.PASSWORD, str(user.pk)
    lockouts.raise_if_locked(*key)
    if not user.check_password(password):
        lockouts.record_failure(*key)
        raise NotPermitted(gettext("Enter your present password to do this."))
    lockouts.reset_failures(*key)


def update_self(*, by: User, **values: Any) -> User:
    """Change what everybody may change of their own account."""
    refuse_keys(by)
    if "full_name" in values:
        first, _, last = values.pop("full_name").strip().partition(" ")
        values |= {"first_name": first, "last_name": last}
    name = values.get("username")
    if name and User.objects.filter(username=name).exclude(pk=by.pk).exists():
        raise Conflict(gettext("This user name is taken."))
    for field, value in values.items():
        setattr(by, field, value)
    by.checked().save()
    return by


@transaction.atomic
def create_user(
    *,
    by: By,
    password: str | None,
    organization_users: Sequence[Mapping[str, Any]] = (),
    email_verified: bool = False,
    **values: Any,
) -> User:
    """Create a user; callers below superusers name an organization that they manage.

    Without a password the user signs in by single sign-on only.
    """
    refuse_keys(by)
    _check_expiry(None, values)
    if not is_administrator(by) and not organization_users:
        raise Refused(
            {"organization_users": [gettext("Choose an organization that you manage.")]}
        )
    user = User(**{name: v for name, v in values.items() if name not in MANY})
    check_flags(by, User(), values)
    emails.refuse_taken(user.email)
    if password is not None:
        passwords.check_password_strength(password, user, "password")
    user.set_password(password)
    _set(user, {name: values[name] for name in MANY if name in values})
    verified = email_verified and is_administrator(by)
    emails.add(user, user.email, by=PORTAL, primary=True, verified=verified)
    for membership in organization_users:
        create_membership(user, by=by, **membership_values(**membership))
    return user


@transaction.atomic
def update_user(
    user: User,
    *,
    by: By,
    organization_users: Sequence[Mapping[str, Any]] = (),
    password: str | None = None,
    **values: Any,
) -> User:
    check_can_manage_user(by, user)
    check_flags(by, user, values)
    _check_expiry(user.expiration_date, values)
    email = values.pop("email", user.email)
    if password is not None or email != user.email:
        refuse_keys(by)
    if values.get("is_superuser") is False or values.get("is_active") is False:
        ensure_superuser_remains(user)
    _set(user, values)
    if email != user.email:
        emails.set_account_email(user, email, by=by)
    if password is not None:
        passwords.set_password(user, password, by=by, field="password")
    if not user.is_active:
        sessions.revoke_all(user, because="the account was turned off")
    for membership in organization_users:
        add_member(user, by=by, **membership)
    return user


def _set(user: User, values: dict[str, Any]) -> None:
    several = {name: values.pop(name) for name in MANY if name in values}
    for name, value in values.items():
        setattr(user, name, value)
    user.checked().save()
    for name, rows in several.items():
        getattr(user, name).set(rows)
        record_audit("update", user, after={name: [str(one) for one in rows]})


def _check_expiry(before: date | None, values: Mapping[str, Any]) -> None:
    wanted = values.get("expiration_date")
    if wanted is not None and wanted != before and wanted < timezone.localdate():
        raise Refused({"expiration_date": [gettext("Expiration date cannot be in the past.")]})


@transaction.atomic
def delete_user(user: User, *, by: By) -> None:
    check_can_manage_user(by, user)
    if isinstance(by, User) and user.pk == by.pk:
        raise Conflict(gettext("You cannot delete your own account."))
    ensure_superuser_remains(user)
    user.delete()


def ensure_superuser_remains(leaving: User) -> None:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=leaving.pk)
    was = User.objects.filter(pk=leaving.pk, is_superuser=True).exists()
    if was and not others.exists():
        raise Conflict(gettext("This is the last superuser; make somebody else one first."))
