"""Topology of the devices that a user may see."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from controller.accounts.models import User
from controller.devices.models import Device
from controller.monitoring.engine.topology import Graph, Seen, graph
from controller.monitoring.models import MonitoredGateway
from controller.monitoring.rules.latest_reports import snapshots_of
from networks.overlay.models import Member

MOST_DEVICES = 500


def topology(user: User, **only: Any) -> tuple[Graph, int]:
    """Return nodes and links of the devices that fit, and how many devices are left out."""
    rows = (
        Device.objects.visible_to(user, "monitoring:read")
        .filter(is_deactivated=False, **only)
        .select_related("monitoring")
        .order_by("name", "pk")
    )
    devices = list(rows[:MOST_DEVICES])
    left_out = rows.count() - len(devices) if len(devices) == MOST_DEVICES else 0
    return graph(seen(devices)), left_out


def seen(devices: list[Device]) -> list[Seen]:
    ids = [one.pk for one in devices]
    bodies = snapshots_of(ids)
    networks = networks_of(ids)
    gateways = set(
        MonitoredGateway.objects.filter(device__in=ids).values_list("device", flat=True)
    )
    known = set(ids)
    return [
        Seen(
            id=str(one.pk),
            name=one.name,
            mac=one.mac_address,
            address=str(one.management_ip or ""),
            kind=one.kind,
            health=monitoring.health if monitoring else "unknown",
            uplink=str(monitoring.uplink_id)
            if monitoring and monitoring.uplink_id in known
            else "",
            body=bodies.get(one.pk, {}),
            networks=networks[one.pk],
            is_gateway=one.pk in gateways,
        )
        for one in devices
        for monitoring in [getattr(one, "monitoring", None)]
    ]


def networks_of(devices: list[UUID]) -> dict[UUID, list[tuple[str, str]]]:
    """Return the overlay networks of each device: id and name."""
    rows = Member.objects.filter(node__device__in=devices, state=Member.State.ACTIVE)
    found: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    for device, pk, name in rows.values_list("node__device", "network", "network__name"):
        found[device].append((str(pk), name))
    return found


def as_netjson(found: Graph) -> dict[str, Any]:
    """Return a topology as NetJSON NetworkGraph."""
    return {
        "type": "NetworkGraph",
        "protocol": "static",
        "version": None,
        "metric": None,
        "nodes": [
            {
                "id": one.id, "label": one.label,
                "properties": {
                    "health": one.health or None, "layer": one.layer, "managed": one.is_managed,
                },
            }
            for one in found.nodes
        ],
        "links": [
            {
                "source": one.source, "target": one.target, "cost": 1.0,
                "properties": {
                    "kind": one.kind, "source_port": one.source_port,
                    "target_port": one.target_port, "speed": one.speed, "slow": one.is_slow,
                    "gone": one.is_gone, "one_sided": one.is_one_sided,
                },
            }
            for one in found.links
        ],
    }  # fmt: skip
