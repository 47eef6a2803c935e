"""What supervisors tell of their devices, as NetJSON DeviceMonitoring."""

import time
from collections.abc import Mapping
from typing import Any

from supervisor_proxy.engine.home_assistant_info import Told, number

GIGA, MEGA, MICRO, PERCENT = 10**9, 10**6, 10**6, 100
# Parts of Home Assistant whose containers are measured, by the paths that tell.
PARTS = {"/core/stats": "core", "/supervisor/stats": "supervisor"}


def _report(
    name: Any, uptime: float | None, resources: dict[str, Any], parts: list[dict[str, Any]]
) -> dict[str, Any]:
    general: dict[str, Any] = {"hostname": name if isinstance(name, str) else ""}
    if uptime is not None and uptime >= 0:
        general["uptime"] = int(uptime)
    return {
        "type": "DeviceMonitoring", "general": general, "resources": resources,
        "containers": parts, "interfaces": [],
    }  # fmt: skip


def _disk(total: float | None, used: float | None) -> list[dict[str, Any]]:
    if not total or used is None:
        return []
    return [
        {"filesystem": "data", "mount_point": "/data", "size_bytes": total, "used_bytes": used}
    ]


def of_home(told: Told) -> dict[str, Any]:
    """Return a report of what a Home Assistant supervisor told, by path."""
    host = told.get("/host/info", {})
    total, used, free = (
        number(host.get(name)) for name in ("disk_total", "disk_used", "disk_free")
    )
    if used is None and total is not None and free is not None:
        used = total - free
    booted = number(host.get("boot_timestamp"))
    uptime = time.time() - booted / MICRO if booted else None
    parts = [part for path, name in PARTS.items() if (part := _part(name, told.get(path, {})))]
    disk = _disk(total and total * GIGA, used and used * GIGA)
    return _report(host.get("hostname"), uptime, {"disk": disk}, parts)


def _part(name: str, stats: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a container uses."""
    names = ("cpu_percent", "memory_percent")
    found = {one: value for one in names if (value := number(stats.get(one))) is not None}
    return {"name": name, **found} if found else {}


def of_balena(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report of what a balena device reported."""
    memory, memory_total, storage, storage_total, cpu, heat = (
        number(facts.get(name))
        for name in (
            "memory_usage", "memory_total", "storage_usage", "storage_total", "cpu_usage",
            "cpu_temp",
        )
    )  # fmt: skip
    resources: dict[str, Any] = {
        "disk": _disk(
            storage_total and storage_total * MEGA, None if storage is None else storage * MEGA
        )
    }
    if cpu is not None:
        resources |= {"load": [cpu / PERCENT], "cpus": 1}
    if memory is not None and memory_total:
        resources["memory"] = {
            "total": memory_total * MEGA, "free": max(memory_total - memory, 0) * MEGA,
        }  # fmt: skip
    if heat is not None:
        resources["temperature"] = heat
    return _report(facts.get("name"), None, resources, [])


MEASURED = frozenset({"memory_usage", "storage_usage", "cpu_usage", "cpu_temp"})
