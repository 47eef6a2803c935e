"""Signing in, tokens, and the question whether somebody may do something."""

import secrets
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError, Q
from django.http import HttpRequest
from django.utils import timezone

from controller.accounts.models import ApiToken, Membership, Organization, User
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.secrets import digest

Row = TypeVar("Row", bound=Model)

# Written at most this often, so that reading with a token does not cost a write each time.
LAST_USED_GRAIN = timedelta(minutes=1)


class EmailOrUsernameBackend(ModelBackend):
    """Django's own check of the password, for a user named by user name or e-mail."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if username and "@" in username:
            # An unknown e-mail goes on as it is: the password is hashed for nobody too, so
            # the answer takes as long as for somebody.
            user = User.objects.filter(email__iexact=username).only("username").first()
            username = user.username if user else username
        found = super().authenticate(request, username=username, password=password, **kwargs)
        return found if isinstance(found, User) else None


def authorize(user: User, permission: str, organization_id: UUID | None) -> None:
    """Raise :class:`NotPermitted` unless the user may do this in this organization."""
    if not user.may(permission, organization_id):
        raise NotPermitted("You do not have permission to perform this action.")


def issue_token(user: User, *, name: str) -> str:
    """A new API token (40 hex digits); this is the only time it can be read."""
    token = secrets.token_hex(20)
    ApiToken.objects.create(user=user, name=name, digest=digest(token))
    return token


def user_of_token(token: str) -> User | None:
    """Whose token this is, if it is one and its user is active; notes that it was used."""
    found = ApiToken.objects.select_related("user").filter(digest=digest(token)).first()
    if found is None or not found.user.is_active:
        return None
    now = timezone.now()
    stale = Q(last_used=None) | Q(last_used__lt=now - LAST_USED_GRAIN)
    if found.last_used is None or found.last_used < now - LAST_USED_GRAIN:
        ApiToken.objects.filter(stale, pk=found.pk).update(last_used=now)
    return found.user


def create_organization(**values: Any) -> Organization:
    return save_checked(Organization(**values))


def update_organization(organization: Organization, **values: Any) -> Organization:
    return save_checked(organization, **values)


@transaction.atomic
def delete_organization(organization: Organization) -> None:
    try:
        organization.delete()
    except ProtectedError as error:
        kinds = sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects})
        raise Conflict(
            f"{organization} still has {', '.join(kinds)}. Delete or move them first."
        ) from error


def grant(*, user: User, organization: Organization, role: str) -> Membership:
    """Make somebody a member, in this role."""
    return save_checked(Membership(user=user, organization=organization, role=role))


def change_role(membership: Membership, *, role: str) -> Membership:
    return save_checked(membership, role=role)


def revoke(membership: Membership) -> None:
    membership.delete()


def update_user(user: User, **values: Any) -> User:
    if values.get("is_superuser") is False or values.get("is_active") is False:
        keep_a_superuser(user)
    return save_checked(user, **values)


def delete_user(user: User) -> None:
    keep_a_superuser(user)
    user.delete()


def keep_a_superuser(leaving: User) -> None:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=leaving.pk)
    if leaving.is_superuser and not others.exists():
        raise Conflict("This is the last superuser; make somebody else one first.")


def revoke_token(token: ApiToken) -> None:
    token.delete()


def save_checked(row: Row, **values: Any) -> Row:
    for name, value in values.items():
        setattr(row, name, value)
    try:
        row.full_clean()
    except ValidationError as error:
        raise Refused(error.message_dict) from error
    row.save()
    return row
