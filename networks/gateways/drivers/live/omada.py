"""Live parts of an Omada controller. The reader takes a path below the site, and its query."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from networks.gateways.engine.live import LOG_LINES, Asked, Live, Reader, Row

WIRED = 2
DAY = 86_400_000
PAGE = {"page": "1", "pageSize": "500"}


def _gateways(read: Reader) -> list[str]:
    rows = read("devices", PAGE)
    return [str(row["mac"]) for row in rows if row.get("type") == "gateway" and row.get("mac")]


def _ports(read: Reader) -> Iterator[Row]:
    for mac in _gateways(read):
        yield from read(f"gateways/{mac}/wan-status", {})


def interfaces(read: Reader, _: Asked) -> Iterator[Row]:
    for row in _ports(read):
        yield {
            "name": row.get("name") or row.get("portDesc"), "address": row.get("ip"),
            "state": "up" if row.get("status") == 1 else "down", "mac": colons(row.get("mac")),
            "received": row.get("rx"), "sent": row.get("tx"),
            "errors": (row.get("rxErrorPkts") or 0) + (row.get("txErrorPkts") or 0),
        }  # fmt: skip


def uplinks(read: Reader, _: Asked) -> Iterator[Row]:
    for row in _ports(read):
        latency, loss = row.get("latency"), row.get("loss")
        yield {
            "name": row.get("name") or row.get("portDesc"), "address": row.get("ip"),
            "state": "online" if row.get("internetState") == 1 else "offline",
            "delay": None if latency is None else f"{latency} ms",
            "loss": None if loss is None else f"{loss} %",
        }  # fmt: skip


def leases(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("setting/service/dhcp/user-list", PAGE):
        yield {
            "address": row.get("ipAddress"), "mac": colons(row.get("macAddress")),
            "name": row.get("name"), "state": "static" if row.get("status") == 1 else "dynamic",
            "expires": row.get("leftLeaseTime"),
        }  # fmt: skip


def _clients(read: Reader) -> Any:
    return read("clients", PAGE)


def neighbors(read: Reader, _: Asked) -> Iterator[Row]:
    for row in _clients(read):
        if row.get("ip"):
            yield {
                "address": row["ip"], "mac": colons(row.get("mac")),
                "interface": row.get("networkName"),
            }  # fmt: skip


def wifi(read: Reader, _: Asked) -> Iterator[Row]:
    for row in _clients(read):
        if row.get("connectType") != WIRED:
            yield {
                "mac": colons(row.get("mac")), "name": row.get("name") or row.get("hostName"),
                "network": row.get("ssid"), "ap": row.get("apName"), "signal": row.get("rssi"),
                "received": row.get("trafficUp"), "sent": row.get("trafficDown"),
                "since": row.get("uptime"),
            }  # fmt: skip


def vpn(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("setting/vpn/stats/tunnel", PAGE):
        yield {
            "kind": "VPN", "name": row.get("vpnName") or row.get("userName"),
            "address": row.get("remoteIp"), "state": "connected",
            "received": row.get("downBytes"), "sent": row.get("upBytes"),
            "since": row.get("uptime"),
        }  # fmt: skip


def log(read: Reader, _: Asked) -> Iterator[Row]:
    now = int(time.time() * 1000)
    asked = {
        "page": "1", "pageSize": str(LOG_LINES), "filters.timeStart": str(now - 7 * DAY),
        "filters.timeEnd": str(now),
    }  # fmt: skip
    for row in read("logs/events", asked):
        at = datetime.fromtimestamp(int(row.get("time") or 0) / 1000, UTC)
        yield {
            "time": f"{at:%Y-%m-%d %H:%M:%S}", "topic": row.get("module"),
            "text": row.get("content"),
        }  # fmt: skip


def colons(mac: Any) -> str:
    return str(mac or "").replace("-", ":").lower()


PARTS: Mapping[str, Live] = {
    "interfaces": interfaces, "uplinks": uplinks, "leases": leases, "neighbors": neighbors,
    "wifi": wifi, "vpn": vpn, "log": log,
}  # fmt: skip
