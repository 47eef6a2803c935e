"""Users, organizations and memberships. Nobody grants more than their own role."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import ProtectedError
from django.db.models.functions import Coalesce
from django.utils import timezone

from controller.accounts.models import ApiToken, Membership, Organization, User
from controller.accounts.rules import emails, lockouts, mfa, passwords, sessions
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.authentication import issue_token
from controller.accounts.rules.ranks import (
    PORTAL,
    By,
    can_manage_user,
    check_administrator,
    check_can_grant_role,
    check_can_manage_user,
    check_flags,
    is_administrator,
    refuse_keys,
)
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.secrets import digest

OWNER, MANAGER, MEMBER = "admin", "org_admin", "viewer"
MANY = ("groups", "user_permissions")
# No role was named, which is not the same as none.
UNCHANGED = ""
MOST_SIGN_INS = 20


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
        raise NotPermitted("Enter your present password to do this.")
    lockouts.reset_failures(*key)


def token_for(user: User, *, name: str) -> str:
    """Create an API token after a password sign-in; refused if MFA is enabled."""
    if mfa.is_enabled(user):
        raise NotPermitted(
            "This account has MFA enabled: sign in by /api/v1/auth/login, "
            "or make an API token or an API key."
        )
    token = issue_token(user, name=name)
    _forget_oldest(user, name)
    record_audit("sign_in", user, by=user, detail=f"for a token: {name}")
    return token


def _forget_oldest(user: User, name: str) -> None:
    """Delete all but the last tokens of this name: some programs sign in each time."""
    mine = ApiToken.objects.filter(user=user, name=name)
    kept = mine.order_by(Coalesce("last_used", "created").desc(), "-pk")[:MOST_SIGN_INS]
    mine.exclude(pk__in=list(kept.values_list("pk", flat=True))).delete()


def forget_token(user: User, token: str) -> None:
    ApiToken.objects.filter(user=user, digest=digest(token)).delete()
    record_audit("sign_out", user)


def save_group(group: Group | None = None, *, by: By, **values: Any) -> Group:
    """Create or change a set of permissions, as superusers may."""
    check_administrator(by, "make groups of permissions")
    group = group or Group()
    permissions = values.pop("permissions", None)
    for name, value in values.items():
        setattr(group, name, value)
    group.save()
    if permissions is not None:
        group.permissions.set(permissions)
    record_audit(
        "save", group, after=values | {"permissions": [str(one) for one in permissions or ()]}
    )
    return group


def delete_group(group: Group, *, by: By) -> None:
    check_administrator(by, "delete groups of permissions")
    record_audit("delete", group)
    group.delete()


def update_self(*, by: User, **values: Any) -> User:
    """Change what everybody may change of their own account."""
    refuse_keys(by)
    if "full_name" in values:
        first, _, last = values.pop("full_name").strip().partition(" ")
        values |= {"first_name": first, "last_name": last}
    name = values.get("username")
    if name and User.objects.filter(username=name).exclude(pk=by.pk).exists():
        raise Conflict("This user name is taken.")
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
        raise Refused({"organization_users": ["Choose an organization that you manage."]})
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
        _add(user, by=by, **_wanted(**membership))
    return user


def _wanted(
    *, organization: Organization, is_admin: bool | None = None, role: str | None = UNCHANGED
) -> dict[str, Any]:
    return {"organization": organization, "role": role or (MANAGER if is_admin else MEMBER)}


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
        raise Refused({"expiration_date": ["Expiration date cannot be in the past."]})


@transaction.atomic
def delete_user(user: User, *, by: By) -> None:
    check_can_manage_user(by, user)
    if isinstance(by, User) and user.pk == by.pk:
        raise Conflict("You cannot delete your own account.")
    ensure_superuser_remains(user)
    user.delete()


def ensure_superuser_remains(leaving: User) -> None:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=leaving.pk)
    was = User.objects.filter(pk=leaving.pk, is_superuser=True).exists()
    if was and not others.exists():
        raise Conflict("This is the last superuser; make somebody else one first.")


@transaction.atomic
def add_member(
    user: User,
    *,
    by: By,
    organization: Organization,
    is_admin: bool | None = None,
    role: str | None = UNCHANGED,
) -> Membership | None:
    """Add a user to an organization, or change their role; None ends the membership."""
    row = Membership.objects.filter(user=user, organization=organization).first()
    if role is None:
        if row is not None:
            revoke(row, by=by)
        return None
    role = None if role == UNCHANGED else role
    if row is not None and role is None and row.is_manager == bool(is_admin):
        return row
    wanted = role or (MANAGER if is_admin else MEMBER)
    if row is None:
        return grant(user=user, organization=organization, role=wanted, by=by)
    return change_role(row, role=wanted, by=by)


def grant(*, user: User, organization: Organization, role: str, by: By) -> Membership:
    """Make a user a member in this role; accounts that others manage are invited instead."""
    check_can_grant_role(by, role, organization)
    if not can_manage_user(by, user):
        raise NotPermitted("Nobody is added unasked: invite them by their e-mail address.")
    return _add(user, organization=organization, role=role, by=by)


def _add(user: User, *, organization: Organization, role: str, by: By) -> Membership:
    check_can_grant_role(by, role, organization)
    row = Membership(user=user, organization=organization, role=role).checked()
    row.save()
    return row


def change_role(row: Membership, *, role: str, by: By) -> Membership:
    check_can_grant_role(by, row.role, row.organization)
    check_can_grant_role(by, role, row.organization)
    row.role = role
    row.checked().save()
    return row


def revoke(row: Membership, *, by: By) -> None:
    check_can_grant_role(by, row.role, row.organization)
    row.delete()


def create_organization(**values: Any) -> Organization:
    organization = Organization(**values).checked()
    organization.save()
    return organization


@transaction.atomic
def update_organization(
    organization: Organization,
    *,
    owner: Membership | None = None,
    by: By,
    **values: Any,
) -> Organization:
    """Change an organization; ``owner`` names the membership that becomes its owner's."""
    if owner is not None:
        if owner.organization_id != organization.pk:
            raise Refused({"owner": ["The owner is a member of the organization."]})
        change_role(owner, role=OWNER, by=by)
    for name, value in values.items():
        setattr(organization, name, value)
    organization.checked().save()
    return organization


@transaction.atomic
def delete_organization(organization: Organization) -> None:
    """Delete an organization; raise Conflict while rows belong to it."""
    try:
        organization.delete()
    except ProtectedError as error:
        kinds = sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects})
        raise Conflict(
            f"{organization} still has {', '.join(kinds)}. Delete or move them first."
        ) from error
