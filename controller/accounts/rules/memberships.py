"""Memberships and their roles. Nobody grants more than their own role."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules.ranks import (
    By,
    can_manage_user,
    check_can_grant_role,
)
from controller.base.errors import Conflict, NotPermitted

OWNER, MANAGER, MEMBER = "admin", "org_admin", "viewer"
# No role was named, which is not the same as none.
UNCHANGED = ""


def membership_values(
    *, organization: Organization, is_admin: bool | None = None, role: str | None = UNCHANGED
) -> dict[str, Any]:
    return {"organization": organization, "role": role or (MANAGER if is_admin else MEMBER)}


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
        raise NotPermitted(
            gettext("Nobody is added unasked: invite them by their e-mail address.")
        )
    return create_membership(user, organization=organization, role=role, by=by)


def create_membership(
    user: User, *, organization: Organization, role: str, by: By
) -> Membership:
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


def change_only_role(user: User, *, role: str, by: By) -> Membership:
    """Change the role that a user has in their only organization.

    Raises Conflict if there are several or none, as the role of one would have to be named.
    """
    rows = list(user.memberships.select_related("organization")[:2])
    if len(rows) != 1:
        raise Conflict(
            gettext("Name the organization: the user is a member of several, or of none.")
        )
    return change_role(rows[0], role=role, by=by)


def revoke(row: Membership, *, by: By) -> None:
    check_can_grant_role(by, row.role, row.organization)
    row.delete()
