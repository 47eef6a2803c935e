"""Device counts of locations."""

from collections import defaultdict
from uuid import UUID

from django.db.models import Count, F, QuerySet

from controller.devices.models import Presence
from geo.models import DeviceLocation, Location

STATES = tuple(Presence.State.values)


def device_counts(
    found: QuerySet[Location] | list[UUID],
) -> defaultdict[UUID, dict[str, int]]:
    """Count devices by location and state in one query."""
    counts: defaultdict[UUID, dict[str, int]] = defaultdict(lambda: dict.fromkeys(STATES, 0))
    at_home = DeviceLocation.objects.filter(
        device__organization_id=F("location__organization_id")
    )
    within = found if isinstance(found, list) else found.order_by().values("pk")
    for location, state, count in (
        at_home.filter(location__in=within)
        .order_by()
        .values_list("location_id", "device__presence__state")
        .annotate(Count("pk"))
    ):
        counts[location][state or Presence.State.UNKNOWN] += count
    return counts
