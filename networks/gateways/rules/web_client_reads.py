"""Reads of FreeSDN's web client: settings by feature, and parts of the live view."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from controller.base.errors import NotFound
from controller.base.single_flight import single_flight
from networks.gateways.engine.live import duration
from networks.gateways.engine.measurements import Measured
from networks.gateways.engine.web_pages import (
    BACKUP_FILES,
    BESIDES,
    MENUS,
    PARTS_AT,
    ROWS_AT,
    UNREAD_LISTS,
    UNREAD_OBJECTS,
    in_client_words,
    is_unread,
)
from networks.gateways.engine.web_paths import feature_at, part_at
from networks.gateways.models import Gateway, GatewayBackup
from networks.gateways.rules import live_view
from networks.gateways.rules.visits import read_live, visit

MOST, MOST_BACKUPS = 500, 100
# Under which names the client looks for the id of a row.
IDS = ("id", ".id", "_id", "uuid", "uci_name")


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
    path = f"{area}/{what}"
    if gateway.vendor == "mikrotik" and path in MENUS:
        return _kept(gateway, MENUS[path], lambda: _menu(gateway, MENUS[path], what))
    if is_unread(gateway.vendor, area, what):
        return WebRead([], timezone.now())
    feature = feature_at(gateway.vendor, area, what)
    if feature is None:
        return _told(gateway, part_at(what), what)

    def read() -> WebRead:
        # What a firewall leaves out is empty in its table.
        empty = (
            {}
            if area
            else {name: "" for name in feature.properties if name not in feature.secret}
        )
        rows = [
            {
                **in_client_words({**empty, **row["values"]}),
                **dict.fromkeys(IDS, row["target_id"]),
            }
            for row in read_live(gateway, feature, most=MOST)
        ]
        return WebRead(rows, timezone.now(), is_item=feature.operations == ("update",))

    return _kept(gateway, feature.key, read)


def _kept(gateway: Gateway, name: str, read: Callable[[], WebRead]) -> WebRead:
    """Return what was read under this name seconds ago, or read it now."""
    key = f"gateway-web:{gateway.pk}:{gateway.modified.timestamp()}:{name}"
    known: WebRead | None = cache.get(key)
    if known is None:
        known = read()
        cache.set(key, known, settings.MUSTER_GATEWAY_LIVE_SECONDS)
    return known


def _told(gateway: Gateway, part: str, what: str) -> WebRead:
    if part not in {one.name for one in live_view.parts_of(gateway)}:
        raise NotFound(
            f"Gateways of {gateway.get_vendor_display()} tell nothing at {what[:64]}."
        )
    told = live_view.read_part(gateway, part)
    return WebRead([in_client_words(row) for row in told.rows], told.at)


def _menu(gateway: Gateway, menu: str, what: str) -> WebRead:
    """Return the rows of a menu of RouterOS as it tells them, without what files hold."""
    rows = [{**row, "contents": ""} if "contents" in row else row for row in raw(gateway, menu)]
    if what == "backup/list":
        rows = [row for row in rows if str(row.get("name", "")).endswith(BACKUP_FILES)]
    return WebRead(rows, timezone.now())


def trap_targets(told: WebRead) -> WebRead:
    """Return each target of RouterOS's list of SNMP targets as a row."""
    item = next(iter(told.rows), {})
    targets = [one for one in str(item.get("trap-target", "")).split(",") if one]
    rest = {
        "version": item.get("trap-version", ""),
        "community": item.get("trap-community", ""),
    }
    return WebRead([{"address": one, ".id": one, **rest} for one in targets], told.at)


def raw(gateway: Gateway, path: str) -> list[dict[str, Any]]:
    """Return a list of the vendor's as it is told now."""

    def read() -> list[dict[str, Any]]:
        with visit(gateway) as device:
            return device.read_list(path)

    return single_flight(("gateway-list", gateway.pk, path), read)


# --- pages of hypervisors


def hypervisor_rows(gateway: Gateway, what: str) -> Any:
    """Return the rows of a URL below a hypervisor, of one node or guest where it names one."""
    node, rest = node_in(what)
    if node and rest == "storage":
        return [_storage(one) for one in live_view.read_part(gateway, "storage").rows
                if one["node"] == node]  # fmt: skip
    if node and rest == "tasks":
        return [_task(one) for one in raw(gateway, f"nodes/{node}/tasks")]
    rows = read_at(gateway, "", f"nodes/{rest}" if node else rest).rows
    if node and rest.endswith("/config"):
        guest = next((one for one in what.split("/")[2:] if one.isdigit()), "")
        return next((one for one in rows if one["id"] == f"{node}:{guest}"), {})
    return [one for one in rows if not node or one.get("node", node) == node]


