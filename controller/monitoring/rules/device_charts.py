"""Charts of one device, for the API and for pages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from controller.devices.models import Device
from controller.monitoring.engine import openwisp_charts as openwisp
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.metrics import ABOUT, Metric, split_key
from controller.monitoring.models import LatestSample, WifiSession
from controller.monitoring.rules import sample_history
from controller.monitoring.rules.health import measured_of
from controller.monitoring.rules.limits import limits_of


def latest_of(device: Device) -> LatestSample | None:
    """Return the newest values of a device; None of one that was never measured."""
    return LatestSample.objects.filter(monitored__device=device).first()


def openwisp_charts(device: Device, buckets: Buckets) -> list[dict[str, Any]]:
    """Return a device's charts in the shape of OpenWISP's API."""
    latest = latest_of(device)
    if latest is None:
        return []
    wanted = openwisp.series_of(latest.layout)
    points = sample_history.read(latest.monitored_id, latest.layout, wanted, buckets)
    return openwisp.in_order([*openwisp.drawn(points), *client_charts([device], buckets)])


def client_charts(devices: Sequence[Device], buckets: Buckets) -> list[dict[str, Any]]:
    """Return a chart of the different Wi-Fi clients in each bucket, for each interface."""
    rows = WifiSession.objects.filter(device__in=devices)
    return [
        clients_chart(openwisp.CLIENTS, name, sets, everybody)
        for name, (sets, everybody) in sorted(
            clients_by(rows, buckets, "interface_name").items()
        )
    ]


def clients_chart(
    chart: openwisp.Chart, label: str, sets: Sequence[set[str]], everybody: set[str]
) -> dict[str, Any]:
    values = [len(some) or None for some in sets]
    summary = {"wifi_clients": len(everybody)}
    return openwisp.described(chart, label, [["wifi_clients", values]], summary)


def clients_by(
    rows: QuerySet[WifiSession], buckets: Buckets, column: str
) -> dict[str, tuple[list[set[str]], set[str]]]:
    """Return the different clients in each bucket and in all, by a column of the sessions."""
    found: dict[str, tuple[list[set[str]], set[str]]] = {}
    in_range = rows.filter(
        Q(stop_time=None) | Q(stop_time__gte=datetime.fromtimestamp(buckets.start, UTC)),
        start_time__lt=datetime.fromtimestamp(buckets.end, UTC),
    ).order_by()
    now = sample_history.now_seconds()
    for name, mac, start, stop in in_range.values_list(
        column, "mac_address", "start_time", "stop_time"
    ):
        if name not in found:
            found[name] = [set() for _ in buckets.edges[:-1]], set()
        sets, everybody = found[name]
        everybody.add(mac)
        end = now if stop is None else int(stop.timestamp())
        for at in sample_history.buckets_between(buckets, int(start.timestamp()), end):
            sets[at].add(mac)
    return found


def metrics_of(device: Device) -> list[dict[str, Any]]:
    """Return each metric of a device by name, and whether its newest value is within its limit.

    That is None of a metric without limit, or whose newest value is too old to tell.
    """
    latest = latest_of(device)
    if latest is None:
        return []
    limits = limits_of(device)
    measured = measured_of(latest, sample_history.now_seconds())
    found: dict[str, dict[str, Any]] = {}
    keys = [*(split_key(key) for key in latest.layout), (Metric.DATA_RECEIVED.value, "")]
    for metric, label in keys:
        about = ABOUT[Metric(metric)]
        name = f"{label} {about.openwisp}" if label else about.openwisp
        limit, value = limits.get(Metric(metric)), measured.get((metric, label))
        judged = limit is not None and limit.enabled and value is not None
        found[name] = {
            "name": name,
            "key": metric,
            "is_healthy": not limit.is_crossed(value[0]) if judged else None,  # type: ignore[union-attr,index]
        }
    return [found[name] for name in sorted(found)]
