"""Notification preferences of users, and the defaults of organizations."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from controller.accounts.models import Organization, User
from controller.notifications.engine.kinds import KINDS
from controller.notifications.models import OrganizationPreference, Preference

WAYS = ("web", "email")


def settings_of(organization: Organization) -> OrganizationPreference:
    """Return the organization's defaults; those of the portal are not stored."""
    found = OrganizationPreference.objects.filter(organization=organization).first()
    return found or OrganizationPreference(organization=organization)


def set_defaults(row: OrganizationPreference, **values: Any) -> OrganizationPreference:
    for name, value in values.items():
        setattr(row, name, value)
    row.checked().save()
    return row


def preferences_of(user: User) -> Any:
    """Return the user's preferences, creating rows that are missing."""
    organizations: Iterable[UUID] = list(user.access_by_organization)
    if user.is_superuser:
        organizations = Organization.objects.filter(is_active=True).values_list("pk", flat=True)
    known = set(Preference.objects.filter(user=user).values_list("organization", "kind"))
    wanted = {(None, "")} | {(pk, kind) for pk in organizations for kind in KINDS}
    Preference.objects.bulk_create(
        (Preference(user=user, organization_id=pk, kind=kind) for pk, kind in wanted - known),
        ignore_conflicts=True,
    )
    theirs = Q(organization=None) | Q(organization__in=list(organizations))
    return Preference.objects.filter(theirs, user=user).select_related(
        "organization__notification_settings"
    )


@transaction.atomic
def set_preference(row: Preference, **values: bool | None) -> Preference:
    """Update a preference; the general one is copied to all others."""
    for name, value in values.items():
        setattr(row, name, value)
    if row.organization_id is None:
        others = Preference.objects.filter(user=row.user_id).exclude(pk=row.pk)
        others.update(**dict.fromkeys(values))
    row.checked().save()
    return row


@transaction.atomic
def set_preferences(user: User, organization: Organization, **values: bool | None) -> None:
    """Set the preferences for all kinds of one organization."""
    preferences_of(user)
    Preference.objects.filter(user=user, organization=organization).update(**values)


class PreferenceLookup:
    """Effective preferences of many users, read at once."""

    def __init__(self, users: Iterable[User]) -> None:
        self.own = {
            (row.user_id, row.organization_id, row.kind): row
            for row in Preference.objects.filter(user__in=list(users))
        }
        self.settled = {
            row.organization_id: row for row in OrganizationPreference.objects.all()
        }

    def enabled(self, way: str, user_id: UUID, organization_id: UUID | None, kind: str) -> bool:
        for key in ((user_id, organization_id, kind), (user_id, None, "")):
            own = getattr(self.own.get(key), way, None)
            if own is not None:
                return bool(own)
        settled = self.settled.get(organization_id) if organization_id else None
        return True if settled is None else bool(getattr(settled, way))
