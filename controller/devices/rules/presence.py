"""Presence of devices: observations, last contact, status events."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from controller.base.database import update_columns
from controller.base.events import Event, event_for, publish_on_commit
from controller.devices.engine import rhythm
from controller.devices.models import (
    Device,
    Presence,
    StatusChange,
)
from controller.notifications.rules.notices import record_notices


@dataclass(frozen=True)
class Observation:
    """Presence of one device as observed by a poll, or by a request of the device at a time."""

    device_id: UUID
    state: str
    reason: str = ""
    at: datetime | None = None


@transaction.atomic
def record_observations(sightings: Iterable[Observation]) -> list[UUID]:
    """Record observed presences in bulk. Returns the ids of devices that came online."""
    found = {sighting.device_id: sighting for sighting in sightings}
    now = timezone.now()
    rows = list(
        Presence.objects.select_for_update(of=("self",))
        .filter(device_id__in=found)
        .order_by("pk")
    )
    changes, arrived = [], []
    for row in rows:
        seen = found[row.device_id]
        if seen.state == Presence.State.ONLINE:
            if seen.at is not None:
                _learn_rhythm(row, seen.at)
            row.last_seen = seen.at or now
        row.reason = seen.reason[:200]
        if row.state != seen.state:
            row.state, row.since = seen.state, now
            changes.append(
                StatusChange(
                    device_id=row.device_id, state=seen.state, reason=row.reason, at=now
                )
            )
            if seen.state == Presence.State.ONLINE:
                arrived.append(row.device_id)
    Presence.objects.bulk_update(
        rows, ["state", "since", "last_seen", "reason", "gaps"], batch_size=500
    )
    StatusChange.objects.bulk_create(changes, batch_size=500)
    publish_status(changes)
    return arrived


def _learn_rhythm(row: Presence, at: datetime) -> None:
    if row.last_seen is not None:
        row.gaps = rhythm.with_gap(row.gaps, (at - row.last_seen).total_seconds())


def publish_status(changes: Sequence[StatusChange]) -> None:
    """Publish presence changes to listeners, and record notices for them."""
    found = {change.device_id: change for change in changes}

    def events() -> Iterator[Event]:
        rows = Device.objects.filter(pk__in=found).only("name", "organization", "site")
        for device in rows:
            change = found[device.pk]
            yield event_for(
                device, "device.status", "device:read",
                name=device.name, status=change.state, reason=change.reason,
            )  # fmt: skip

    if found:
        publish_on_commit(events)
        record_notices(events())


def _is_private(address: str) -> bool:
    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _release(moved: Mapping[UUID, str]) -> None:
    """Clear a private `last_ip` from devices that had it before.

    Within an organization a private address belongs to one device; public addresses are
    shared by
    all devices behind one router.
    """
    owners = dict(Device.objects.filter(pk__in=moved).values_list("pk", "organization"))
    former = Presence.objects.filter(last_ip__in=set(moved.values())).exclude(
        device_id__in=moved
    )
    taken = {(owners.get(pk), address) for pk, address in moved.items()}
    gone = [
        row.pk
        for row in former.select_related("device").only("last_ip", "device__organization")
        if (row.device.organization_id, row.last_ip) in taken
    ]
    Presence.objects.filter(pk__in=gone).update(last_ip=None)


def record_last_seen(seen: Mapping[UUID, tuple[datetime, str]]) -> int:
    """Record time and address of last requests in bulk: device → (time, address).

    Returns the number of devices updated.
    """
    rows = list(Presence.objects.filter(device_id__in=seen))
    moved = {}
    for row in rows:
        if (address := seen[row.device_id][1]) != row.last_ip and _is_private(address):
            moved[row.device_id] = address
        _learn_rhythm(row, seen[row.device_id][0])
        row.last_seen, row.last_ip = seen[row.device_id]
    if moved:
        _release(moved)
    update_columns(rows, "last_seen", "last_ip", "gaps")
    return len(rows)
