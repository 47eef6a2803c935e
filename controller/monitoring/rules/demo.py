"""A history for devices of a demonstration."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db import transaction

from controller.devices.models import Device
from controller.monitoring.engine import vectors
from controller.monitoring.engine.blocks import DAY
from controller.monitoring.engine.demo import DemoDevice
from controller.monitoring.models import LatestSample, MonitoredDevice, Reboot, Sample
from controller.monitoring.rules import history
from controller.monitoring.rules.ingest import slots_of

DAYS = 14


def invent_history(devices: Iterable[Device], now: int) -> int:
    """Give a history of two weeks to those devices that have none; return how many got one."""
    return sum(invent(device, now) for device in devices)


@transaction.atomic
def invent(device: Device, now: int) -> bool:
    row, is_new = MonitoredDevice.objects.get_or_create(device=device)
    latest, has_none = LatestSample.objects.get_or_create(monitored=row)
    if row.invented_until is not None or not (is_new or has_none):
        return False
    today = now - now % DAY
    made = DemoDevice(device.name, today - DAYS * DAY, now)
    rest: list[Sample] = []
    for day, some in groupby(made.samples(), lambda one: one[0] - one[0] % DAY):
        by_slot = [(at, numbered(latest, values)) for at, values in some]
        if day < today:
            history.seal_day(row.pk, day, by_slot)
        else:
            rest = [
                Sample(number=row.pk, at=at, kind=Sample.Kind.CHECK, values=vectors.pack(one))
                for at, one in by_slot
            ]
    Sample.objects.bulk_create(rest, ignore_conflicts=True)
    Reboot.objects.bulk_create([Reboot(monitored=row, at=at) for at in made.restarts])
    latest.save()
    row.invented_until = datetime.fromtimestamp(now, UTC)
    row.save(update_fields=["invented_until"])
    return True


def numbered(latest: LatestSample, values: Any) -> dict[int, float]:
    slots = slots_of(latest, values)
    return {slots[key]: value for key, value in values.items()}
