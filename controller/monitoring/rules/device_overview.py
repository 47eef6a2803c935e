"""Overview of a device over time: charts, availability and events."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext

from controller.configs.models import Push, RolloutDevice
from controller.devices.models import Device, Presence, StatusChange
from controller.monitoring.engine import page_charts
from controller.monitoring.engine.availability import device_availability
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.models import Condition, Reboot
from controller.monitoring.rules import sample_history
from controller.monitoring.rules.device_charts import latest_of
from controller.monitoring.rules.limits import limits_of

MOST_EVENTS = 100
# What upper apps mark in charts: a device, from and to in seconds → kind, at and text.
Events = Callable[[Device, int, int], Iterable[dict[str, Any]]]
EVENTS: list[Events] = []


def register_events(build: Events) -> None:
    """Have more marked in charts; registering twice is once."""
    if build not in EVENTS:
        EVENTS.append(build)


def overview(device: Device, buckets: Buckets, interface: str = "") -> dict[str, Any]:
    """Return all charts of a device's page in one answer; traffic is that of one interface."""
    latest = latest_of(device)
    found: dict[str, Any] = {
        "x": list(buckets.edges[:-1]),
        "end": buckets.end,
        "step": buckets.step,
        "newest": latest.at if latest else None,
        "interval": latest.interval if latest else 0,
        "interfaces": [],
        "interface": "",
        "charts": [],
        "availability": None,
        "events": events(device, buckets),
    }
    if latest is None:
        return found
    wanted = page_charts.series_of(latest.layout)
    points = sample_history.read(latest.monitored_id, latest.layout, wanted, buckets)
    interfaces = page_charts.interfaces_of(points)
    chosen = interface if interface in interfaces else next(iter(interfaces), "")
    return found | {
        "interfaces": interfaces,
        "interface": chosen,
        "charts": page_charts.drawn(points, buckets, limits_of(device), chosen),
        "availability": device_availability(points),
    }


def events(device: Device, buckets: Buckets) -> list[dict[str, Any]]:
    """Return what happened to a device in a range of time, in order."""
    found = [
        *pushes(device, buckets),
        *reboots(device, buckets),
        *outages(device, buckets),
        *alerts(device, buckets),
        *rollouts(device, buckets),
        *(one for more in EVENTS for one in more(device, buckets.start, buckets.end)),
    ]
    return sorted(found, key=lambda one: one["at"])[-MOST_EVENTS:]


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def pushes(device: Device, buckets: Buckets) -> list[dict[str, Any]]:
    rows = Push.objects.filter(
        config__device=device, ended__gte=moment(buckets.start), ended__lt=moment(buckets.end)
    )[:MOST_EVENTS]
    return [
        {
            "kind": "push",
            "at": int(row.ended.timestamp()),
            "text": f"Configuration push: {row.get_state_display().lower()}",
        }
        for row in rows
        if row.ended is not None
    ]


def rollouts(device: Device, buckets: Buckets) -> list[dict[str, Any]]:
    """Return when rollouts of templates reached the device."""
    rows = RolloutDevice.objects.filter(
        config__device=device,
        released__gte=moment(buckets.start),
        released__lt=moment(buckets.end),
    ).select_related("rollout__template")
    return [
        {
            "kind": "rollout",
            "at": int(row.released.timestamp()),
            "text": gettext("Rollout of %(name)s") % {"name": row.rollout.template.name},
        }
        for row in rows[:MOST_EVENTS]
        if row.released is not None
    ]


def reboots(device: Device, buckets: Buckets) -> list[dict[str, Any]]:
    rows = Reboot.objects.filter(
        monitored__device=device, at__gte=buckets.start, at__lt=buckets.end
    )
    return [
        {"kind": "reboot", "at": at, "text": "Restarted"}
        for at in rows.values_list("at", flat=True)[:MOST_EVENTS]
    ]


def outages(device: Device, buckets: Buckets) -> list[dict[str, Any]]:
    """Return when the device was offline, from its going to its coming back."""
    rows = list(
        StatusChange.objects.filter(device=device, at__lt=moment(buckets.end)).order_by("-at")[
            : 2 * MOST_EVENTS
        ]
    )
    found, end = [], buckets.end
    for row in rows:
        at = int(row.at.timestamp())
        if row.state == Presence.State.OFFLINE and end > buckets.start:
            began = max(at, buckets.start)
            text = f"Offline: {row.reason}" if row.reason else "Offline"
            found.append({"kind": "outage", "at": began, "until": end, "text": text})
        if at <= buckets.start:
            break
        end = at
    return found


def alerts(device: Device, buckets: Buckets) -> list[dict[str, Any]]:
    rows = Condition.objects.filter(
        Q(ended=None) | Q(ended__gte=buckets.start),
        monitored__device=device,
        told_at__isnull=False,
        bad_since__lt=buckets.end,
    )
    return [
        {
            "kind": "alert",
            "at": max(row.bad_since, buckets.start),
            "until": row.ended or buckets.end,
            "text": row.text,
        }
        for row in rows[:MOST_EVENTS]
    ]
