"""What gateways of each vendor measure, as NetJSON DeviceMonitoring: the shape agents send."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.base import values

PERCENT = 100
MEGA = 1_000_000
# ubus reports loads as whole numbers of 1/65536.
LOAD_SCALE = 65_536
CONNECTED = 1
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """A report of the gateway itself, or of a device that it manages."""

    body: dict[str, Any]
    macs: frozenset[str] = frozenset()
    name: str = ""
    is_gateway: bool = True


def report(
    name: Any,
    *,
    uptime: Any = None,
    resources: Row | None = None,
    interfaces: Iterable[Row] = (),
    neighbors: Iterable[Row] = (),
    lldp: Iterable[Row] = (),
) -> dict[str, Any]:
    """Return NetJSON of what is known; what a gateway does not tell is left out."""
    general: dict[str, Any] = {"hostname": str(name or "")}
    if uptime is not None:
        general["uptime"] = int(uptime)
    return {
        "type": "DeviceMonitoring",
        "general": general,
        "resources": {name: one for name, one in (resources or {}).items() if one is not None},
        "interfaces": [dict(one) for one in interfaces],
        "neighbors": [dict(one) for one in neighbors],
        "lldp": [dict(one) for one in lldp],
    }


def number(value: Any) -> float | None:
    """Return a number or a text of one; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        found = float(str(value).strip().rstrip("%"))
    except ValueError:
        return None
    return int(found) if found.is_integer() else found


def seconds(text: Any) -> int | None:
    """Return the seconds of an uptime such as ``5day(s) 3h 2m 1s``, or None for other texts."""
    try:
        return values.seconds(str(text or "").removeprefix("up "))
    except ValueError:
        return None


def load_of(percent: Any, processors: Any = 1) -> dict[str, Any]:
    """Return a use of the processors in percent as the load that it is."""
    used, count = number(percent), int(number(processors) or 1)
    return {} if used is None else {"load": [used / PERCENT * count], "cpus": count}


def memory_of(total: Any, free: Any) -> dict[str, Any]:
    size, left = number(total), number(free)
    return {} if not size or left is None else {"memory": {"total": size, "free": left}}


def percent_of_memory(percent: Any) -> dict[str, Any]:
    used = number(percent)
    return {} if used is None else memory_of(PERCENT, PERCENT - used)


def disk_of(total: Any, used: Any, mount: str = "/") -> list[dict[str, Any]]:
    size, taken = number(total), number(used)
    if not size or taken is None:
        return []
    return [
        {"filesystem": mount, "mount_point": mount, "size_bytes": size, "used_bytes": taken}
    ]


def interface(
    name: Any, counters: Row, *, up: bool, mac: Any = "", speed: Any = None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": str(name), "type": "ethernet", "up": up,
        "statistics": {
            told: value
            for told, one in counters.items()
            if (value := number(one)) is not None
        },
    }  # fmt: skip
    if mac:
        found["mac"] = str(mac)
    if whole := number(speed):
        found["speed"] = f"{int(whole)}F"
    return found


def macs_of(interfaces: Iterable[Row]) -> frozenset[str]:
    return frozenset(str(one["mac"]).lower() for one in interfaces if one.get("mac"))


def of_mikrotik(
    name: str, resource: Row, ports: Sequence[Row], health: Sequence[Row],
    arp: Sequence[Row], found: Sequence[Row],
) -> Measured:  # fmt: skip
    """Return what RouterOS tells: resources, interfaces, health, ARP and IP neighbors."""
    interfaces = [
        interface(
            row.get("name"),
            {
                "rx_bytes": row.get("rx-byte"), "tx_bytes": row.get("tx-byte"),
                "rx_packets": row.get("rx-packet"), "tx_packets": row.get("tx-packet"),
                "rx_errors": row.get("rx-error"), "tx_errors": row.get("tx-error"),
                "rx_dropped": row.get("rx-drop"), "tx_dropped": row.get("tx-drop"),
            },
            up=row.get("running") == "true", mac=row.get("mac-address"),
        )
        for row in ports
        if row.get("type") != "loopback"
    ]  # fmt: skip
    total = number(resource.get("total-hdd-space"))
    free = number(resource.get("free-hdd-space"))
    heat = [number(row.get("value")) for row in health if row.get("type") == "C"]
    warm = [one for one in heat if one is not None]
    resources = {
        **load_of(resource.get("cpu-load"), resource.get("cpu-count")),
        **memory_of(resource.get("total-memory"), resource.get("free-memory")),
        "disk": disk_of(total, total - free) if total and free is not None else [],
        "temperature": max(warm, default=None),
    }
    body = report(
        name, uptime=seconds(resource.get("uptime")), resources=resources,
        interfaces=interfaces,
        neighbors=neighbors(arp, "address", "mac-address", "interface"),
        lldp=[
            {"interface": row.get("interface"), "name": row.get("identity", ""),
             "mac": row.get("mac-address", ""), "port": row.get("interface-name", "")}
            for row in found
        ],
    )  # fmt: skip
    return Measured(body, macs_of(interfaces), name)


