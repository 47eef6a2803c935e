"""Totals of organizations, kept as series of their own: fleet charts read no devices."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from controller.accounts.models import User
from controller.monitoring.engine import page_charts, vectors
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.health import late_after
from controller.monitoring.engine.metrics import Metric, series_key, split_key
from controller.monitoring.engine.points import Points
from controller.monitoring.models import LatestSample, MonitoredOrganization, Sample
from controller.monitoring.rules.health import CHECKS_FRESH_SECONDS
from controller.monitoring.rules.history import now_seconds, read

STEP = 300
BATCH = 1000
# By these names an interface is the uplink; of a device that has none of them, the busiest is.
UPLINKS = ("wan", "eth0.2", "eth1")
SERIES = (
    Metric.DEVICES, Metric.ONLINE, Metric.RX_BYTES, Metric.TX_BYTES, Metric.WIFI_CLIENTS,
)  # fmt: skip


def record_totals(now: int | None = None) -> int:
    """Add up the newest values of all devices by organization, and return of how many."""
    moment = now_seconds() if now is None else now
    sums: dict[UUID, Counter[str]] = {}
    rows = LatestSample.objects.filter(
        monitored__device__is_deactivated=False,
        monitored__device__organization__is_active=True,
    ).select_related("monitored__device")
    for row in rows.only(
        "layout", "at", "arrived", "checked_at", "interval", "values",
        "monitored__device__organization",
    ).iterator(BATCH):  # fmt: skip
        owner = row.monitored.device.organization_id
        sums.setdefault(owner, Counter()).update(part_of(row, moment))
    samples = [sample_of(owner, found, moment) for owner, found in sums.items()]
    Sample.objects.bulk_create(samples, ignore_conflicts=True)
    return len(samples)


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


def sample_of(owner: UUID, found: Counter[str], now: int) -> Sample:
    row, _ = MonitoredOrganization.objects.get_or_create(
        organization_id=owner, defaults={"layout": list(SERIES)}
    )
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


def read_totals(rows: Iterable[MonitoredOrganization], buckets: Buckets) -> dict[str, Points]:
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
    points = read_totals(visible_totals(user), buckets)
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
