"""Roles as clients know them: one for each user, with the permissions that follow from it."""

from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext

from controller.accounts.engine.scopes import every_permission, role_allows
from controller.accounts.models import Authenticator, Membership, Organization, User
from controller.accounts.rules import memberships, users
from controller.base.errors import Refused

SUPERUSER = "super_admin"


def permissions_of(role: str) -> list[str]:
    """Return the permissions of a role, or of superusers."""
    return [one for one in every_permission() if role == SUPERUSER or role_allows(role, one)]


def users_by_role(user: User) -> dict[str, int]:
    """Return how many of the users that this one may see have each role, highest first."""
    seen = User.objects.visible_to(user)
    rows = Membership.objects.filter(user__in=seen.filter(is_superuser=False))
    if not user.is_superuser:
        rows = rows.filter(organization__in=user.access_by_organization)
    counts = dict(rows.order_by().values_list("role").annotate(Count("user", distinct=True)))
    above = {SUPERUSER: seen.filter(is_superuser=True).count()}
    return above | {role: counts.get(role, 0) for role in Membership.Role.values}


def users_with_mfa(people: Any) -> set[Any]:
    """Return the keys of those of these users who sign in with a second factor."""
    rows = Authenticator.objects.filter(user__in=people, confirmed__isnull=False)
    return set(rows.values_list("user_id", flat=True))


@transaction.atomic
def create_user(
    *, by: User, role: str, organization: Organization | None = None, **values: Any
) -> User:
    """Create a user with one role, in the caller's only organization if none is named."""
    if role == SUPERUSER:
        return users.create_user(by=by, is_superuser=True, is_staff=True, **values)
    mine = [*by.access_by_organization]
    if organization is None and len(mine) == 1:
        organization = Organization.objects.get(pk=mine[0])
    if organization is None:
        raise Refused({"organization_id": [gettext("Name the organization of the user.")]})
    member = {"organization": organization, "role": role}
    return users.create_user(by=by, organization_users=[member], **values)


@transaction.atomic
def update_user(user: User, *, by: User, role: str | None = None, **values: Any) -> User:
    """Change a user; a role is that in their only organization, or a superuser's."""
    if role is not None and (role == SUPERUSER) != user.is_superuser:
        values |= {"is_superuser": role == SUPERUSER}
    users.update_user(user, by=by, **values)
    if role not in {None, SUPERUSER}:
        memberships.change_only_role(user, role=str(role), by=by)
    return user
