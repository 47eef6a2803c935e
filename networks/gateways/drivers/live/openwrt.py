"""Live parts of OpenWrt. The reader takes object, method and arguments of ubus."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from networks.gateways.drivers.driver import if_told
from networks.gateways.engine.live import (
    LOG_LINES,
    Asked,
    Live,
    Reader,
    Row,
    duration,
    hops,
    pings,
)

ARP = "/proc/net/arp"
NO_MAC, COLUMNS = "00:00:00:00:00:00", 6
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - the target of a default route


def uplinks(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("network.interface", "dump").get("interface") or []:
        if any(one.get("target") in EVERYWHERE for one in row.get("route") or []):
            addresses = row.get("ipv4-address") or row.get("ipv6-address") or []
            yield {
                "name": row.get("interface"), "state": "up" if row.get("up") else "down",
                "address": ", ".join(str(one.get("address")) for one in addresses),
            }  # fmt: skip


def leases(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("luci-rpc", "getDHCPLeases", {"family": 4}).get("dhcp_leases") or []:
        expires = row.get("expires")
        yield {
            "address": row.get("ipaddr"), "mac": row.get("macaddr"), "name": row.get("hostname"),
            "state": "static" if expires is False else "dynamic",
            "expires": "never" if expires is False else duration(expires),
        }  # fmt: skip


def neighbors(read: Reader, _: Asked) -> Iterator[Row]:
    for line in str(read("file", "read", {"path": ARP}).get("data", "")).splitlines()[1:]:
        words = line.split()
        if len(words) >= COLUMNS and words[3] != NO_MAC:
            yield {"address": words[0], "mac": words[3], "interface": words[5]}


def wifi(read: Reader, _: Asked) -> Iterator[Row]:
    for name in read("iwinfo", "devices").get("devices") or []:
        told = if_told(partial(read, "iwinfo", "info", {"device": name}), otherwise={})
        rows = read("iwinfo", "assoclist", {"device": name}).get("results") or []
        for row in rows:
            yield {
                "mac": row.get("mac"), "network": told.get("ssid"), "ap": name,
                "signal": row.get("signal"), "received": (row.get("rx") or {}).get("bytes"),
                "sent": (row.get("tx") or {}).get("bytes"), "since": row.get("connected_time"),
            }  # fmt: skip


def log(read: Reader, _: Asked) -> Iterator[Row]:
    asked = {"lines": LOG_LINES, "stream": False, "oneshot": True}
    for row in reversed(read("log", "read", asked).get("log") or []):
        topic, _sep, text = str(row.get("msg", "")).partition(": ")
        at = datetime.fromtimestamp(int(row.get("time") or 0) / 1000, UTC)
        yield {
            "time": f"{at:%Y-%m-%d %H:%M:%S}", "topic": topic if text else "",
            "text": text or row.get("msg"),
        }  # fmt: skip


def _output(read: Reader, command: str, *words: str) -> str:
    told: Any = read("file", "exec", {"command": command, "params": list(words)})
    return str(told.get("stdout") or "")


def ping(read: Reader, asked: Asked) -> Iterator[Row]:
    yield from pings(
        _output(read, "/bin/ping", "-c", str(asked["count"]), "-W", "2", asked["host"])
    )


def traceroute(read: Reader, asked: Asked) -> Iterator[Row]:
    yield from hops(
        _output(
            read, "/usr/bin/traceroute", "-n", "-q", "1", "-w", "1", "-m", "20", asked["host"]
        )
    )


PARTS: Mapping[str, Live] = {
    "uplinks": uplinks, "leases": leases, "neighbors": neighbors, "wifi": wifi, "log": log,
    "ping": ping, "traceroute": traceroute,
}  # fmt: skip
