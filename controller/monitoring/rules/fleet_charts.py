"""Charts of a fleet, site, group or location, from the totals: no device is read."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from controller.accounts.models import Site, User
from controller.base.errors import NotFound, NotPermitted
from controller.devices.models import DeviceGroup
from controller.monitoring.engine import page_charts
from controller.monitoring.engine.buckets import DAY, HOUR, Buckets
from controller.monitoring.engine.metrics import Metric, series_key
from controller.monitoring.engine.points import Points
from controller.monitoring.models import (
    MonitoredOrganization,
    MonitoredPart,
)
from controller.monitoring.rules.organization_totals import STEP, read_totals
from geo.models import Location

LONGEST_COMPARED = DAY + HOUR
PARTS: Mapping[str, type[Any]] = {"site": Site, "group": DeviceGroup, "location": Location}


def visible_totals(user: User) -> list[MonitoredOrganization]:
    """Return the organizations all of whose devices the user may see the measurements of."""
    rows = MonitoredOrganization.objects.visible_to(user, "monitoring:read")
    if user.is_superuser:
        return list(rows)
    access = user.access_by_organization
    return [
        row
        for row in rows
        if row.organization_id in access and access[row.organization_id].covers_every_site
    ]


def fleet(user: User, buckets: Buckets) -> dict[str, Any]:
    """Return the charts of the first page: availability, traffic and clients of the fleet."""
    return compared(visible_totals(user), buckets)


def part(user: User, name: str, pk: UUID, buckets: Buckets) -> dict[str, Any]:
    """Return the charts of a site, group or location, of all of whose devices the user may see.

    Raises NotFound of a part that the user may not see, and NotPermitted where the user may
    see some of its devices alone.
    """
    model: Any = PARTS[name]
    row = model.objects.visible_to(user).filter(pk=pk).first()
    if row is None:
        raise NotFound(gettext("There is no such %(name)s.") % {"name": name})
    place = row.pk if name == "site" else None
    allowed = (
        user.has_perm_in("monitoring:read", row.organization_id, place)
        if place
        else user.has_perm_in_every_site("monitoring:read", row.organization_id)
    )
    if not allowed:
        raise NotPermitted(
            gettext("The totals of all its devices are not for those who see some of them.")
        )
    return compared(list(MonitoredPart.objects.filter(**{name: row})), buckets)


def compared(
    rows: Sequence[MonitoredOrganization | MonitoredPart], buckets: Buckets
) -> dict[str, Any]:
    """Return the charts of some totals; over a day, with the clients of the same day last week."""
    found = drawn(read_totals(rows, buckets), buckets)
    if buckets.end - buckets.start > LONGEST_COMPARED:
        return found
    past = read_totals(rows, buckets.week_before()).get(Metric.WIFI_CLIENTS)
    for chart in found["charts"]:
        if chart["id"] == "clients" and past is not None and not past.is_empty:
            chart["past"] = page_charts.rounded(past.mean)
    return found


def drawn(points: dict[str, Points], buckets: Buckets) -> dict[str, Any]:
    charts = [availability(points), *page_charts.drawn(renamed(points), buckets, {}, "uplinks")]
    return {
        "x": list(buckets.edges[:-1]),
        "end": buckets.end,
        "step": buckets.step,
        "newest": None,
        "interval": STEP,
        "interfaces": [],
        "interface": "",
        "charts": [one for one in charts if one is not None],
        "availability": None,
        "events": [],
    }


def renamed(points: dict[str, Points]) -> dict[str, Points]:
    """Return the series under the names that charts of devices have."""
    found = {
        series_key(metric, "uplinks"): points[metric]
        for metric in (Metric.RX_BYTES, Metric.TX_BYTES)
        if metric in points
    }
    if Metric.WIFI_CLIENTS in points:
        found[Metric.WIFI_CLIENTS] = points[Metric.WIFI_CLIENTS]
    return found


LOWEST_PERCENT = 98


def availability(points: dict[str, Points]) -> dict[str, Any] | None:
    """Return the share of devices that are there; the axis begins near what is usual."""
    if Metric.DEVICES not in points:
        return None
    shares = share(points[Metric.ONLINE].mean, points[Metric.DEVICES].mean)
    known = [one for one in shares if one is not None]
    if not known:
        return None
    return {
        "id": "availability", "title": "Availability", "unit": "%", "kind": "line", "top": 100,
        "bottom": min(LOWEST_PERCENT, int(min(known))), "limit": None,
        "traces": [
            {"name": "Online", "mean": page_charts.rounded(shares), "low": [], "high": []}
        ],
    }  # fmt: skip


def share(parts: Sequence[float | None], wholes: Sequence[float | None]) -> list[float | None]:
    return [
        None if part is None or not whole else 100 * part / whole
        for part, whole in zip(parts, wholes, strict=True)
    ]
