"""Live parts of a UniFi console. The reader takes a path below the site, and returns its rows."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from networks.gateways.engine.live import LOG_LINES, Asked, Live, Reader, Row


def name_of(row: Row) -> Any:
    return row.get("name") or row.get("hostname")


def uplinks(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("stat/health"):
        if row.get("subsystem") in {"wan", "www"}:
            latency, drops = row.get("latency"), row.get("drops")
            yield {
                "name": row["subsystem"].upper(), "state": row.get("status"),
                "address": row.get("wan_ip"),
                "delay": None if latency is None else f"{latency} ms",
                "loss": None if drops is None else f"{drops} dropped",
            }  # fmt: skip


def leases(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("stat/sta"):
        if row.get("ip"):
            yield {
                "address": row["ip"], "mac": row.get("mac"), "name": name_of(row),
                "state": "static" if row.get("use_fixedip") else "dynamic",
            }  # fmt: skip


def neighbors(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("stat/sta"):
        if row.get("ip"):
            yield {
                "address": row["ip"], "mac": row.get("mac"), "interface": row.get("network"),
            }  # fmt: skip


def wifi(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("stat/sta"):
        if not row.get("is_wired"):
            yield {
                "mac": row.get("mac"), "name": name_of(row), "network": row.get("essid"),
                "ap": row.get("ap_mac"), "signal": row.get("signal"),
                "received": row.get("rx_bytes"), "sent": row.get("tx_bytes"),
                "since": row.get("uptime"),
            }  # fmt: skip


def vpn(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("stat/health"):
        if row.get("subsystem") == "vpn":
            for kind, name in (
                ("remote users", "remote_user_num_active"),
                ("sites", "site_to_site_num_active"),
            ):
                if row.get(name) is not None:
                    yield {
                        "kind": kind,
                        "name": f"{row[name]} active",
                        "state": row.get("status"),
                    }


def log(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("stat/event", {"_limit": LOG_LINES}):
        at = datetime.fromtimestamp(int(row.get("time") or 0) / 1000, UTC)
        yield {
            "time": f"{at:%Y-%m-%d %H:%M:%S}", "topic": row.get("key"), "text": row.get("msg"),
        }  # fmt: skip


PARTS: Mapping[str, Live] = {
    "uplinks": uplinks, "leases": leases, "neighbors": neighbors, "wifi": wifi, "vpn": vpn,
    "log": log,
}  # fmt: skip
