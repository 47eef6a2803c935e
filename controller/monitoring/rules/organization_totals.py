"""Totals of organizations, sites, groups and locations, kept as series of their own."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db.models import F

from controller.monitoring.engine import vectors
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.health import late_after
from controller.monitoring.engine.metrics import Metric, split_key
from controller.monitoring.engine.points import Points
from controller.monitoring.models import (
    LatestSample,
    MonitoredOrganization,
    MonitoredPart,
    Sample,
)
from controller.monitoring.rules.health import CHECKS_FRESH_SECONDS
from controller.monitoring.rules.sample_history import now_seconds, read

# An organization, what of it is added up, and which one.
Whole = tuple[UUID, str, UUID]
STEP = 300
BATCH = 1000
# By these names an interface is the uplink; of a device that has none of them, the busiest is.
UPLINKS = ("wan", "eth0.2", "eth1")
SERIES = (
    Metric.DEVICES, Metric.ONLINE, Metric.RX_BYTES, Metric.TX_BYTES, Metric.WIFI_CLIENTS,
)  # fmt: skip


def record_totals(now: int | None = None) -> int:
    """Add up the newest values of all devices, and return how many totals that made.

    By organization, and by each site, group and location that has devices.
    """
    moment = now_seconds() if now is None else now
    sums: dict[Whole, Counter[str]] = {}
    rows = (
        LatestSample.objects.filter(
            monitored__device__is_deactivated=False,
            monitored__device__organization__is_active=True,
        )
        .select_related("monitored__device")
        .annotate(location=F("monitored__device__place__location"))
    )
    for row in rows.only(
        "layout", "at", "arrived", "checked_at", "interval", "values",
        "monitored__device__organization", "monitored__device__site", "monitored__device__group",
    ).iterator(BATCH):  # fmt: skip
        found = part_of(row, moment)
        for whole in wholes_of(row):
            sums.setdefault(whole, Counter()).update(found)
    samples = [sample_of(whole, total, moment) for whole, total in sums.items()]
    Sample.objects.bulk_create(samples, ignore_conflicts=True)
    return len(samples)


def wholes_of(row: Any) -> Iterator[Whole]:
    """Yield the organization, site, group and location that a device is part of."""
    device = row.monitored.device
    owner = device.organization_id
    yield owner, "organization", owner
    for name, pk in (
        ("site", device.site_id), ("group", device.group_id), ("location", row.location),
    ):  # fmt: skip
        if pk is not None:
            yield owner, name, pk


def part_of(row: LatestSample, now: int) -> dict[str, float]:
    """Return what one device adds to its organization in one step."""
    values = {
        split_key(row.layout[slot]): one
        for slot, one in vectors.known(row.values, wide=True).items()
    }
    is_checked = row.checked_at is not None and now - row.checked_at <= CHECKS_FRESH_SECONDS
    is_fresh = row.arrived is not None and now - row.arrived <= late_after(row.interval)
    answers = is_checked and values.get((Metric.REACHABLE, ""), 0) > 0
    found: dict[str, float] = {Metric.DEVICES: 1, Metric.ONLINE: float(answers or is_fresh)}
    if is_fresh and row.interval:
        uplink = uplink_of(values)
        for metric in (Metric.RX_BYTES, Metric.TX_BYTES):
            found[metric] = values.get((metric, uplink), 0) * STEP / row.interval
        found[Metric.WIFI_CLIENTS] = sum(
            one for (metric, _), one in values.items() if metric == Metric.WIFI_CLIENTS
        )
    return found


def uplink_of(values: dict[tuple[str, str], float]) -> str:
    carried = {
        label: one for (metric, label), one in values.items() if metric == Metric.RX_BYTES
    }
    named = next((name for name in UPLINKS if name in carried), None)
    return named or max(carried, key=lambda label: carried[label], default="")


def total_row(whole: Whole) -> MonitoredOrganization | MonitoredPart:
    """Return the row that totals are kept under, made if needed."""
    owner, name, pk = whole
    new = {"layout": list(SERIES)}
    if name == "organization":
        return MonitoredOrganization.objects.get_or_create(organization_id=pk, defaults=new)[0]
    return MonitoredPart.objects.update_or_create(
        **{f"{name}_id": pk},
        defaults={"organization_id": owner},
        create_defaults={**new, "organization_id": owner},
    )[0]


def sample_of(whole: Whole, found: Counter[str], now: int) -> Sample:
    row = total_row(whole)
    values = {slot: float(found[key]) for slot, key in enumerate(row.layout)}
    return Sample(
        number=row.number, at=now - now % STEP, kind=Sample.Kind.CHECK,
        values=vectors.pack(values),
    )  # fmt: skip


def read_totals(
    rows: Iterable[MonitoredOrganization | MonitoredPart], buckets: Buckets
) -> dict[str, Points]:
    """Return the series of some organizations together."""
    found: dict[str, Points] = {}
    for row in rows:
        for key, points in read(row.number, row.layout, SERIES, buckets).items():
            found[key] = points if key not in found else added(found[key], points)
    return found


def added(one: Points, other: Points) -> Points:
    """Return two series as one whose values are their sums."""
    both = Points.empty(len(one.count))
    for at in range(len(one.count)):
        parts = [
            (p.count[at], p.mean[at], p.low[at], p.high[at])
            for p in (one, other)
            if p.mean[at] is not None
        ]
        if parts:
            count = max(part[0] for part in parts)
            mean, low, high = (sum(part[n] or 0 for part in parts) for n in (1, 2, 3))
            both.add(at, count, mean, low, high)
    return both
