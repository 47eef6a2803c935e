"""Totals of organizations, kept as series of their own: fleet charts read no devices."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext

from controller.accounts.models import Site, User
from controller.base.errors import NotFound, NotPermitted
from controller.devices.models import DeviceGroup
from controller.monitoring.engine import page_charts, vectors
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.health import late_after
from controller.monitoring.engine.metrics import Metric, series_key, split_key
from controller.monitoring.engine.points import Points
from controller.monitoring.models import (
    LatestSample,
    MonitoredOrganization,
    MonitoredPart,
    Sample,
)
from controller.monitoring.rules.health import CHECKS_FRESH_SECONDS
from controller.monitoring.rules.sample_history import now_seconds, read
from geo.models import Location

# An organization, what of it is added up, and which one.
Whole = tuple[UUID, str, UUID]
PARTS: Mapping[str, type[Any]] = {"site": Site, "group": DeviceGroup, "location": Location}
STEP = 300
BATCH = 1000
# By these names an interface is the uplink; of a device that has none of them, the busiest is.
UPLINKS = ("wan", "eth0.2", "eth1")
SERIES = (
    Metric.DEVICES, Metric.ONLINE, Metric.RX_BYTES, Metric.TX_BYTES, Metric.WIFI_CLIENTS,
)  # fmt: skip


def record_totals(now: int | None = None) -> int:
    """Add up the newest values of all devices, and return how many totals that made.

    By organization, and by each site, group and location that has devices.
    """
    moment = now_seconds() if now is None else now
    sums: dict[Whole, Counter[str]] = {}
    rows = (
        LatestSample.objects.filter(
            monitored__device__is_deactivated=False,
            monitored__device__organization__is_active=True,
        )
        .select_related("monitored__device")
        .annotate(location=F("monitored__device__place__location"))
    )
    for row in rows.only(
        "layout", "at", "arrived", "checked_at", "interval", "values",
        "monitored__device__organization", "monitored__device__site", "monitored__device__group",
    ).iterator(BATCH):  # fmt: skip
        found = part_of(row, moment)
        for whole in wholes_of(row):
            sums.setdefault(whole, Counter()).update(found)
    samples = [sample_of(whole, total, moment) for whole, total in sums.items()]
    Sample.objects.bulk_create(samples, ignore_conflicts=True)
    return len(samples)


def wholes_of(row: Any) -> Iterator[Whole]:
    """Yield the organization, site, group and location that a device is part of."""
    device = row.monitored.device
    owner = device.organization_id
    yield owner, "organization", owner
    for name, pk in (
        ("site", device.site_id), ("group", device.group_id), ("location", row.location),
    ):  # fmt: skip
        if pk is not None:
            yield owner, name, pk


def part_of(row: LatestSample, now: int) -> dict[str, float]:
    """Return what one device adds to its organization in one step."""
    values = {
        split_key(row.layout[slot]): one
        for slot, one in vectors.known(row.values, wide=True).items()
    }
    is_checked = row.checked_at is not None and now - row.checked_at <= CHECKS_FRESH_SECONDS
    is_fresh = row.arrived is not None and now - row.arrived <= late_after(row.interval)
    answers = is_checked and values.get((Metric.REACHABLE, ""), 0) > 0
    found: dict[str, float] = {Metric.DEVICES: 1, Metric.ONLINE: float(answers or is_fresh)}
    if is_fresh and row.interval:
        uplink = uplink_of(values)
        for metric in (Metric.RX_BYTES, Metric.TX_BYTES):
            found[metric] = values.get((metric, uplink), 0) * STEP / row.interval
        found[Metric.WIFI_CLIENTS] = sum(
            one for (metric, _), one in values.items() if metric == Metric.WIFI_CLIENTS
        )
    return found


def uplink_of(values: dict[tuple[str, str], float]) -> str:
    carried = {
        label: one for (metric, label), one in values.items() if metric == Metric.RX_BYTES
    }
    named = next((name for name in UPLINKS if name in carried), None)
    return named or max(carried, key=lambda label: carried[label], default="")


def total_row(whole: Whole) -> MonitoredOrganization | MonitoredPart:
    """Return the row that totals are kept under, made if needed."""
    owner, name, pk = whole
    new = {"layout": list(SERIES)}
    if name == "organization":
        return MonitoredOrganization.objects.get_or_create(organization_id=pk, defaults=new)[0]
    return MonitoredPart.objects.update_or_create(
        **{f"{name}_id": pk},
        defaults={"organization_id": owner},
        create_defaults={**new, "organization_id": owner},
    )[0]


def sample_of(whole: Whole, found: Counter[str], now: int) -> Sample:
    row = total_row(whole)
    values = {slot: float(found[key]) for slot, key in enumerate(row.layout)}
    return Sample(
        number=row.number, at=now - now % STEP, kind=Sample.Kind.CHECK,
        values=vectors.pack(values),
    )  # fmt: skip


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


def read_totals(
    rows: Iterable[MonitoredOrganization | MonitoredPart], buckets: Buckets
) -> dict[str, Points]:
    """Return the series of some organizations together."""
    found: dict[str, Points] = {}
    for row in rows:
        for key, points in read(row.number, row.layout, SERIES, buckets).items():
            found[key] = points if key not in found else added(found[key], points)
    return found


def added(one: Points, other: Points) -> Points:
    """Return two series as one whose values are their sums."""
    both = Points.empty(len(one.count))
    for at in range(len(one.count)):
        parts = [
            (p.count[at], p.mean[at], p.low[at], p.high[at])
            for p in (one, other)
            if p.mean[at] is not None
        ]
        if parts:
            count = max(part[0] for part in parts)
            mean, low, high = (sum(part[n] or 0 for part in parts) for n in (1, 2, 3))
            both.add(at, count, mean, low, high)
    return both


def fleet(user: User, buckets: Buckets) -> dict[str, Any]:
    """Return the charts of the first page: availability, traffic and clients of the fleet."""
    return drawn(read_totals(visible_totals(user), buckets), buckets)


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
    rows = MonitoredPart.objects.filter(**{name: row})
    return drawn(read_totals(rows, buckets), buckets)


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
