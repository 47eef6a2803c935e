"""Availability of a device, from the pings that it answered."""

from collections.abc import Mapping
from typing import Any

from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.page_charts import rounded
from controller.monitoring.engine.points import Points


def device_availability(points: Mapping[str, Points]) -> dict[str, Any] | None:
    """Return the share of answered pings in each bucket and in all; None without pings."""
    found = points.get(Metric.REACHABLE)
    if found is None or found.is_empty:
        return None
    total = sum(found.count)
    answered = sum(filter(None, found.sums()))
    return {"percent": round(100 * answered / total, 3), "parts": rounded(found.mean)}
