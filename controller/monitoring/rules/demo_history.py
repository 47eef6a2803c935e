"""A history for devices of a demonstration."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction

from controller.devices.models import Device
from controller.monitoring.engine import vectors
from controller.monitoring.engine.blocks import DAY, HOUR
from controller.monitoring.engine.demo import DemoDevice
from controller.monitoring.engine.metrics import Metric, split_key
from controller.monitoring.models import (
    Block,
    LatestSample,
    MonitoredDevice,
    MonitoredOrganization,
    Reboot,
    Sample,
)
from controller.monitoring.rules import organization_totals, sample_history
from controller.monitoring.rules.ingest import slots_of

DAYS = 14


def invent_history(devices: Iterable[Device], now: int) -> int:
    """Give a history of two weeks to those devices that have none; return how many got one."""
    sums: dict[UUID, dict[int, Counter[str]]] = {}
    count = 0
    for device in devices:
        count += invent(device, now, sums.setdefault(device.organization_id, {}))
    for owner, moments in sums.items():
        invent_totals(owner, moments, now - now % DAY)
    return count


@transaction.atomic
def invent_totals(owner: UUID, moments: dict[int, Counter[str]], today: int) -> None:
    """Add up what was invented of an organization's devices; today goes on by itself."""
    row, _ = MonitoredOrganization.objects.get_or_create(
        organization_id=owner, defaults={"layout": list(organization_totals.SERIES)}
    )
    if has_history(row.number, today):
        return
    for day, some in groupby(sorted(moments), lambda at: at - at % DAY):
        values = [
            (at, {slot: float(moments[at][key]) for slot, key in enumerate(row.layout)})
            for at in some
        ]
        if day < today:
            sample_history.seal_day(row.number, day, values)
        else:
            Sample.objects.bulk_create(
                (
                    Sample(number=row.number, at=at, kind=0, values=vectors.pack(one))
                    for at, one in values
                ),
                ignore_conflicts=True,
            )


def has_history(number: int, now: int) -> bool:
    """Return whether anything was kept before the last hour, in which a demonstration begins."""
    older = Sample.objects.filter(number=number, at__lt=now - HOUR)
    return older.exists() or Block.objects.filter(number=number).exists()


def add(sums: dict[int, Counter[str]], at: int, values: Mapping[str, float]) -> None:
    """Add what a device measured to its organization."""
    found = sums.setdefault(at, Counter())
    found[Metric.DEVICES] += 1
    found[Metric.ONLINE] += int(values[Metric.REACHABLE])
    for key, value in values.items():
        metric, _ = split_key(key)
        if metric in {Metric.RX_BYTES, Metric.TX_BYTES, Metric.WIFI_CLIENTS}:
            found[metric] += value  # type: ignore[assignment]


@transaction.atomic
def invent(device: Device, now: int, sums: dict[int, Counter[str]]) -> bool:
    row, _ = MonitoredDevice.objects.get_or_create(device=device)
    LatestSample.objects.get_or_create(monitored=row)
    latest = LatestSample.objects.select_for_update().get(monitored=row)
    if row.invented_until is not None or has_history(row.pk, now):
        return False
    today = now - now % DAY
    made = DemoDevice(device.name, today - DAYS * DAY, now)
    rest: list[Sample] = []
    for day, some in groupby(made.samples(), lambda one: one[0] - one[0] % DAY):
        by_slot = []
        for at, values in some:
            add(sums, at, values)
            by_slot.append((at, numbered(latest, values)))
        if day < today:
            sample_history.seal_day(row.pk, day, by_slot)
        else:
            rest = [
                Sample(number=row.pk, at=at, kind=Sample.Kind.CHECK, values=vectors.pack(one))
                for at, one in by_slot
            ]
    Sample.objects.bulk_create(rest, ignore_conflicts=True)
    Reboot.objects.bulk_create([Reboot(monitored=row, at=at) for at in made.restarts])
    latest.save(update_fields=["layout"])
    row.invented_until = datetime.fromtimestamp(now, UTC)
    row.save(update_fields=["invented_until"])
    return True


def numbered(latest: LatestSample, values: Any) -> dict[int, float]:
    slots = slots_of(latest, values)
    return {slots[key]: value for key, value in values.items()}