def neighbors(rows: Iterable[Row], ip: str, mac: str, port: str) -> Iterator[dict[str, str]]:
    """Yield an ARP table, whose columns every vendor calls otherwise."""
    for row in rows:
        if row.get(mac) and row.get(ip):
            yield {
                "ip": str(row[ip]), "mac": str(row[mac]).lower(),
                "interface": str(row.get(port) or ""),
            }  # fmt: skip


def of_openwrt(name: str, told: Row, devices: Row) -> Measured:
    """Return what ubus tells: ``system info`` and ``network.device status``."""
    loads = [value / LOAD_SCALE for one in told.get("load") or [] if (value := number(one))]
    memory, root = told.get("memory") or {}, told.get("root") or {}
    size, used = number(root.get("total")), number(root.get("used"))
    interfaces = [
        interface(
            port, row.get("statistics") or {}, up=row.get("up") is True,
            mac=row.get("macaddr"), speed=str(row.get("speed") or "").rstrip("FH"),
        )
        for port, row in devices.items()
        if port != "lo" and isinstance(row, Mapping)
    ]  # fmt: skip
    resources = {
        "load": loads or None,
        "memory": dict(memory) or None,
        "disk": disk_of(size and size * 1024, used and used * 1024),
    }
    body = report(
        name, uptime=told.get("uptime"), resources=resources, interfaces=interfaces
    )  # fmt: skip
    return Measured(body, macs_of(interfaces), name)


def of_opnsense(
    name: str, clock: Row, memory: Row, disks: Row, heat: Sequence[Row], ports: Row,
    arp: Sequence[Row],
) -> Measured:  # fmt: skip
    """Return what OPNsense's diagnostics tell."""
    loads = [one for text in str(clock.get("loadavg", "")).split(",") if (one := number(text)) is not None]  # fmt: skip
    held = memory.get("memory") or {}
    total, used = number(held.get("total")), number(held.get("used"))
    interfaces = {}
    for row in ports.values():
        # One row for each address: the first is the one of the link.
        counters = {
            "rx_bytes": row.get("received-bytes"), "tx_bytes": row.get("sent-bytes"),
            "rx_packets": row.get("received-packets"), "tx_packets": row.get("sent-packets"),
            "rx_errors": row.get("received-errors"), "tx_errors": row.get("send-errors"),
            "rx_dropped": row.get("dropped-packets"), "tx_dropped": 0,
        }  # fmt: skip
        port = str(row.get("name", ""))
        mac = row.get("address") if str(row.get("network", "")).startswith("<Link") else ""
        if port and not port.startswith("lo") and port not in interfaces:
            interfaces[port] = interface(port, counters, up=True, mac=mac)
    temperatures = [number(row.get("temperature")) for row in heat]
    resources = {
        "load": loads or None,
        **(memory_of(total, total - used) if total and used is not None else {}),
        "disk": [
            one
            for row in disks.get("devices") or []
            for one in disk_of(PERCENT, row.get("used_pct"), str(row.get("mountpoint", "/")))
        ],
        "temperature": max((one for one in temperatures if one is not None), default=None),
    }
    body = report(
        name, uptime=seconds(clock.get("uptime")), resources=resources,
        interfaces=interfaces.values(), neighbors=neighbors(arp, "ip", "mac", "intf"),
    )  # fmt: skip
    return Measured(body, macs_of(interfaces.values()), name)


