"""Newest values of devices in the exposition format of Prometheus."""

from collections.abc import Iterator
from typing import Any

from controller.accounts.models import User
from controller.monitoring.engine import vectors
from controller.monitoring.engine.exposition import Exposed
from controller.monitoring.engine.metrics import Metric, series_key
from controller.monitoring.models import LatestSample, MonitoredDevice
from controller.monitoring.rules.health import fresh_slots
from controller.monitoring.rules.sample_history import now_seconds

BATCH = 1000


def exposed(user: User, **only: Any) -> Iterator[Exposed]:
    """Yield the devices that the user may see the measurements of; outdated values are left out."""
    now = now_seconds()
    rows = (
        MonitoredDevice.objects.visible_to(user, "monitoring:read")
        .filter(device__is_deactivated=False, device__organization__is_active=True, **only)
        .select_related("device__organization", "device__site", "latest")
        .prefetch_related("runs__parent")
        .order_by("pk")
    )
    for row in rows.iterator(BATCH):
        device = row.device
        latest = getattr(row, "latest", None)
        labels = {
            "device": str(device.pk), "name": device.name,
            "organization": device.organization.slug,
            "site": device.site.slug if device.site else "",
        }  # fmt: skip
        values = {} if latest is None else newest(latest, now)
        for run in row.runs.all():
            if run.is_good is not None:
                values[series_key(Metric.CHECK, run.parent.name)] = float(run.is_good)
        yield Exposed(labels, row.health, values, None if latest is None else latest.at)


def newest(latest: LatestSample, now: int) -> dict[str, float]:
    """Return the values of a device that are not outdated, by series."""
    fresh = fresh_slots(latest, now)
    values = vectors.known(latest.values, wide=True)
    return {latest.layout[slot]: one for slot, one in values.items() if slot in fresh}
