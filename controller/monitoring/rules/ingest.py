"""Ingestion of reports: values into samples, counters into increments, clients into sessions.

All reports that came within a moment are one transaction. Only a report that is newer than the
newest one moves what is shown and judged; a late one is history alone.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from uuid import UUID

import orjson
from django.db import transaction

from controller.devices.models import Device
from controller.monitoring.engine import vectors
from controller.monitoring.engine.counters import USUAL_SPEED, Moment, has_rebooted, increment
from controller.monitoring.engine.health import interval_after
from controller.monitoring.engine.metrics import ACTIVE, CHECKED, MOST_SERIES, split_key
from controller.monitoring.models import (
    LatestSample,
    MonitoredDevice,
    Reboot,
    Sample,
    Snapshot,
)
from controller.monitoring.rules import wifi_sessions
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.bulk_insert import upsert

MINUTE, DAY = 60, 86_400
# How far a device's clock is believed.
OLDEST_SECONDS, FUTURE_SECONDS = 30 * DAY, 10 * MINUTE
FASTEST = 1  # deflate: the body is stored with each report, and read seldom
REPORT, PINGS = "report", "pings"
WRONG_CLOCK = "The clock of the device is wrong, so its reports get the time of their arrival."


def believed(told: int | None, now: int) -> tuple[int, bool]:
    """Return when a report was made, and whether the device's clock was believed."""
    if told is None:
        return now, True
    if now - OLDEST_SECONDS <= told <= now + FUTURE_SECONDS:
        return told, True
    return now, False


@transaction.atomic
def ingest(arrivals: Sequence[Arrival]) -> set[UUID]:
    """Keep these reports, and return the devices that are in service, of which they were kept.

    What is sent twice is kept once.
    """
    rows = latest_rows({one.device for one in arrivals})
    samples: list[Sample] = []
    reboots: list[Reboot] = []
    newest: dict[UUID, Arrival] = {}
    previous: dict[UUID, int] = {}
    for arrival in sorted(arrivals, key=lambda one: one.at):
        row = rows.get(arrival.device)
        if row is None:
            continue
        before = row.at
        samples.append(sample_of(row, arrival, reboots))
        if row.at != before:
            newest[arrival.device] = arrival
            previous |= {} if before is None else {arrival.device: before}
    save_samples(samples)
    Reboot.objects.bulk_create(reboots, ignore_conflicts=True)
    save_latest(rows.values())
    save_snapshots(rows, newest.values())
    wifi_sessions.follow(newest.values(), previous)
    return set(rows)


def latest_rows(devices: set[UUID]) -> dict[UUID, LatestSample]:
    """Return the newest values of those devices that are in service, locked, made if needed."""
    in_service = Device.objects.filter(
        pk__in=devices, is_deactivated=False, organization__is_active=True
    )
    ids = set(in_service.values_list("pk", flat=True))
    rows = locked_rows(ids)
    if missing := ids - rows.keys():
        MonitoredDevice.objects.bulk_create(
            [MonitoredDevice(device_id=pk) for pk in missing], ignore_conflicts=True
        )
        made = MonitoredDevice.objects.filter(device__in=missing).values_list("pk", flat=True)
        LatestSample.objects.bulk_create(
            [LatestSample(monitored_id=pk) for pk in made], ignore_conflicts=True
        )
        rows = locked_rows(ids)
    return rows


def locked_rows(devices: set[UUID]) -> dict[UUID, LatestSample]:
    found = (
        LatestSample.objects.select_related("monitored")
        .select_for_update(of=("self",))
        .filter(monitored__device__in=devices)
        .order_by("pk")
    )
    return {row.monitored.device_id: row for row in found}


def sample_of(row: LatestSample, arrival: Arrival, reboots: list[Reboot]) -> Sample:
    """Return the sample of a report, and bring the row of newest values up to date with it."""
    slots = slots_of(row, [*arrival.report.values, *arrival.report.counters])
    values = {slots[key]: one for key, one in arrival.report.values.items() if key in slots}
    if arrival.kind == Sample.Kind.REPORT:
        if row.at is None or arrival.at > row.at:
            values |= increments(row, arrival, slots, reboots)
            move(row, arrival)
            remember(row, values)
    else:
        if arrival.kind == Sample.Kind.CHECK:
            row.checked_at = max(row.checked_at or 0, arrival.at)
        remember(row, values)
    return Sample(
        number=row.monitored_id, at=arrival.at, kind=arrival.kind, values=vectors.pack(values)
    )


