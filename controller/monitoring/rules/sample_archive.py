"""Samples in an external store, for fleets that outgrow the portal's database."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from controller.base.errors import Unreachable
from controller.monitoring.drivers.prometheus import Prometheus
from controller.monitoring.engine import vectors
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.points import Points
from controller.monitoring.engine.storage import Archive, ArchiveUnavailable, Source
from controller.monitoring.engine.storage import Sample as Stored
from controller.monitoring.models import (
    LatestSample,
    MonitoredOrganization,
    MonitoredPart,
    Sample,
)
from controller.monitoring.models.parts import FIRST

SHIPPED_AT_ONCE = 2000
AWAY = "The metrics store does not answer. What is measured meanwhile is kept by the portal."


def archive() -> Archive | None:
    """Return the store that the settings name; None where the database keeps everything."""
    url = settings.MUSTER_METRICS_URL
    return Prometheus(url) if url else None


def read(number: int, series: Sequence[str], buckets: Buckets) -> dict[str, Points]:
    """Return what the store holds of these series; raises Unreachable where it is away."""
    store = archive()
    if store is None:
        return {}
    try:
        return store.read(number, series, buckets)
    except ArchiveUnavailable as error:
        raise Unreachable(AWAY) from error


def ship() -> int:
    """Move all samples into the store, and return how many; none where it does not answer.

    A sample is removed after the store has taken it. One that was sent before a worker was
    lost is sent again, and the store keeps it once.
    """
    store = archive()
    shipped = 0
    while store is not None:
        rows = list(Sample.objects.order_by("at")[:SHIPPED_AT_ONCE])
        if not rows:
            break
        try:
            store.store(list(stored(rows)))
        except ArchiveUnavailable:
            break
        remove(rows)
        shipped += len(rows)
    return shipped


@transaction.atomic
def remove(rows: Sequence[Sample]) -> None:
    for number in {row.number for row in rows}:
        moments = [row.at for row in rows if row.number == number]
        Sample.objects.filter(
            number=number, at__gte=min(moments), at__lte=max(moments), at__in=moments
        ).delete()


def stored(rows: Sequence[Sample]) -> list[Stored]:
    """Return rows as what an archive keeps; those of deleted devices are left out."""
    numbers = {row.number for row in rows}
    sources, layouts = {}, {}
    for latest in LatestSample.objects.filter(monitored__in=numbers).select_related(
        "monitored__device"
    ):
        device = latest.monitored.device
        owner = str(device.organization_id)
        sources[latest.pk] = Source(latest.pk, str(device.pk), owner)
        layouts[latest.pk] = latest.layout
    organizations = MonitoredOrganization.objects.filter(pk__in=[-one for one in numbers])
    parts = MonitoredPart.objects.filter(pk__in=[-one - FIRST for one in numbers])
    for total in (*organizations, *parts):
        sources[total.number] = Source(total.number, "", str(total.organization_id))
        layouts[total.number] = total.layout
    return [
        Stored(
            sources[row.number],
            row.at,
            {layouts[row.number][slot]: one for slot, one in vectors.known(row.values).items()},
        )
        for row in rows
        if row.number in sources
    ]
