"""Reads of FreeSDN's web client: settings by feature, and parts of the live view."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from controller.base.errors import NotFound
from controller.base.single_flight import single_flight
from networks.gateways.engine.measurements import Measured
from networks.gateways.engine.web_paths import feature_at, part_at
from networks.gateways.models import Gateway
from networks.gateways.rules import live_view
from networks.gateways.rules.visits import read_live, visit

MOST = 500
# Under which names the client looks for the id of a row.
IDS = ("id", ".id", "_id", "uuid", "uci_name")
# The client's names of columns of the live view.
NAMES = {
    "address": ("ip", "ipaddr", "ip_address"), "mac": ("mac_address", "macaddr"),
    "name": ("hostname",), "text": ("message",), "time": ("timestamp",),
}  # fmt: skip


@dataclass(frozen=True)
class WebRead:
    """Rows for the client; settings that there is one of are an item."""

    rows: list[dict[str, Any]]
    at: datetime
    is_item: bool = False


def read_at(gateway: Gateway, area: str, what: str) -> WebRead:
    """Return the rows for a URL of the client. Raises NotFound if the vendor has none.

    The client reads open pages again every 15 to 30 seconds; what was read seconds ago is kept.
    """
    feature = feature_at(gateway.vendor, area, what)
    if feature is None:
        return _told(gateway, part_at(what), what)
    key = f"gateway-web:{gateway.pk}:{gateway.modified.timestamp()}:{feature.key}"
    known: WebRead | None = cache.get(key)
    if known is None:
        rows = read_live(gateway, feature, most=MOST)
        found = [{**row["values"], **dict.fromkeys(IDS, row["target_id"])} for row in rows]
        known = WebRead(found, timezone.now(), is_item=feature.operations == ("update",))
        cache.set(key, known, settings.MUSTER_GATEWAY_LIVE_SECONDS)
    return known


def _told(gateway: Gateway, part: str, what: str) -> WebRead:
    if part not in {one.name for one in live_view.parts_of(gateway)}:
        raise NotFound(
            f"Gateways of {gateway.get_vendor_display()} tell nothing at {what[:64]}."
        )
    told = live_view.read_part(gateway, part)
    rows = [
        {
            **row,
            **{new: row[old] for old, names in NAMES.items() if old in row for new in names},
        }
        for row in told.rows
    ]
    return WebRead(rows, told.at)


# --- what the client shows of the system itself


def measured(gateway: Gateway) -> list[Measured]:
    """Return the gateway's measurements, cached for a few seconds."""
    key = f"gateway-measured:{gateway.pk}:{gateway.modified.timestamp()}"
    known: list[Measured] | None = cache.get(key)
    if known is not None:
        return known

    def read() -> list[Measured]:
        with visit(gateway) as device:
            found = device.measure()
        cache.set(key, found, settings.MUSTER_GATEWAY_LIVE_SECONDS)
        return found

    return single_flight(key, read)


def system_of(gateway: Gateway) -> dict[str, Any]:
    """Return name, version, uptime, load and memory of the gateway itself."""
    own = next((one.body for one in measured(gateway) if one.is_gateway), None)
    general, resources = (own["general"], own["resources"]) if own else ({}, {})
    memory = resources.get("memory") or {}
    return {
        "hostname": general.get("hostname") or gateway.name,
        "version": gateway.version,
        "uptime": general.get("uptime", 0),
        "load": resources.get("load") or [],
        "memory": {
            "total": memory.get("total", 0),
            "available": memory.get("available", memory.get("free", 0)),
        },
    }


def nodes_of(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the nodes of a hypervisor with their use of processor, memory and disk."""
    rows = measured(gateway)
    nodes = [one for one in rows if not one.is_gateway] or rows
    return [_node(one.body) for one in nodes]


def _node(body: dict[str, Any]) -> dict[str, Any]:
    resources = body["resources"]
    memory = resources.get("memory") or {"total": 0, "free": 0}
    disk = (resources.get("disk") or [{"size_bytes": 0, "used_bytes": 0}])[0]
    cpus = resources.get("cpus") or 0
    used = memory["total"] - memory["free"]
    load = (resources.get("load") or [0])[0]
    return {
        "node": body["general"]["hostname"], "uptime": body["general"].get("uptime", 0),
        "cpu_count": cpus, "cpu_percent": percent(load, cpus), "memory_total": memory["total"],
        "memory_used": used, "memory_percent": percent(used, memory["total"]),
        "storage_total": disk["size_bytes"], "storage_used": disk["used_bytes"],
        "storage_percent": percent(disk["used_bytes"], disk["size_bytes"]),
    }  # fmt: skip


def percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def guests_of(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the guests of a hypervisor: rows of the live view with their kind as Proxmox's."""
    kinds = {"virtual machine": "qemu", "container": "lxc"}
    return [
        {**row, "vm_type": kinds[row["kind"]], "is_running": row["state"] == "running"}
        for row in live_view.read_part(gateway, "guests").rows
    ]
