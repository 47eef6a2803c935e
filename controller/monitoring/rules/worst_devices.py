"""The devices with the lowest availability, or the highest loss, memory or traffic."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from heapq import nlargest
from uuid import UUID

from django.core.cache import cache
from django.db.models import QuerySet
from django.utils import timezone

from controller.accounts.models import User
from controller.devices.models import Device, Presence, StatusChange
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.models import LatestSample
from controller.monitoring.rules.health import measured_of
from controller.monitoring.rules.organization_totals import uplink_of
from controller.monitoring.rules.sample_history import now_seconds

ROWS = 10
SPAN = timedelta(hours=24)
# Each person's list is worked out once in so many seconds.
KEPT_SECONDS = 60
BATCH = 1000

Measured = Mapping[tuple[str, str], tuple[float, int]]


class Ranking(StrEnum):
    AVAILABILITY = "availability"
    LOSS = "loss"
    MEMORY = "memory"
    TRAFFIC = "traffic"


def worst_devices(user: User, ranking: Ranking) -> list[tuple[Device, float]]:
    """Return the devices at the end of a ranking, the worst first, with their values.

    Availability is the percentage of the last 24 hours in which a device was online; the others
    are newest values that are not outdated, traffic that of the uplink in bit/s. Devices of
    which nothing is known, or nothing is wrong, are left out.
    """
    rows = Device.objects.visible_to(user, "monitoring:read").filter(is_deactivated=False)
    name = f"worst-devices:{ranking}:{user.pk}"
    found: list[tuple[UUID, float]] | None = cache.get(name)
    if found is None:
        found = ranked(rows, ranking)
        cache.set(name, found, KEPT_SECONDS)
    devices = rows.select_related("organization", "monitoring", "presence").in_bulk(
        [pk for pk, _ in found]
    )
    return [(devices[pk], value) for pk, value in found if pk in devices]


def ranked(rows: QuerySet[Device], ranking: Ranking) -> list[tuple[UUID, float]]:
    if ranking == Ranking.AVAILABILITY:
        shares = availability_of(rows, timezone.now())
        order = nlargest(ROWS, shares.items(), key=lambda one: (-one[1], str(one[0])))
        return [(pk, share) for pk, share in order if share < 100]  # noqa: PLR2004 - per cent
    values = values_of(rows, VALUES[ranking])
    return nlargest(ROWS, values, key=lambda one: (one[1], str(one[0])))


def availability_of(rows: QuerySet[Device], now: datetime) -> dict[UUID, float]:
    """Return the percentage of the last 24 hours in which each device was online.

    Of a device that was added since, the time from its first change of state counts. Devices that
    were online all the time are left out.
    """
    since = now - SPAN
    changes: dict[UUID, list[tuple[datetime, str]]] = {}
    told = StatusChange.objects.filter(device__in=rows, at__gt=since, at__lte=now)
    for device, at, state in told.order_by("at").values_list("device", "at", "state"):
        changes.setdefault(device, []).append((at, state))
    away = Presence.objects.filter(
        device__in=rows, state=Presence.State.OFFLINE, since__lte=since
    ).values_list("device", flat=True)
    found = dict.fromkeys(away, 0.0)
    added = set(rows.filter(created__gt=since).values_list("pk", flat=True))
    for device, some in changes.items():
        start = some[0][0] if device in added else since
        found[device] = share_online(some, start, now)
    return found


def share_online(
    changes: Iterable[tuple[datetime, str]], since: datetime, until: datetime
) -> float:
    """Return the percentage of a time that was spent online.

    Before its first change a device was in the other state. Time in which it was unknown does
    not count.
    """
    spent = {True: timedelta(), False: timedelta()}
    at, online = since, None
    for moment, state in changes:
        is_online = state == Presence.State.ONLINE
        spent[not is_online if online is None else online] += moment - at
        at, online = moment, is_online
    spent[bool(online)] += until - at
    return 100 * (spent[True] / (until - since)) if until > since else 100.0


def values_of(
    rows: QuerySet[Device], value: Callable[[Measured, float], float | None]
) -> Iterable[tuple[UUID, float]]:
    now = now_seconds()
    latest = LatestSample.objects.filter(monitored__device__in=rows).select_related("monitored")
    fields = (
        "layout",
        "at",
        "arrived",
        "checked_at",
        "interval",
        "values",
        "monitored__device",
    )
    for row in latest.only(*fields).iterator(BATCH):
        found = value(measured_of(row, now), row.interval)
        if found:
            yield row.monitored.device_id, found


def of(metric: Metric) -> Callable[[Measured, float], float | None]:
    return lambda measured, _: measured.get((metric, ""), (None, 0))[0]


def uplink_traffic(measured: Measured, interval: float) -> float | None:
    """Return what the uplink receives and sends, in bit/s."""
    carried = {key: value for key, (value, _) in measured.items()}
    uplink = uplink_of(carried)
    total = sum(carried.get((one, uplink), 0) for one in (Metric.RX_BYTES, Metric.TX_BYTES))
    return 8 * total / interval if interval else None


VALUES: Mapping[Ranking, Callable[[Measured, float], float | None]] = {
    Ranking.LOSS: of(Metric.LOSS),
    Ranking.MEMORY: of(Metric.MEMORY),
    Ranking.TRAFFIC: uplink_traffic,
}
