"""What an SNMP agent said of its device, as NetJSON DeviceMonitoring: the shape agents send.

IF-MIB, HOST-RESOURCES-MIB, UCD-SNMP-MIB, ENTITY-SENSOR-MIB, LLDP-MIB, and the ARP table of IP-MIB.
"""

from collections.abc import Iterator, Mapping
from typing import Any

KIBI = 1024
HUNDREDTHS = 100
UP = 1
# What SYSTEM entries mean in HOST-RESOURCES-MIB.
RAM, FIXED_DISK = "1.3.6.1.2.1.25.2.1.2", "1.3.6.1.2.1.25.2.1.4"
CELSIUS = 8
# The power of ten of each value of EntitySensorDataScale, from yocto (1) to yotta (17).
UNITS_SCALE = 9
POWER_OF_SCALE = 3
MAC_BYTES, IPV4_PARTS = 6, 4
MAC_SUBTYPES = frozenset({4})
# Types of IF-MIB under the names that agents use; all others are "other".
KINDS = {
    6: "ethernet",
    71: "wireless",
    209: "bridge",
    135: "vlan",
    131: "virtual",
    53: "virtual",
}
LOOPBACK = 24
# What the kernel shows as files: it is no storage.
PSEUDO = ("/dev", "/proc", "/run", "/sys")

SCALARS: Mapping[str, str] = {
    "description": "1.3.6.1.2.1.1.1.0",
    "agent_uptime": "1.3.6.1.2.1.1.3.0",
    "name": "1.3.6.1.2.1.1.5.0",
    "uptime": "1.3.6.1.2.1.25.1.1.0",
    "idle": "1.3.6.1.4.1.2021.11.11.0",
    "memory_total": "1.3.6.1.4.1.2021.4.5.0",
    "memory_free": "1.3.6.1.4.1.2021.4.6.0",
    "memory_buffered": "1.3.6.1.4.1.2021.4.14.0",
    "memory_cached": "1.3.6.1.4.1.2021.4.15.0",
}
IF, IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
STORAGE, SENSORS = "1.3.6.1.2.1.25.2.3.1", "1.3.6.1.2.1.99.1.1.1"
LLDP = "1.0.8802.1.1.2.1"
COLUMNS: Mapping[str, str] = {
    "name": f"{IFX}.1", "hc_rx": f"{IFX}.6", "hc_tx": f"{IFX}.10", "speed": f"{IFX}.15",
    "rx_packets": f"{IFX}.7", "tx_packets": f"{IFX}.11",
    "descr": f"{IF}.2", "type": f"{IF}.3", "mtu": f"{IF}.4", "mac": f"{IF}.6",
    "oper": f"{IF}.8", "rx": f"{IF}.10", "tx": f"{IF}.16", "rx_dropped": f"{IF}.13",
    "rx_errors": f"{IF}.14", "tx_dropped": f"{IF}.19", "tx_errors": f"{IF}.20",
    "processor": "1.3.6.1.2.1.25.3.3.1.2",
    "store_type": f"{STORAGE}.2", "store_name": f"{STORAGE}.3", "store_units": f"{STORAGE}.4",
    "store_size": f"{STORAGE}.5", "store_used": f"{STORAGE}.6",
    "sensor_type": f"{SENSORS}.1", "sensor_scale": f"{SENSORS}.2",
    "sensor_digits": f"{SENSORS}.3", "sensor_value": f"{SENSORS}.4",
    "arp": "1.3.6.1.2.1.4.22.1.2",
    "lldp_chassis_kind": f"{LLDP}.4.1.1.4", "lldp_chassis": f"{LLDP}.4.1.1.5",
    "lldp_port": f"{LLDP}.4.1.1.7", "lldp_port_name": f"{LLDP}.4.1.1.8",
    "lldp_name": f"{LLDP}.4.1.1.9", "lldp_local_port": f"{LLDP}.3.7.1.3",
}  # fmt: skip

Value = int | bytes | str
Column = Mapping[str, Value]
Tables = Mapping[str, Column]


class NoAnswer(ValueError):
    """The agent tells nothing of what is measured."""


def as_netjson(scalars: Mapping[str, Value], tables: Tables) -> dict[str, Any]:
    """Return what an agent said; raise :class:`NoAnswer` where that is nothing of use."""
    found = list(interfaces(tables))
    if not found and "agent_uptime" not in scalars:
        raise NoAnswer("The agent tells neither its uptime nor its interfaces.")
    general: dict[str, Any] = {"hostname": text(scalars.get("name"))}
    ticks = scalars.get("uptime", scalars.get("agent_uptime"))
    if isinstance(ticks, int):
        general["uptime"] = ticks // HUNDREDTHS
    return {
        "type": "DeviceMonitoring",
        "general": general,
        "resources": resources(scalars, tables),
        "interfaces": found,
        "neighbors": list(neighbors(tables)),
        "lldp": list(links(tables)),
    }


def resources(scalars: Mapping[str, Value], tables: Tables) -> dict[str, Any]:
    found: dict[str, Any] = {}
    processors = [one for one in tables.get("processor", {}).values() if isinstance(one, int)]
    idle = scalars.get("idle")
    if not processors and isinstance(idle, int):
        processors = [max(HUNDREDTHS - idle, 0)]
    if processors:
        # A share of each processor: as load it is how many of them are busy.
        found |= {"cpus": len(processors), "load": [sum(processors) / HUNDREDTHS]}
    if held := memory(scalars, tables):
        found["memory"] = held
    found["disk"] = list(disks(tables))
    if heat := list(temperatures(tables)):
        found["temperature"] = max(heat)
    return found