def of_pfsense(name: str, told: Row, ports: Sequence[Row], arp: Sequence[Row]) -> Measured:
    """Return the system, interfaces and ARP table of pfSense's REST API."""
    interfaces = [
        interface(
            row.get("hwif") or row.get("name"),
            {
                "rx_bytes": row.get("inbytes"), "tx_bytes": row.get("outbytes"),
                "rx_packets": row.get("inpkts"), "tx_packets": row.get("outpkts"),
                "rx_errors": row.get("inerrs"), "tx_errors": row.get("outerrs"),
                "rx_dropped": 0, "tx_dropped": 0,
            },
            up=row.get("status") in {"up", "associated"}, mac=row.get("macaddr"),
        )
        for row in ports
    ]  # fmt: skip
    resources = {
        **load_of(told.get("cpu_usage"), told.get("cpu_count")),
        **percent_of_memory(told.get("mem_usage")),
        "disk": disk_of(PERCENT, told.get("disk_usage")),
        "temperature": number(told.get("temp_c")),
    }
    body = report(
        name, uptime=seconds(told.get("uptime")), resources=resources, interfaces=interfaces,
        neighbors=neighbors(arp, "ip_address", "mac_address", "interface"),
    )  # fmt: skip
    return Measured(body, macs_of(interfaces), name)


def of_proxmox(name: str, nodes: Mapping[str, Row]) -> list[Measured]:
    """Return what each node tells. The gateway itself is its only node, else the busiest."""
    found = []
    for node, told in nodes.items():
        memory, root = told.get("memory") or {}, told.get("rootfs") or {}
        use = number(told.get("cpu"))
        resources = {
            **load_of(
                None if use is None else use * PERCENT, (told.get("cpuinfo") or {}).get("cpus")
            ),
            **memory_of(memory.get("total"), memory.get("available", memory.get("free"))),
            "disk": disk_of(root.get("total"), root.get("used")),
        }
        body = report(node, uptime=told.get("uptime"), resources=resources)
        found.append(Measured(body, name=node, is_gateway=False))
    if not found:
        return []
    busiest = max(found, key=lambda one: _share_of_memory(one.body))
    return [Measured(busiest.body, name=name), *(found if len(found) > 1 else [])]


def _share_of_memory(body: Row) -> float:
    memory = body["resources"].get("memory")
    return 1 - memory["free"] / memory["total"] if memory else 0


def of_unifi(name: str, devices: Sequence[Row], console: str = "") -> list[Measured]:
    """Return what the console knows of each device that is connected; its gateway is itself."""
    found = []
    for row in devices:
        if row.get("state") != CONNECTED or not row.get("mac"):
            continue
        kind = str(row.get("type", ""))
        is_gateway = kind in {"udm", "ugw", "uxg"} or row.get("ip") == console
        mac = str(row["mac"]).lower()
        found.append(
            Measured(
                _unifi_body(row), frozenset({mac}), str(row.get("name") or mac), is_gateway
            )
        )
    return found


def _unifi_body(row: Row) -> dict[str, Any]:
    told = row.get("system-stats") or {}
    heat = [number(one.get("value")) for one in row.get("temperatures") or []]
    interfaces = [
        interface(
            one.get("ifname") or one.get("name") or f"port {one.get('port_idx')}",
            {name: one.get(name) for name in (
                "rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "rx_errors", "tx_errors",
                "rx_dropped", "tx_dropped",
            )},
            up=one.get("up") is True, speed=one.get("speed"),
        )
        for one in row.get("port_table") or []
    ]  # fmt: skip
    resources = {
        **load_of(told.get("cpu")),
        **percent_of_memory(told.get("mem")),
        "temperature": max((one for one in heat if one is not None), default=None),
    }
    body = report(
        row.get("name"), uptime=number(row.get("uptime")), resources=resources,
        interfaces=interfaces,
        lldp=[
            {"interface": f"port {one.get('local_port_idx')}", "name": "",
             "mac": str(one.get("chassis_id", "")), "port": str(one.get("port_id", ""))}
            for one in row.get("lldp_table") or []
        ],
    )  # fmt: skip
    if isinstance(uplink := row.get("uplink"), Mapping) and uplink.get("uplink_mac"):
        body["uplink_mac"] = str(uplink["uplink_mac"]).lower()
    if (count := number(row.get("num_sta"))) is not None and row.get("type") == "uap":
        body["wifi_clients"] = count
    return body


def of_omada(name: str, devices: Sequence[Row]) -> list[Measured]:
    """Return what the controller knows of each device that is connected."""
    found = []
    for row in devices:
        mac = str(row.get("mac", "")).replace("-", ":").lower()
        if row.get("status") != CONNECTED or not mac:
            continue
        resources = {**load_of(row.get("cpuUtil")), **percent_of_memory(row.get("memUtil"))}
        body = report(row.get("name"), uptime=seconds(row.get("uptime")), resources=resources)
        is_gateway = str(row.get("type", "")) == "gateway"
        found.append(Measured(body, frozenset({mac}), str(row.get("name") or mac), is_gateway))
    return found