def node_in(what: str) -> tuple[str, str]:
    """Return the node that a URL names, and the rest without numbers of guests."""
    parts = what.split("/")
    if parts[0] != "nodes" or len(parts) < NAMES_A_NODE:
        return "", what
    return parts[1], "/".join(one for one in parts[2:] if not one.isdigit())


NAMES_A_NODE = 3


def _storage(row: dict[str, Any]) -> dict[str, Any]:
    used, total = int(row["used"] or 0), int(row["total"] or 0)
    is_active = row["state"] == "active"
    return {
        "storage": row["name"], "node": row["node"], "storage_type": row["kind"], "content": "",
        "active": is_active, "enabled": is_active, "shared": False, "used": used,
        "total": total, "available": total - used, "used_percent": percent(used, total),
    }  # fmt: skip


def _task(row: dict[str, Any]) -> dict[str, Any]:
    began, ended = row.get("starttime"), row.get("endtime")
    return {
        "upid": row.get("upid"), "node": row.get("node"), "type": row.get("type"),
        "user": row.get("user"), "status": row.get("status") or "running",
        "is_running": ended is None, "started_at": _moment(began), "ended_at": _moment(ended),
    }  # fmt: skip


def _moment(seconds: Any) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)


# --- pages of firewalls


def page_of(gateway: Gateway, what: str) -> dict[str, Any]:
    """Return what the page of a firewall reads at a URL, rows under the key that it looks for."""
    if what in SYSTEM:
        return SYSTEM[what](gateway)
    told = _rows_of(gateway, what)
    if told.is_item:
        return next(iter(told.rows), {})
    found: dict[str, Any] = {"items": told.rows, "total": len(told.rows)}
    if what in ROWS_AT:
        found[ROWS_AT[what]] = told.rows
    if what in BESIDES:
        key, other = BESIDES[what]
        found[key] = _rows_of(gateway, other).rows
    return found


def _rows_of(gateway: Gateway, what: str) -> WebRead:
    """Return the rows of a URL; none of what the portal does not read of this vendor."""
    nothing = WebRead([], timezone.now())
    if what in UNREAD_LISTS:
        return nothing
    try:
        if what in PARTS_AT:
            return _told(gateway, PARTS_AT[what], what)
        return read_at(gateway, "", what)
    except NotFound:
        if what in UNREAD_OBJECTS:
            return replace(nothing, is_item=True)
        if what in ROWS_AT or what in {other for _, other in BESIDES.values()}:
            return nothing
        raise


def _summary(gateway: Gateway) -> dict[str, Any]:
    node = next(iter(nodes_of(gateway)), None)
    found: dict[str, Any] = {"version": gateway.version}
    if node is not None:
        found["uptime_text"] = duration(node["uptime"])
        for name, percents, whole in (
            ("cpu", "cpu_percent", "cpu_count"),
            ("memory", "memory_percent", "memory_total"),
            ("disk", "storage_percent", "storage_total"),
        ):
            if node[whole]:
                found[f"{name}_usage_pct"] = node[percents]
    return {"summary": found}


def _health(gateway: Gateway) -> dict[str, Any]:
    try:
        return {"gateways": read_uplinks(gateway)}
    except NotFound:
        return {"gateways": []}


def read_uplinks(gateway: Gateway) -> list[dict[str, Any]]:
    return [in_client_words(row) for row in live_view.read_part(gateway, "uplinks").rows]


def _backups(gateway: Gateway) -> dict[str, Any]:
    rows = GatewayBackup.objects.filter(gateway=gateway, state=GatewayBackup.State.STORED)
    rows = rows.select_related("configuration").order_by("-taken")[:MOST_BACKUPS]
    found = [
        {
            "id": row.pk, "filename": row.configuration.name, "size": row.configuration.size,
            "date": row.taken, "reason": row.get_reason_display(),
        }
        for row in rows if row.configuration is not None
    ]  # fmt: skip
    return {"backups": found, "items": found, "total": len(found)}


def _firmware(gateway: Gateway) -> dict[str, Any]:
    return {"firmware": {"current_version": gateway.version}}


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


SYSTEM: Mapping[str, Callable[[Gateway], dict[str, Any]]] = {
    "status": system_of,
    "device-summary": _summary,
    "firmware": _firmware,
    "health": _health,
    "backups": _backups,
}