def memory(scalars: Mapping[str, Value], tables: Tables) -> dict[str, int]:
    """Return bytes of memory: by UCD-SNMP-MIB, which knows of caches, else as storage."""
    names = {"memory_total": "total", "memory_free": "free", "memory_buffered": "buffered",
             "memory_cached": "cached"}  # fmt: skip
    found = {
        told: value * KIBI
        for name, told in names.items()
        if isinstance(value := scalars.get(name), int) and value >= 0
    }
    if found.get("total") and "free" in found:
        return found
    for index, kind in tables.get("store_type", {}).items():
        if kind == RAM and (size := sizes(tables, index)):
            return {"total": size[0], "free": max(size[0] - size[1], 0)}
    return {}


def disks(tables: Tables) -> Iterator[dict[str, Any]]:
    for index, kind in tables.get("store_type", {}).items():
        size = sizes(tables, index)
        name = text(tables.get("store_name", {}).get(index))
        if kind == FIXED_DISK and size and size[0] and not name.startswith(PSEUDO):
            yield {
                "filesystem": name, "mount_point": name, "size_bytes": size[0],
                "used_bytes": size[1], "available_bytes": max(size[0] - size[1], 0),
                "used_percent": round(100 * size[1] / size[0]),
            }  # fmt: skip


def sizes(tables: Tables, index: str) -> tuple[int, int] | None:
    """Return size and used bytes of a storage; large ones count in larger units."""
    units, size, used = (
        tables.get(name, {}).get(index) for name in ("store_units", "store_size", "store_used")
    )
    if isinstance(units, int) and isinstance(size, int) and isinstance(used, int):
        # A signed 32-bit number: of more than 8 TiB some agents tell a negative one.
        return units * (size % 2**32), units * (used % 2**32)
    return None


def temperatures(tables: Tables) -> Iterator[float]:
    for index, kind in tables.get("sensor_type", {}).items():
        value, scale, digits = (
            tables.get(name, {}).get(index)
            for name in ("sensor_value", "sensor_scale", "sensor_digits")
        )
        if kind == CELSIUS and isinstance(value, int):
            power = (int(scale or UNITS_SCALE) - UNITS_SCALE) * POWER_OF_SCALE
            yield value * 10.0 ** (power - int(digits or 0))


def interfaces(tables: Tables) -> Iterator[dict[str, Any]]:
    """Yield interfaces by their names: numbers of interfaces move when a device restarts."""
    for index in tables.get("descr", {}):
        row = {name: column.get(index) for name, column in tables.items() if index in column}
        if row.get("type") == LOOPBACK:
            continue
        one: dict[str, Any] = {
            "name": text(row.get("name")) or text(row.get("descr")),
            "type": KINDS.get(whole(row.get("type")), "other"),
            "up": row.get("oper") == UP,
            "mtu": whole(row.get("mtu")),
            "statistics": statistics(row),
        }
        if mac := mac_of(row.get("mac")):
            one["mac"] = mac
        if speed := whole(row.get("speed")):
            one["speed"] = f"{speed}F"
        yield one


def statistics(row: Mapping[str, Any]) -> dict[str, int]:
    names = {
        "rx_bytes": ("hc_rx", "rx"), "tx_bytes": ("hc_tx", "tx"),
        "rx_packets": ("rx_packets",), "tx_packets": ("tx_packets",),
        "rx_errors": ("rx_errors",), "tx_errors": ("tx_errors",),
        "rx_dropped": ("rx_dropped",), "tx_dropped": ("tx_dropped",),
    }  # fmt: skip
    found = {}
    for name, columns in names.items():
        value = next((row[one] for one in columns if isinstance(row.get(one), int)), None)
        if value is not None:
            found[name] = value
    return found


def neighbors(tables: Tables) -> Iterator[dict[str, Any]]:
    """Yield the ARP table. Its index is that of the interface and an address."""
    names = tables.get("name", {}) or tables.get("descr", {})
    for index, mac in tables.get("arp", {}).items():
        interface, _, address = index.partition(".")
        if address.count(".") == IPV4_PARTS - 1 and (known := mac_of(mac)):
            yield {"mac": known, "ip": address, "interface": text(names.get(interface))}


def links(tables: Tables) -> Iterator[dict[str, str]]:
    """Yield what each port hears by LLDP. The index is time, port and a number."""
    ports = tables.get("lldp_local_port", {})
    for index, chassis in tables.get("lldp_chassis", {}).items():
        port = index.split(".")[1] if index.count(".") else index
        is_mac = tables.get("lldp_chassis_kind", {}).get(index) in MAC_SUBTYPES
        remote = tables.get("lldp_port", {}).get(index)
        yield {
            "interface": text(ports.get(port)) or port,
            "name": text(tables.get("lldp_name", {}).get(index)),
            "mac": mac_of(chassis) if is_mac else "",
            "port": text(tables.get("lldp_port_name", {}).get(index))
            or mac_of(remote) or text(remote),
        }  # fmt: skip


def whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def mac_of(value: Any) -> str:
    if isinstance(value, bytes) and len(value) == MAC_BYTES and any(value):
        return value.hex(":")
    return ""


def text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.strip("\x00 \r\n") if isinstance(value, str) else ""
