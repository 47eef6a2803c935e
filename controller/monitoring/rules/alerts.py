"""Notices of conditions: one at their start, one at their end.

Nobody is told in a maintenance window, of a device behind an outage, or of anything else while
a device does not answer at all; what is still wrong afterwards is told then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.utils import timezone

from controller.base.events import Event
from controller.devices.models import Device
from controller.monitoring.engine.metrics import ABOUT, CRITICAL, Metric
from controller.monitoring.models import Condition, Silence
from controller.notifications.rules.notices import record_notices

# The name under which a metric is told; any other is one of "other limits".
NAMES: Mapping[str, str] = {
    Metric.REACHABLE: "ping",
    Metric.DATA_RECEIVED: "data_collected",
    Metric.CPU: "cpu",
    Metric.MEMORY: "memory",
    Metric.DISK: "disk",
}
# While one of these is wrong, the metric is not told; of any other, all that is critical.
LOUDER: Mapping[str, frozenset[Metric]] = {
    Metric.REACHABLE: frozenset(),
    Metric.DATA_RECEIVED: frozenset({Metric.REACHABLE}),
}
LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Due:
    """A condition of which people should be told."""

    device: Device
    condition: Condition


def hold_back(due: Iterable[Due], uplinks: Mapping[UUID, UUID | None]) -> list[Due]:
    """Return those of which people are told now, noting why the others have to wait."""
    due = list(due)
    away = devices_away()
    silences = list(Silence.objects.filter(ends__gt=timezone.now()))
    told = []
    for one in due:
        one.condition.behind_id = outage_before(one.device.pk, uplinks, away)
        if one.condition.behind_id is None and not is_held(one, away, silences):
            told.append(one)
    return told


def devices_away() -> dict[UUID, set[str]]:
    """Return the devices that are away, as far as that is not over, and what tells so."""
    found: dict[UUID, set[str]] = {}
    rows = Condition.objects.filter(ended=None, metric__in=CRITICAL)
    for device, metric in rows.values_list("monitored__device", "metric"):
        found.setdefault(device, set()).add(metric)
    return found


def outage_before(
    device: UUID, uplinks: Mapping[UUID, UUID | None], away: Collection[UUID]
) -> UUID | None:
    """Return the device nearest to the portal that is away, and behind which this one is."""
    found = None
    at = uplinks.get(device)
    for _ in range(LONGEST_CHAIN):
        if at is None or at == device:
            break
        found = at if at in away else found
        at = uplinks.get(at)
    return found


def is_held(
    one: Due, away: Mapping[UUID, Collection[str]], silences: Sequence[Silence]
) -> bool:
    metric, known = one.condition.metric, away.get(one.device.pk, ())
    # That it does not answer says the most, then that it sends nothing.
    if set(known) & set(LOUDER.get(metric, CRITICAL)):
        return True
    now = timezone.now()
    return any(row.covers(one.device, metric, now) for row in silences)


def tell(due: Sequence[Due], behind: Mapping[UUID, int]) -> int:
    """Tell people of these conditions, and return how many notices that made."""
    return record_notices(
        event(one, "problem", because(one.condition, behind.get(one.device.pk, 0)))
        for one in due
    )


def tell_recoveries(over: Sequence[Due]) -> int:
    """Tell that conditions of which people were told are over."""
    return record_notices(
        event(one, "recovery", ABOUT[Metric(one.condition.metric)].title) for one in over
    )


def event(one: Due, status: str, reason: str) -> Event:
    name = NAMES.get(one.condition.metric, "threshold")
    device = one.device
    return Event(
        f"monitoring.{name}",
        "device:read",
        device.organization_id,
        device.pk,
        {"name": device.name, "status": status, "reason": reason},
        device.site_id,
    )


def because(condition: Condition, behind: int) -> str:
    """Return what is wrong, in words for a notice."""
    about = ABOUT[Metric(condition.metric)]
    since = datetime.fromtimestamp(condition.bad_since, UTC)
    value = f", {condition.value:.4g} {about.unit}" if about.unit else ""
    text = f"{condition.text}{value}, since {since:%Y-%m-%d %H:%M} UTC"
    if behind:
        text += f"; {behind} more {'device is' if behind == 1 else 'devices are'} behind it"
    return text
