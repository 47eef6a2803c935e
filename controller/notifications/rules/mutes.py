"""Mutes: objects of which a user is not notified."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import OrganizationScoped, User
from controller.base.errors import NotFound
from controller.notifications.models import Mute

# OpenWISP's model labels that differ from ours.
NOT_FOUND = {"config.device": "devices.device", "config.devicegroup": "devices.devicegroup",
             "config.template": "configs.template", "django_x509.cert": "pki.cert",
             "django_x509.ca": "pki.ca"}  # fmt: skip


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
        raise NotFound(gettext("There is nothing of this kind with this id."))
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
        raise NotFound(gettext("You are told of this."))
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
