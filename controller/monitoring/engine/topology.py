"""Who is connected to what: drawn from LLDP, meshes, uplinks, ARP, and overlay networks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.monitoring.engine.mac_addresses import mac_of
from controller.monitoring.engine.report import (
    MEGABIT,
    items,
    link_speed,
    mapping,
    megabits,
    text,
)

# The better a kind of link is known, the more it counts where a pair has several.
RANKS = {"lldp": 0, "mesh": 1, "uplink": 2, "arp": 3, "overlay": 4}
MESHES = frozenset({"802.11s", "adhoc"})
INTERNET, GATEWAY, SWITCH, ACCESS, UNMANAGED = range(5)
LAYERS = {"router": GATEWAY, "firewall": GATEWAY, "switch": SWITCH}
WORST = ("critical", "problem", "unknown", "ok", "deactivated")


@dataclass(slots=True)
class Seen:
    """A device, and what it sees of the network."""

    id: str
    name: str
    mac: str
    address: str = ""
    kind: str = ""
    health: str = "unknown"
    uplink: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    networks: Sequence[tuple[str, str]] = ()
    is_gateway: bool = False


@dataclass(slots=True)
class Node:
    id: str
    label: str
    health: str = ""
    layer: int = ACCESS
    is_managed: bool = True


@dataclass(slots=True)
class Link:
    """A connection of two nodes, and the port at each end as far as it is known."""

    source: str
    target: str
    kind: str
    source_port: str = ""
    target_port: str = ""
    # Bit/s, and what both ends could do.
    speed: float | None = None
    most: float | None = None
    is_gone: bool = False
    # Whether only one of two managed ends reports it.
    is_one_sided: bool = True

    @property
    def is_slow(self) -> bool:
        return bool(self.speed and self.most and self.speed < self.most)


@dataclass(slots=True)
class Graph:
    nodes: list[Node]
    links: list[Link]


def graph(devices: Sequence[Seen]) -> Graph:
    """Return all nodes and, of each pair, the link that is known best."""
    index = _Index(devices)
    nodes = {
        one.id: Node(one.id, one.name, one.health, layer_of(one, devices)) for one in devices
    }
    found: dict[frozenset[str], Link] = {}
    for device in devices:
        for link, label in links_of(device, index):
            if link.target not in nodes:
                layer = INTERNET if link.kind == "overlay" else UNMANAGED
                nodes[link.target] = Node(link.target, label, "", layer, is_managed=False)
            keep(found, link)
    for link in found.values():
        ends = (nodes[link.source], nodes[link.target])
        link.is_gone = any(one.health == "critical" for one in ends)
        link.is_one_sided = link.is_one_sided and all(one.is_managed for one in ends)
    rows = sorted(nodes.values(), key=lambda one: (one.layer, one.label.lower(), one.id))
    return Graph(rows, sorted(found.values(), key=lambda one: order_of(one, nodes)))


def order_of(link: Link, nodes: Mapping[str, Node]) -> tuple[Any, ...]:
    """Return the place of a link among all: what is gone or slow comes first."""
    ends = sorted((nodes[link.source].label, nodes[link.target].label))
    return not link.is_gone, not link.is_slow, RANKS[link.kind], *ends


def layer_of(device: Seen, devices: Sequence[Seen]) -> int:
    if device.is_gateway:
        return GATEWAY
    if device.kind:
        return LAYERS.get(device.kind, ACCESS)
    leads = any(one.uplink == device.id for one in devices)
    return GATEWAY if leads and not device.uplink else SWITCH if leads else ACCESS


class _Index:
    """Devices by everything that they are known by."""

    def __init__(self, devices: Iterable[Seen]) -> None:
        self.macs: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.names: dict[str, str] = {}
        for one in devices:
            self.names.setdefault(one.name.lower(), one.id)
            self.macs[mac_of(one.mac)] = one.id
            if one.address:
                self.addresses.setdefault(one.address, one.id)
            for _, interface in items(one.body.get("interfaces")):
                if mac := mac_of(interface.get("mac")):
                    self.macs.setdefault(mac, one.id)
        self.macs.pop("", None)

    def find(self, mac: str = "", name: str = "", address: str = "") -> str:
        return (
            self.macs.get(mac)
            or self.names.get(name.lower().partition(".")[0])
            or self.names.get(name.lower())
            or self.addresses.get(address, "")
        )


def links_of(device: Seen, index: _Index) -> Iterator[tuple[Link, str]]:
    """Yield what a device is connected to, with the name of the other end."""
    ports = {text(one.get("name")): one for _, one in items(device.body.get("interfaces"))}
    for link, label in (
        *cables(device, ports, index),
        *meshes(device, ports, index),
        *arps(device, index),
    ):
        if link.source != link.target:
            yield link, label
    if device.uplink and device.uplink != device.id:
        yield Link(device.id, device.uplink, "uplink"), ""
    for network, name in device.networks:
        yield Link(device.id, f"overlay:{network}", "overlay"), name


Ports = Mapping[str, Mapping[str, Any]]


def cables(device: Seen, ports: Ports, index: _Index) -> Iterator[tuple[Link, str]]:
    """Yield what the ports hear by LLDP."""
    for _, row in items(device.body.get("lldp")):
        name, mac = text(row.get("name")), mac_of(row.get("mac"))
        if name or mac:
            port = text(row.get("interface"))
            target = index.find(mac, name) or f"unmanaged:{mac or name}"
            speed, most = speeds(ports.get(port, {}))
            remote = text(row.get("port"))
            yield Link(device.id, target, "lldp", port, remote, speed, most), name or mac


def meshes(device: Seen, ports: Ports, index: _Index) -> Iterator[tuple[Link, str]]:
    for port, interface in ports.items():
        for mac in peers(interface):
            if target := index.find(mac):
                yield Link(device.id, target, "mesh", port), ""


def arps(device: Seen, index: _Index) -> Iterator[tuple[Link, str]]:
    """Yield the managed devices of the ARP table."""
    for _, row in items(device.body.get("neighbors")):
        target = index.find(mac_of(row.get("mac")), "", text(row.get("ip")))
        if target and text(row.get("state")) != "FAILED":
            yield Link(device.id, target, "arp", text(row.get("interface"))), ""


def peers(interface: Mapping[str, Any]) -> Iterator[str]:
    wireless = mapping(interface.get("wireless"))
    if text(wireless.get("mode")) in MESHES:
        for _, one in items(wireless.get("clients")):
            if mac := mac_of(one.get("mac")):
                yield mac


def speeds(interface: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the speed of a port in bit/s, and the fastest that it could do."""
    told = interface.get("link_supported")
    modes = [text(one).partition("base")[0] for one in told] if isinstance(told, list) else []
    known = [found for one in modes if (found := megabits(one))]
    most = max(known) * MEGABIT if known else None
    return link_speed(interface), most


def keep(found: dict[frozenset[str], Link], link: Link) -> None:
    """Keep the link of a pair that is known best; what both ends tell is one link."""
    pair = frozenset({link.source, link.target})
    known = found.get(pair)
    if known is None or RANKS[link.kind] < RANKS[known.kind]:
        found[pair] = link
    elif link.kind == known.kind and link.source == known.target:
        known.is_one_sided = False
        known.target_port = link.source_port or known.target_port
        known.most = min(filter(None, (known.most, link.most)), default=None)
        known.speed = known.speed or link.speed
