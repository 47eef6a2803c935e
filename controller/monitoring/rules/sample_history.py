"""Samples over time: read for charts, sealed into blocks, and forgotten when they are old."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from controller.monitoring.engine import blocks, vectors
from controller.monitoring.engine.blocks import DAY, FIVE_MINUTES, HOUR
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.points import Points, gather, resolution_for
from controller.monitoring.models import (
    Block,
    Condition,
    MonitoredDevice,
    MonitoredOrganization,
    MonitoredPart,
    Reboot,
    Sample,
)
from controller.monitoring.rules import sample_archive

# A day is sealed some time after it is over, when the last reports of it have arrived.
SEAL_AFTER_SECONDS = 1800
SEALED_AT_ONCE = 200
FORGOTTEN_AT_ONCE = 5000


def now_seconds() -> int:
    return int(timezone.now().timestamp())


def read(
    number: int, layout: Sequence[str], series: Iterable[str], buckets: Buckets
) -> dict[str, Points]:
    """Return the points of these series; those that the device never had are left out."""
    slots = {slot: key for slot, key in enumerate(layout) if key in set(series)}
    if not slots:
        return {}
    now = now_seconds()
    resolution = resolution_for(
        buckets,
        now - settings.MUSTER_METRICS_FINE_DAYS * DAY,
        now - settings.MUSTER_METRICS_HOUR_DAYS * DAY,
    )
    found = gather(
        buckets,
        stored_blocks(number, resolution, buckets, slots),
        samples_between(number, buckets.start, buckets.end),
        slots,
    )
    points = {slots[slot]: one for slot, one in found.items()}
    for key, stored_points in sample_archive.read(number, list(points), buckets).items():
        points[key].join(stored_points)
    return points


def stored_blocks(
    number: int, resolution: int, buckets: Buckets, slots: Collection[int]
) -> Iterator[blocks.Block]:
    rows = Block.objects.filter(
        number=number,
        resolution=resolution,
        start__gt=buckets.start - blocks.SPANS[resolution],
        start__lt=buckets.end,
    )
    for start, data in rows.values_list("start", "data"):
        yield blocks.unpack(resolution, start, data, slots)


def samples_between(
    number: int, start: int, end: int
) -> Iterator[tuple[int, dict[int, float]]]:
    rows = Sample.objects.filter(number=number, at__gte=start, at__lt=end)
    for at, data in rows.values_list("at", "values"):
        yield at, vectors.known(data)


def seal(now: int | None = None) -> int:
    """Move the samples of past days into blocks, and return of how many device-days.

    Where a store outside of the portal keeps them, all samples go there.
    """
    if sample_archive.archive() is not None:
        return sample_archive.ship()
    moment = now_seconds() if now is None else now
    end = (moment - SEAL_AFTER_SECONDS) // DAY * DAY
    sealed = 0
    while numbers := due(end):
        for number in numbers:
            sealed += seal_device(number, end)
    return sealed


def due(end: int) -> list[int]:
    rows = Sample.objects.filter(at__lt=end).values_list("number", flat=True)
    return list(rows.order_by("number").distinct()[:SEALED_AT_ONCE])


@transaction.atomic
def seal_device(number: int, end: int) -> int:
    """Move one device's samples before ``end`` into its blocks, and return of how many days.

    All of it is one transaction: a sample is in a row or in a block, and never in both.
    """
    # Held so that two workers never seal the same device at once.
    list(MonitoredDevice.objects.select_for_update().filter(pk=number).values_list("pk"))
    rows = Sample.objects.filter(number=number, at__lt=end).order_by("at")
    days = 0
    found = rows.values_list("at", "values")
    for day, some in groupby(list(found), lambda row: row[0] - row[0] % DAY):
        seal_day(number, day, ((at, vectors.known(data)) for at, data in some))
        days += 1
    rows.order_by().delete()
    return days


def seal_day(number: int, day: int, samples: Iterable[tuple[int, Mapping[int, float]]]) -> None:
    fine = stored(number, FIVE_MINUTES, day)
    for at, values in samples:
        fine.add(at, values)
    rolled = [fine]
    for resolution in (HOUR, DAY):
        coarse = stored(number, resolution, blocks.start_of(resolution, day))
        coarse.take(rolled[-1], day, day + DAY)
        rolled.append(coarse)
    for block in rolled:
        Block.objects.update_or_create(
            number=number,
            resolution=block.resolution,
            start=block.start,
            defaults={"data": blocks.pack(block)},
        )


def stored(number: int, resolution: int, start: int) -> blocks.Block:
    """Return a block as it is stored, or an empty one."""
    data = (
        Block.objects.filter(number=number, resolution=resolution, start=start)
        .values_list("data", flat=True)
        .first()
    )
    if data is None:
        return blocks.Block(resolution, start)
    return blocks.unpack(resolution, start, data)


def forget(now: int | None = None) -> int:
    """Remove what is older than it is kept, and what devices left behind that are gone."""
    moment = now_seconds() if now is None else now
    kept = {
        FIVE_MINUTES: settings.MUSTER_METRICS_FINE_DAYS,
        HOUR: settings.MUSTER_METRICS_HOUR_DAYS,
        DAY: settings.MUSTER_METRICS_DAY_DAYS,
    }
    removed = 0
    for resolution, days in kept.items():
        oldest = moment - days * DAY - blocks.SPANS[resolution]
        old = Block.objects.filter(resolution=resolution, start__lt=oldest)
        removed += old.delete()[0]
    return removed + forget_orphans()


def forget_orphans() -> int:
    """Remove the samples and blocks of devices that were deleted."""
    removed = 0
    for model in (Sample, Block):
        numbers = set(model.objects.values_list("number", flat=True).distinct())
        rows = MonitoredDevice.objects.filter(pk__in=numbers)
        known = set(rows.values_list("pk", flat=True))
        for totals in (MonitoredOrganization, MonitoredPart):
            known |= {one.number for one in totals.objects.all()}
        gone = sorted(numbers - known)[:FORGOTTEN_AT_ONCE]
        removed += model.objects.filter(number__in=gone).delete()[0]
    return removed


def forget_events(days: int) -> int:
    """Remove conditions that were over, and restarts, before so many days; 0 keeps them."""
    if not days:
        return 0
    before = now_seconds() - days * DAY
    removed = Condition.objects.filter(ended__lt=before).delete()[0]
    return removed + Reboot.objects.filter(at__lt=before).delete()[0]


def buckets_between(buckets: Buckets, start: int, end: int) -> range:
    """Return the places of the buckets in which some of the time between these lies."""
    edges = buckets.edges
    first = max(bisect_right(edges, start) - 1, 0)
    return range(first, min(bisect_right(edges, end), len(edges) - 1))