def slots_of(row: LatestSample, keys: Iterable[str]) -> dict[str, int]:
    """Return the slot of each of these series, giving new ones the next that are free."""
    slots = {key: slot for slot, key in enumerate(row.layout)}
    for key in keys:
        if key not in slots and len(row.layout) < MOST_SERIES:
            slots[key] = len(row.layout)
            row.layout.append(key)
    return slots


def increments(
    row: LatestSample, arrival: Arrival, slots: Mapping[str, int], reboots: list[Reboot]
) -> dict[int, float]:
    """Return by how much each counter grew since the newest report before this one."""
    report = arrival.report
    before, now = Moment(row.at or 0, row.uptime), Moment(arrival.at, report.uptime)
    if row.at is not None and has_rebooted(before, now):
        at = int(arrival.at - (report.uptime or 0))
        reboots.append(Reboot(monitored_id=row.monitored_id, at=at))
    counters = vectors.known(row.counters, wide=True)
    grown = {}
    for key, new in report.counters.items():
        if (slot := slots.get(key)) is None:
            continue
        speed = report.speeds.get(split_key(key)[1], USUAL_SPEED)
        more = increment(counters.get(slot), new, before=before, now=now, speed=speed)
        if more is not None:
            grown[slot] = more
        counters[slot] = new
    row.counters = vectors.pack(counters, wide=True)
    return grown


def move(row: LatestSample, arrival: Arrival) -> None:
    if row.at is not None:
        row.interval = interval_after(row.interval, arrival.at - row.at)
    row.at, row.arrived = arrival.at, arrival.arrived
    row.uptime, row.complaints = arrival.report.uptime, arrival.report.complaints


def remember(row: LatestSample, values: Mapping[int, float]) -> None:
    """Put these into the newest values. What a newer report no longer tells is gone.

    Values of reports, of pings, and of each other check do not replace each other.
    """
    told = {origin_of(row.layout[slot]) for slot in values} or {REPORT}
    kept = {
        slot: one
        for slot, one in vectors.known(row.values, wide=True).items()
        if slot not in values and origin_of(row.layout[slot]) not in told
    }
    row.values = vectors.pack(kept | dict(values), wide=True)


@lru_cache(maxsize=65_536)
def origin_of(key: str) -> str:
    """Return what tells a series: reports, pings, or the check of this name."""
    metric, label = split_key(key)
    if metric in ACTIVE:
        return f"check {label}"
    return PINGS if metric in CHECKED else REPORT


SAMPLE = ("number", "at", "kind", "values")
LATEST = (
    "layout", "at", "arrived", "checked_at", "interval", "uptime", "values", "counters",
    "complaints",
)  # fmt: skip
SNAPSHOT = ("at", "body")


def save_samples(samples: Iterable[Sample]) -> None:
    """Keep samples; one that is there already stays as it is."""
    rows = [(one.number, one.at, int(one.kind), one.values) for one in samples]
    upsert(Sample, SAMPLE, rows, unique=SAMPLE[:3])


def save_latest(rows: Iterable[LatestSample]) -> None:
    upsert(
        LatestSample,
        ("monitored_id", *LATEST),
        [
            (
                row.monitored_id, json_text(row.layout), row.at, row.arrived, row.checked_at,
                row.interval, row.uptime, bytes(row.values), bytes(row.counters),
                json_text(row.complaints),
            )
            for row in rows
        ],
        unique=["monitored_id"],
        update=LATEST,
    )  # fmt: skip


def json_text(value: list[str]) -> str:
    return orjson.dumps(value).decode()


def save_snapshots(rows: Mapping[UUID, LatestSample], newest: Iterable[Arrival]) -> None:
    found = [
        (rows[one.device].monitored_id, one.at, zlib.compress(one.body, FASTEST))
        for one in newest
        if one.body
    ]
    upsert(
        Snapshot, ("monitored_id", *SNAPSHOT), found, unique=["monitored_id"], update=SNAPSHOT
    )
