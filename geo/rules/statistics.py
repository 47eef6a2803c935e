"""Device counts of locations."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Count, F, QuerySet

from controller.devices.models import Presence
from geo.models import DeviceLocation, Location

STATES = tuple(Presence.State.values)


def device_counts(
    found: QuerySet[Location] | list[UUID],
) -> defaultdict[UUID, dict[str, int]]:
    """Count devices by location and state in one query."""
    within = found if isinstance(found, list) else found.order_by().values("pk")
    return as_counts(counted(within))


def counted(locations: Any) -> QuerySet[DeviceLocation, Any]:
    """Return location, state and number of the devices at these locations."""
    at_home = DeviceLocation.objects.filter(
        device__organization_id=F("location__organization_id"), location__in=locations
    )
    found: QuerySet[DeviceLocation, Any] = (
        at_home.order_by()
        .values_list("location_id", "device__presence__state")
        .annotate(Count("pk"))
    )
    return found


def as_counts(
    rows: Iterable[tuple[UUID, str | None, int]],
) -> defaultdict[UUID, dict[str, int]]:
    """Return the number of devices by location and state."""
    counts: defaultdict[UUID, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STATES, 0))
    for location, state, count in rows:
        counts[location][state or Presence.State.UNKNOWN] += count
    return counts
