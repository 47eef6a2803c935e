"""Organizations: create, change and delete."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext

from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules.memberships import OWNER, change_role
from controller.accounts.rules.ranks import (
    By,
)
from controller.base.errors import Conflict, Refused


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
            raise Refused({"owner": [gettext("The owner is a member of the organization.")]})
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
            gettext("%(organization)s still has %(kinds)s. Delete or move them first.")
            % {"organization": organization, "kinds": ", ".join(kinds)}
        ) from error


def usual_organization(user: User) -> UUID | None:
    """Return the user's first organization, for a superuser without any the portal's first one."""
    mine = next(iter(user.access_by_organization), None)
    if mine is None and user.is_superuser:
        found = Organization.objects.order_by("created", "pk").values_list("pk", flat=True)
        return next(iter(found[:1]), None)
    return mine
