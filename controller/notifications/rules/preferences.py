"""Notification preferences and mutes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from controller.accounts.models import Organization, OrganizationScoped, User
from controller.base.errors import NotFound
from controller.notifications.engine.kinds import KINDS
from controller.notifications.models import Mute, OrganizationPreference, Preference

# OpenWISP's model labels that differ from ours.
NOT_FOUND = {"config.device": "devices.device", "config.devicegroup": "devices.devicegroup",
             "config.template": "configs.template", "django_x509.cert": "pki.cert",
             "django_x509.ca": "pki.ca"}  # fmt: skip
WAYS = ("web", "email")


def settings_of(organization: Organization) -> OrganizationPreference:
    found, _ = OrganizationPreference.objects.get_or_create(organization=organization)
    return found


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


def target(app: str, model: str, object_id: str, *, seen_by: User) -> OrganizationScoped:
    """Return the row to mute; raise NotFound unless it is visible to the user."""
    label = NOT_FOUND.get(f"{app}.{model}".lower(), f"{app}.{model}".lower())
    row: OrganizationScoped | None = None
    found: Any = None
    try:
        pk = UUID(object_id)
        found = apps.get_model(label)
    except (LookupError, ValueError):
        pass
    if found is not None and issubclass(found, OrganizationScoped):
        row = found.objects.visible_to(seen_by).filter(pk=pk).first()
    if row is None:
        raise NotFound("There is nothing of this kind with this id.")
    return row


def mute(user: User, row: Any, *, until: datetime | None = None) -> Mute:
    """Mute a row for this user, permanently or until a time."""
    found, _ = Mute.objects.update_or_create(
        user=user,
        object_type=row._meta.label_lower,
        object_id=str(row.pk),
        defaults={"valid_till": until, "object_name": str(row)[:200]},
    )
    return found


def muted(user: User, row: Any) -> Mute:
    found: Mute | None = Mute.objects.filter(
        user=user, object_type=row._meta.label_lower, object_id=str(row.pk)
    ).first()
    if found is None or found.is_over:
        raise NotFound("You are told of this.")
    return found


def unmute(row: Mute) -> None:
    row.delete()


def all_muted(users: Iterable[User], object_ids: Iterable[str]) -> set[tuple[UUID, str, str]]:
    now = timezone.now()
    rows = Mute.objects.filter(
        Q(valid_till=None) | Q(valid_till__gt=now),
        user__in=list(users),
        object_id__in=list(object_ids),
    )
    return set(rows.values_list("user_id", "object_type", "object_id"))
