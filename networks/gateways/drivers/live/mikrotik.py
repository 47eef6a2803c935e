"""Live parts of RouterOS. The reader takes a menu, or a command with its values."""

from collections.abc import Iterator, Mapping
from typing import Any

from networks.gateways.drivers.driver import if_told
from networks.gateways.engine.live import LOG_LINES, Asked, Live, Reader, Row
from networks.gateways.engine.measurements import of_mikrotik, seconds

WIFI = "interface/wifi/registration-table"
WIRELESS = "interface/wireless/registration-table"
# WireGuard shakes hands every two minutes while there is traffic.
STALE_SECONDS = 180
DEFAULT_ROUTES = ("0.0.0.0/0", "::/0")


def interfaces(read: Reader, _: Asked) -> Iterator[Row]:
    addresses: dict[str, list[str]] = {}
    for row in if_told(lambda: read("ip/address"), otherwise=[]):
        addresses.setdefault(row.get("interface", ""), []).append(row.get("address", ""))
    for row, told in zip(ports := read("interface"), _measured(ports), strict=True):
        name = row.get("name", "")
        yield {**told, "address": ", ".join(addresses.get(name, []))}


def _measured(ports: Any) -> Iterator[Row]:
    shown = [{**row, "type": ""} for row in ports]
    for one in of_mikrotik("", {}, shown, [], [], []).body["interfaces"]:
        told = one["statistics"]
        yield {
            "name": one["name"], "state": "up" if one["up"] else "down",
            "mac": one.get("mac", ""), "received": told.get("rx_bytes"),
            "sent": told.get("tx_bytes"),
            "errors": told.get("rx_errors", 0) + told.get("tx_errors", 0),
        }  # fmt: skip


def uplinks(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("ip/route"):
        if row.get("dst-address") in DEFAULT_ROUTES:
            is_active = row.get("active") == "true"
            yield {
                "name": row.get("comment") or "default route", "address": row.get("gateway"),
                "state": "active" if is_active else "inactive",
            }  # fmt: skip


def leases(read: Reader, _: Asked) -> Iterator[Row]:
    for row in read("ip/dhcp-server/lease"):
        yield {
            "address": row.get("active-address") or row.get("address"),
            "mac": row.get("active-mac-address") or row.get("mac-address"),
            "name": row.get("host-name") or row.get("comment"),
            "state": "static" if row.get("dynamic") == "false" else row.get("status"),
            "expires": row.get("expires-after"),
        }  # fmt: skip


def wifi(read: Reader, _: Asked) -> Iterator[Row]:
    rows = if_told(lambda: read(WIFI), otherwise=[]) or if_told(
        lambda: read(WIRELESS), otherwise=[]
    )
    for row in rows:
        received, _sep, sent = row.get("bytes", "").partition(",")
        yield {
            "mac": row.get("mac-address"), "network": row.get("ssid"),
            "ap": row.get("interface"), "signal": row.get("signal"), "received": received,
            "sent": sent, "since": row.get("uptime"), "name": row.get("comment"),
        }  # fmt: skip


def vpn(read: Reader, _: Asked) -> Iterator[Row]:
    for row in if_told(lambda: read("interface/wireguard/peers"), otherwise=[]):
        since = row.get("last-handshake", "")
        yield {
            "kind": "WireGuard", "name": row.get("comment") or row.get("name"),
            "address": row.get("current-endpoint-address"), "received": row.get("rx"),
            "sent": row.get("tx"), "since": since, "state": _fresh(since),
        }  # fmt: skip
    for row in if_told(lambda: read("ppp/active"), otherwise=[]):
        yield {
            "kind": str(row.get("service", "ppp")).upper(), "name": row.get("name"),
            "address": row.get("address"), "state": "connected", "since": row.get("uptime"),
        }  # fmt: skip
    for row in if_told(lambda: read("ip/ipsec/active-peers"), otherwise=[]):
        yield {
            "kind": "IPsec", "name": row.get("comment") or row.get("id"),
            "address": row.get("remote-address"), "state": row.get("state"),
            "received": row.get("rx-bytes"), "sent": row.get("tx-bytes"),
            "since": row.get("uptime"),
        }  # fmt: skip


def _fresh(handshake: str) -> str:
    age = seconds(handshake)
    return "stale" if age is None or age > STALE_SECONDS else "connected"


def log(read: Reader, _: Asked) -> Iterator[Row]:
    for row in reversed(read("log")[-LOG_LINES:]):
        yield {"time": row.get("time"), "topic": row.get("topics"), "text": row.get("message")}


def ping(read: Reader, asked: Asked) -> Iterator[Row]:
    for row in read("tool/ping", {"address": asked["host"], "count": str(asked["count"])}):
        yield {
            "number": int(row.get("seq", 0)) + 1, "address": row.get("host"),
            "time": milliseconds(row.get("time", "")), "state": row.get("status") or "answer",
        }  # fmt: skip


def traceroute(read: Reader, asked: Asked) -> Iterator[Row]:
    rows = read(
        "tool/traceroute",
        {"address": asked["host"], "count": "1", "max-hops": "20", "timeout": "1s",
         "duration": "20s", "use-dns": "no"},
    )  # fmt: skip
    # The whole route is repeated again and again: the last one counts.
    last = rows[-1].get(".section") if rows else None
    told = [row for row in rows if row.get(".section") == last]
    for at, row in enumerate(told, 1):
        yield {"number": at, "address": row.get("address"), "time": row.get("last")}


def milliseconds(text: str) -> float | None:
    """Return the milliseconds of ``12ms345us`` or ``1s2ms``."""
    units = {"s": 1000.0, "ms": 1.0, "us": 0.001}
    total, digits = 0.0, ""
    unit = ""
    for one in f"{text} ":
        if one.isdigit() or one == ".":
            if unit:
                total, digits, unit = total + float(digits or 0) * units.get(unit, 0), "", ""
            digits += one
        elif one != " ":
            unit += one
    return round(total + float(digits or 0) * units.get(unit, 0), 3) if text else None


PARTS: Mapping[str, Live] = {
    "interfaces": interfaces, "uplinks": uplinks, "leases": leases, "wifi": wifi, "vpn": vpn,
    "log": log, "ping": ping, "traceroute": traceroute,
}  # fmt: skip
