"""Charts of a whole network in the shape of OpenWISP's API."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from controller.accounts.models import Organization
from controller.devices.models import Device
from controller.monitoring.engine import openwisp_charts as openwisp
from controller.monitoring.engine.buckets import Buckets
from controller.monitoring.engine.metrics import Metric, series_key, split_key
from controller.monitoring.engine.points import Points
from controller.monitoring.models import LatestSample, MonitoredOrganization, WifiSession
from controller.monitoring.rules import device_charts, organization_totals, sample_history

# Of more devices at one place the traffic of these is added up.
MOST_DEVICES = 500


def general_charts(
    organizations: Sequence[Organization], devices: QuerySet[Device] | None, buckets: Buckets
) -> list[dict[str, Any]]:
    """Return clients and traffic of organizations, or of ``devices`` of theirs alone."""
    sessions = WifiSession.objects.filter(device__organization__in=organizations)
    if devices is None:
        rows = MonitoredOrganization.objects.filter(organization__in=organizations)
        traffic = organization_totals.read_totals(rows, buckets)
    else:
        sessions = sessions.filter(device__in=devices)
        traffic = traffic_of(list(devices.values_list("pk", flat=True)[:MOST_DEVICES]), buckets)
    found = openwisp.drawn(traffic, [openwisp.GENERAL_TRAFFIC])
    sets: list[set[str]] = [set() for _ in buckets.edges[:-1]]
    everybody: set[str] = set()
    for parts, some in device_charts.clients_by(sessions, buckets, "device_id").values():
        everybody |= some
        for at, part in enumerate(parts):
            sets[at] |= part
    if everybody:
        found.append(device_charts.clients_chart(openwisp.GENERAL_CLIENTS, "", sets, everybody))
    return openwisp.in_order(found)


def traffic_of(devices: Sequence[UUID], buckets: Buckets) -> dict[str, Points]:
    """Return the traffic of the uplinks of these devices together."""
    found: dict[str, Points] = {}
    for row in LatestSample.objects.filter(monitored__device__in=devices):
        labels = {split_key(key)[1]: 0.0 for key in row.layout if key.startswith("rx_bytes ")}
        uplink = organization_totals.uplink_of({(Metric.RX_BYTES, one): 0.0 for one in labels})
        wanted = {
            series_key(metric, uplink): metric for metric in (Metric.RX_BYTES, Metric.TX_BYTES)
        }
        for key, points in sample_history.read(
            row.monitored_id, row.layout, wanted, buckets
        ).items():
            name = wanted[key]
            found[name] = (
                points if name not in found else organization_totals.added(found[name], points)
            )
    return found
