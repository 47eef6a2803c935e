"""Live view of a gateway: its parts, their columns, and rows in the same words for every vendor."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from networks.gateways.engine.measurements import Measured, number

Row = Mapping[str, Any]
Rows = Sequence[Row]
Asked = Mapping[str, Any]
# What reads something of the vendor, and how one part is made of it.
Reader = Callable[..., Any]
Live = Callable[[Reader, Asked], Iterable[Row]]

MOST_ROWS = 500
LOG_LINES = 100
MOST_PINGS = 10
HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
PING_TIME = re.compile(r"time[=<]([\d.]+) ?ms")
PING_HOST = re.compile(r"from (\S+):(?:\s|$)")
HOP = re.compile(r"^\s*(\d+)\s+(.*)$")
MILLISECONDS = re.compile(r"([\d.]+) ?ms")


@dataclass(frozen=True)
class Part:
    """One table of the live view: columns by name, with their titles."""

    name: str
    title: str
    columns: Mapping[str, str]
    # Whether it is something to ask for a host, and not just there.
    is_tool: bool = False


TRAFFIC = {"received": "Received", "sent": "Sent"}
PARTS: Mapping[str, Part] = {
    one.name: one
    for one in (
        Part("overview", "Overview", {"name": "Name", "value": "Value"}),
        Part(
            "interfaces", "Interfaces",
            {"name": "Name", "state": "State", "address": "Address", "mac": "MAC address",
             "speed": "Mbit/s", **TRAFFIC, "errors": "Errors"},
        ),
        Part(
            "uplinks", "Uplinks",
            {"name": "Name", "state": "State", "address": "Address", "delay": "Delay",
             "loss": "Loss"},
        ),
        Part(
            "leases", "DHCP leases",
            {"address": "Address", "mac": "MAC address", "name": "Name", "state": "State",
             "expires": "Expires"},
        ),
        Part(
            "neighbors", "ARP table",
            {"address": "Address", "mac": "MAC address", "interface": "Interface"},
        ),
        Part(
            "wifi", "Wireless clients",
            {"mac": "MAC address", "name": "Name", "network": "Network", "ap": "Access point",
             "signal": "dBm", **TRAFFIC, "since": "Connected for"},
        ),
        Part(
            "vpn", "VPN peers",
            {"kind": "Kind", "name": "Name", "address": "Address", "state": "State", **TRAFFIC,
             "since": "Last contact"},
        ),
        Part(
            "guests", "Guests",
            {"name": "Name", "id": "Id", "kind": "Kind", "node": "Node", "state": "State",
             "cpu": "CPU", "memory": "Memory", "uptime": "Uptime"},
        ),
        Part(
            "storage", "Storage",
            {"name": "Name", "node": "Node", "kind": "Kind", "state": "State", "used": "Used",
             "total": "Size"},
        ),
        Part("log", "Log", {"time": "Time", "topic": "Topic", "text": "Message"}),
        Part(
            "ping", "Ping", {"number": "No.", "address": "Address", "time": "ms", "state": "State"},
            is_tool=True,
        ),
        Part(
            "traceroute", "Traceroute", {"number": "Hop", "address": "Address", "time": "ms"},
            is_tool=True,
        ),
    )
}  # fmt: skip
# Made of the gateway's measurements, unless a vendor reports more.
MEASURED = ("overview", "interfaces", "neighbors")
BYTES, DURATIONS = (
    frozenset({*TRAFFIC, "memory", "used", "total"}),
    frozenset({"since", "uptime"}),
)


def is_host(text: str) -> bool:
    """Return whether a text is an address or a host name, and no option of a command."""
    try:
        ip_address(text)
    except ValueError:
        return HOST.fullmatch(text) is not None
    return True


def measured_rows(part: str, measured: Sequence[Measured]) -> Iterator[Row]:
    """Yield overview, interfaces or neighbors of the gateway itself."""
    own = next((one for one in measured if one.is_gateway), None)
    if own is not None:
        yield from {"overview": overview, "interfaces": interfaces, "neighbors": neighbors}[
            part
        ](own.body)


def overview(body: Row) -> Iterator[Row]:
    general, resources = body["general"], body["resources"]
    yield {"name": "Name", "value": general["hostname"]}
    if "uptime" in general:
        yield {"name": "Uptime", "value": duration(general["uptime"])}
    if load := resources.get("load"):
        yield {"name": "Load", "value": ", ".join(f"{one:.2f}" for one in load)}
    if memory := resources.get("memory"):
        free = memory.get("available", memory["free"])
        yield {"name": "Memory", "value": f"{1 - free / memory['total']:.0%} used"}
    for disk in resources.get("disk") or ():
        share = disk["used_bytes"] / disk["size_bytes"]
        yield {"name": f"Disk {disk['mount_point']}", "value": f"{share:.0%} used"}
    if (heat := resources.get("temperature")) is not None:
        yield {"name": "Temperature", "value": f"{heat} °C"}


def interfaces(body: Row) -> Iterator[Row]:
    for one in body["interfaces"]:
        told = one["statistics"]
        yield {
            "name": one["name"], "state": "up" if one["up"] else "down",
            "mac": one.get("mac", ""), "speed": str(one.get("speed", "")).rstrip("F"),
            "received": told.get("rx_bytes"), "sent": told.get("tx_bytes"),
            "errors": total(told.get("rx_errors"), told.get("tx_errors")),
        }  # fmt: skip


def neighbors(body: Row) -> Iterator[Row]:
    for one in body["neighbors"]:
        yield {"address": one["ip"], "mac": one["mac"], "interface": one["interface"]}


def total(*values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def duration(seconds: Any) -> str:
    """Return seconds as ``3 d 4 h 5 min``; empty for what is no number."""
    left = number(seconds)
    if left is None:
        return ""
    days, rest = divmod(int(left), 86_400)
    hours, rest = divmod(rest, 3600)
    parts = [(days, "d"), (hours, "h"), (rest // 60, "min")]
    told = " ".join(f"{count} {unit}" for count, unit in parts if count)
    return told or f"{int(left)} s"


def in_columns(
    part: str, rows: Iterable[Row], *, most: int = MOST_ROWS
) -> list[dict[str, Any]]:
    """Return the rows with every column of the part, each a text or a number."""
    names = PARTS[part].columns
    found = []
    for row in rows:
        found.append({name: plain(name, row.get(name)) for name in names})
        if len(found) >= most:
            break
    return found


def plain(name: str, value: Any) -> str | float:
    if value is None or value == "":
        return ""
    if name in DURATIONS and not isinstance(value, str):
        return duration(value)
    if name in BYTES:
        told = number(value)
        return str(value)[:200] if told is None else told
    return (
        value
        if isinstance(value, int | float) and not isinstance(value, bool)
        else str(value)[:500]
    )


# --- what ping and traceroute print


def pings(text: str) -> Iterator[Row]:
    """Yield the answers that ``ping`` prints, and its summary's loss as a last row."""
    count = 0
    for line in text.splitlines():
        if found := PING_TIME.search(line):
            count += 1
            host = PING_HOST.search(line)
            yield {
                "number": count, "address": host[1] if host else "", "time": float(found[1]),
                "state": "answer",
            }  # fmt: skip
    if not count:
        yield {"number": 1, "state": "no answer"}


def hops(text: str) -> Iterator[Row]:
    """Yield the hops that ``traceroute`` prints."""
    for line in text.splitlines():
        if found := HOP.match(line):
            times = [float(one) for one in MILLISECONDS.findall(found[2])]
            who = found[2].split()[0] if found[2].split() else ""
            yield {
                "number": int(found[1]), "address": "" if who == "*" else who,
                "time": min(times, default=None),
            }  # fmt: skip
