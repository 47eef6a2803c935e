"""What a Linux device said of itself, as NetJSON DeviceMonitoring: the shape agents send."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_interface
from typing import Any

KIBI = 1024
MILLI = 1000
DISK_COLUMNS = 6
LINK_COLUMNS = 6
# Of a line of /proc/net/dev, after the name: what was received, then what was sent.
COUNTERS = (
    "rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "rx_fifo_errors", "rx_frame_errors",
    "rx_compressed", "multicast", "tx_bytes", "tx_packets", "tx_errors", "tx_dropped",
    "tx_fifo_errors", "collisions", "tx_carrier_errors", "tx_compressed",
)  # fmt: skip
MEMORY = {
    "MemTotal": "total", "MemFree": "free", "Buffers": "buffered", "Shmem": "shared",
    "Cached": "cached", "MemAvailable": "available",
}  # fmt: skip
MODES = {"AP": "access_point", "managed": "station", "mesh point": "802.11s"}
STATION = re.compile(r"^Station ([0-9a-f:]{17})")


class NoAnswer(ValueError):
    """The device did not say what it was asked, or not all of it."""


def as_netjson(output: str) -> dict[str, Any]:
    """Return what the script said; raise :class:`NoAnswer` where it broke off."""
    parts = dict(sections(output))
    if "end" not in parts:
        raise NoAnswer("The device did not say all that it measures.")
    uptime = number(first(parts, "uptime").partition(" ")[0])
    resources: dict[str, Any] = {
        "load": [number(one) for one in first(parts, "load").split()[:3]],
        "cpus": number(first(parts, "cpus")) or 1,
        "memory": memory(parts.get("memory", [])),
        "disk": list(disks(parts.get("disks", []))),
    }
    if heat := [number(one) / MILLI for one in parts.get("temperatures", [])]:
        resources["temperature"] = max(heat)
    return {
        "type": "DeviceMonitoring",
        "general": {"hostname": first(parts, "host"), "uptime": int(uptime)},
        "resources": resources,
        "interfaces": interfaces(parts),
        "neighbors": list(neighbors(parts.get("neighbors", []))),
    }


def sections(output: str) -> Iterator[tuple[str, list[str]]]:
    name = ""
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith("== "):
            yield name, lines
            name, lines = line[3:].strip(), []
        elif line.strip():
            lines.append(line)
    yield name, lines


def first(parts: Mapping[str, list[str]], name: str) -> str:
    return next(iter(parts.get(name, [])), "").strip()


def number(text: str) -> float:
    """Return a text as a number; 0 where it is no number."""
    try:
        found = float(text)
    except ValueError:
        return 0
    return int(found) if found == int(found) else found


def memory(lines: list[str]) -> dict[str, float]:
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        if name in MEMORY and rest.split():
            found[MEMORY[name]] = number(rest.split()[0]) * KIBI
    return found


def disks(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        words = line.split()
        if len(words) == DISK_COLUMNS:
            size, used, free = (number(one) * KIBI for one in words[1:4])
            yield {
                "filesystem": words[0], "mount_point": words[5], "size_bytes": size,
                "used_bytes": used, "available_bytes": free,
                "used_percent": number(words[4].rstrip("%")),
            }  # fmt: skip


def interfaces(parts: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    counters = dict(statistics(parts.get("counters", [])))
    where = addresses(parts)
    radios = dict(wireless(parts.get("wireless", [])))
    found = []
    for line in parts.get("links", []):
        words = line.split("|")
        if len(words) != LINK_COLUMNS:
            continue
        name, state, speed, mac, mtu, kind = words
        one: dict[str, Any] = {
            "name": name, "type": kind, "up": state in {"up", "unknown"}, "mac": mac,
            "mtu": number(mtu), "addresses": where.get(name, []),
            "statistics": counters.get(name, {}),
        }  # fmt: skip
        if number(speed) > 0:
            one["speed"] = f"{int(number(speed))}F"
        if name in radios:
            one["wireless"] = radios[name]
        found.append(one)
    return found


def statistics(lines: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    for line in lines:
        name, colon, rest = line.strip().partition(":")
        words = rest.split()
        if colon and len(words) == len(COUNTERS):
            values = map(number, words)
            yield name.strip(), dict(zip(COUNTERS, values, strict=True))


def addresses(parts: Mapping[str, list[str]]) -> dict[str, list[dict[str, Any]]]:
    """Return the addresses of each interface, with its default route's gateway."""
    gateways = {}
    for line in parts.get("routes", []):
        words = line.split()
        if "via" in words and "dev" in words:
            gateways[words[words.index("dev") + 1]] = words[words.index("via") + 1]
    found: dict[str, list[dict[str, Any]]] = {}
    for line in parts.get("addresses", []):
        words = line.split()
        try:
            name, address = words[1], ip_interface(words[3])
        except (IndexError, ValueError):
            continue
        one: dict[str, Any] = {
            "address": str(address.ip), "mask": address.network.prefixlen, "proto": "static",
            "family": f"ipv{address.version}",
        }  # fmt: skip
        if name in gateways and address.version == 4:  # noqa: PLR2004
            one["gateway"] = gateways[name]
        found.setdefault(name, []).append(one)
    return found


def neighbors(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        words = line.split()
        if "dev" not in words[:-1]:
            continue
        one = {"ip": words[0], "interface": words[words.index("dev") + 1], "state": words[-1]}
        if "lladdr" in words[:-1]:
            one["mac"] = words[words.index("lladdr") + 1]
        yield one


def wireless(lines: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each radio interface with its clients, as ``iw`` lists them."""
    name = ""
    radio: dict[str, Any] = {}
    for line in lines:
        text = line.strip()
        if line.startswith("interface "):
            if name:
                yield name, radio
            name, radio = text.partition(" ")[2], {"clients": []}
        elif match := STATION.match(text):
            radio["clients"].append({"mac": match[1]})
        else:
            read_wireless(radio, text)
    if name:
        yield name, radio


def read_wireless(radio: dict[str, Any], line: str) -> None:
    word, _, rest = line.partition(" ")
    if word == "ssid":
        radio["ssid"] = rest
    elif word == "type":
        radio["mode"] = MODES.get(rest, rest)
    elif word == "channel":
        radio["channel"] = int(number(rest.split()[0])) if rest.split() else 0
    elif line.startswith("signal:") and radio.get("clients"):
        radio["clients"][-1]["signal"] = number((rest.split() or ["0"])[0])
