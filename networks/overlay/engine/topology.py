"""Topology of an overlay, and the plan (peers and names) of each device.

Pure: members of networks → desired state of a device (its plan) → difference between plans.
Every device has one address for all its networks, and an interface for each relay, whose only
peer is that relay. Direct ways between two devices change by themselves and are no part of a
plan: a plan names the interface that they use, and the relays that observe it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv6Address
from itertools import combinations

from networks.overlay.engine import zones
from networks.overlay.engine.subnets import Route, Subnet
from networks.overlay.engine.zones import Resolver, ZoneName

Pair = tuple[int, int]
"""Ids of two nodes, the lower first."""

KEEPALIVE_SECONDS = 25
SEVERAL, HIGHEST_PORT = 2, 65535


@dataclass(frozen=True, slots=True)
class Node:
    """A device in the overlay."""

    id: int
    name: str
    address: str
    public_key: str
    port: int
    endpoint: str = ""
    """Public host:port; empty behind NAT."""
    direct_port: int = 0
    """Port of the interface for direct ways, and of a relay's for observing members."""
    is_fully_managed: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    id: int
    slug: str
    members: tuple[int, ...]
    master: int | None = None
    range4: str = ""
    """IPv4 range; empty without IPv4."""
    addresses4: Mapping[int, str] = field(default_factory=dict, hash=False)
    """IPv4 addresses by member."""
    has_resolver: bool = False
    subnets: tuple[Subnet, ...] = ()


@dataclass(frozen=True)
class Topology:
    """Input of the planning: nodes, networks and relays."""

    nodes: Mapping[int, Node]
    networks: tuple[Network, ...]
    relays: tuple[Node, ...]
    """All relays; members use the first until they have measured the others."""
    prefix: str
    suffix: str
    """DNS suffix of full names."""

    @cached_property
    def relay_ids(self) -> frozenset[int]:
        return frozenset(one.id for one in self.relays)

    @cached_property
    def networks_of(self) -> Mapping[int, tuple[Network, ...]]:
        found: defaultdict[int, list[Network]] = defaultdict(list)
        for network in sorted(self.networks, key=lambda one: one.id):
            for member in network.members:
                found[member].append(network)
        return {node: tuple(networks) for node, networks in found.items()}

    @cached_property
    def names(self) -> Mapping[int, tuple["Name", ...]]:
        """Return, by network, the hosts lines of its members, shared by all plans."""
        return {network.id: tuple(_names(self, network)) for network in self.networks}

    @cached_property
    def resolvers(self) -> Mapping[tuple[int, ...], Resolver]:
        """Return the resolvers by the networks that they answer for."""
        clients: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
        for node in self.networks_of:
            if ids := _asked(self, node):
                clients[ids].append(self.nodes[node].address)
        return {ids: _resolver(self, ids, clients[ids]) for ids in sorted(clients)}


@dataclass(frozen=True, slots=True)
class Peer:
    public_key: str
    allowed_ips: tuple[str, ...]
    endpoint: str = ""
    keepalive: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """A line of a hosts file."""

    address: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The IPv4 range of a network, and the device's own address in it."""

    prefix: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Direct:
    """The interface for direct ways."""

    port: int
    link: str
    """Its link-local address, which answers to nobody but direct peers."""
    observers: tuple[tuple[str, str], ...] = ()
    """Public key and endpoint of each relay's observing interface."""


@dataclass(frozen=True, slots=True)
class RelayLink:
    """One of several relays, and the port of the member's interface for it."""

    public_key: str
    endpoint: str
    address: str
    port: int


NO_MASTER = Name("::1", ("master",))


@dataclass(frozen=True, slots=True)
class Plan:
    """Desired overlay state of one device."""

    address: str
    port: int
    peers: tuple[Peer, ...]
    hosts: tuple[tuple[Name, ...], ...]
    """Blocks of lines, one per network; earlier blocks take precedence."""
    hostname: str | None = None
    prefix: str = ""
    direct: Direct | None = None
    relays: tuple[RelayLink, ...] = ()
    """All relays, the first of which is the first peer; empty if there is one."""
    ranges: tuple[Range, ...] = ()
    resolver: Resolver | None = None
    """The resolver that the device asks."""
    resolvers: tuple[Resolver, ...] = ()
    """The resolvers that a relay runs, and the names that they know."""
    zone_names: tuple[ZoneName, ...] = ()
    routes: tuple[Route, ...] = ()
    """Subnets behind other members."""
    subnets: tuple[Subnet, ...] = ()
    """Subnets behind the device itself."""


NOTHING = Plan("", 0, (), ())


def pair(one: int, other: int) -> Pair:
    return (one, other) if one < other else (other, one)


def pairs(networks: Iterable[Network]) -> set[Pair]:
    """Return all pairs of nodes that share a network."""
    return {
        pair(one, other)
        for network in networks
        for one, other in combinations(network.members, 2)
    }


def _names(world: Topology, network: Network) -> Iterator[Name]:
    if network.master in network.members:
        for address in _addresses(world, network, network.master):
            yield Name(address, ("master",))
    for member in sorted(network.members, key=lambda one: world.nodes[one].name):
        node = world.nodes[member]
        full = f"{node.name}.{_zone(world, network)}"
        for address in _addresses(world, network, member):
            yield Name(address, (node.name, full))


def _addresses(world: Topology, network: Network, member: int) -> Iterator[str]:
    yield world.nodes[member].address
    if member in network.addresses4:
        yield network.addresses4[member]


def _zone(world: Topology, network: Network) -> str:
    return f"{network.slug}.{world.suffix}"


def _asked(world: Topology, node_id: int) -> tuple[int, ...]:
    """Return the networks whose names a member asks a resolver for."""
    return tuple(one.id for one in world.networks_of[node_id] if one.has_resolver)


def _resolver(world: Topology, ids: tuple[int, ...], clients: Iterable[str]) -> Resolver:
    rows = [one for one in world.networks if one.id in ids]
    found = zones.resolver(
        ids,
        [_zone(world, one) for one in rows],
        [one.range4 for one in rows if one.range4],
        world.prefix,
    )
    return replace(found, clients=tuple(sorted(clients)))


def _zone_names(world: Topology) -> Iterator[ZoneName]:
    for network in world.networks:
        if not network.has_resolver:
            continue
        for line in world.names[network.id]:
            full = line.names[-1]
            # The name "master" has no long form in hosts files, where it is one for all networks.
            name = full if "." in full else f"{full}.{_zone(world, network)}"
            yield ZoneName(network.id, line.address, name)


def plan(world: Topology, node_id: int) -> Plan:
    """Compute the plan of a node; :data:`NOTHING` if it is in no network."""
    networks = world.networks_of.get(node_id, ())
    if not networks:
        return NOTHING
    node = world.nodes[node_id]
    blocks = tuple(world.names[network.id] for network in networks)
    has_master = any(one.master in one.members for one in networks)
    ranges = tuple(
        Range(one.range4, one.addresses4[node_id])
        for one in networks
        if node_id in one.addresses4
    )
    routes = tuple(_routes(networks, node))
    return Plan(
        address=node.address,
        port=node.port,
        peers=tuple(_peers(world, (*ranges, *routes))),
        hosts=blocks if has_master else (*blocks, (NO_MASTER,)),
        hostname=node.name if node.is_fully_managed else None,
        prefix=world.prefix,
        direct=_direct(world, node),
        relays=tuple(_relay_links(world, node)),
        ranges=ranges,
        resolver=_resolver_of(world, node_id),
        routes=routes,
        # Who may reach them does not concern the device, but its firewall.
        subnets=tuple(
            replace(one, allowed=frozenset()) for one in _own_subnets(world, node_id)
        ),
    )


def _own_subnets(world: Topology, node_id: int) -> Iterator[Subnet]:
    for network in world.networks_of[node_id]:
        yield from (one for one in network.subnets if one.node == node_id)


def _routes(networks: Iterable[Network], node: Node) -> Iterator[Route]:
    """Yield the subnets that the policy lets the node reach, or that may reach it."""
    for network in networks:
        for one in network.subnets:
            is_v6 = ":" in one.prefix
            source = node.address if is_v6 else network.addresses4.get(node.id, "")
            if one.node != node.id and node.id in one.allowed and source:
                yield Route(one.prefix, source)


def _resolver_of(world: Topology, node_id: int) -> Resolver | None:
    found = world.resolvers.get(_asked(world, node_id))
    # Who else asks it does not concern the member.
    return replace(found, clients=()) if found else None


def _peers(world: Topology, reached: Iterable[Range | Route]) -> Iterator[Peer]:
    prefixes = (world.prefix, *(one.prefix for one in reached))
    for relay in world.relays:
        # Always kept alive: that the relay reaches a device must not depend on its router.
        yield Peer(relay.public_key, prefixes, relay.endpoint, KEEPALIVE_SECONDS)


def _direct(world: Topology, node: Node) -> Direct:
    observers = tuple(
        (one.public_key, with_port(one.endpoint, shift=one.direct_port - one.port))
        for one in world.relays
        if one.endpoint
    )
    return Direct(node.direct_port, link_address(node.address), observers)


def _relay_links(world: Topology, node: Node) -> Iterator[RelayLink]:
    relays = [one for one in world.relays if one.endpoint]
    if len(relays) < SEVERAL or node.id in world.relay_ids:
        return
    low, high = sorted((node.port, node.direct_port))
    for number, relay in enumerate(relays):
        # Beside the two ports that the first relay and direct ways have.
        port = high + number if high + len(relays) <= HIGHEST_PORT else low - number
        yield RelayLink(
            relay.public_key, relay.endpoint, relay.address, port if number else node.port
        )


def with_port(endpoint: str, *, shift: int) -> str:
    """Return the endpoint with its port moved by `shift`."""
    host, _, port = endpoint.rpartition(":")
    return f"{host}:{int(port) + shift}"


def link_address(address: str) -> str:
    """Return the link-local address on the interface for direct ways."""
    return str(IPv6Address((0xFE80 << 112) | int(IPv6Address(address)) % 2**64))


def relay_plan(world: Topology, relay: Node) -> Plan:
    """Compute a relay's plan: every member as a peer restricted to its own address.

    The peers have no endpoints: WireGuard knows better where a member was last heard from.
    A relay that is a member too gets the names of its networks like any other member.
    """
    own = plan(world, relay.id)
    mine = {one.prefix: one.address for one in own.ranges}
    return Plan(
        address=relay.address,
        port=relay.port,
        peers=tuple(
            Peer(node.public_key, tuple(_sources(world, node)))
            for node in sorted(world.nodes.values(), key=lambda one: one.id)
            if node.id not in world.relay_ids and node.id in world.networks_of
        ),
        hosts=own.hosts,
        hostname=own.hostname,
        prefix=world.prefix,
        direct=Direct(relay.direct_port, link_address(relay.address)),
        ranges=tuple(
            Range(one.range4, mine.get(one.range4, "")) for one in world.networks if one.range4
        ),
        resolvers=tuple(world.resolvers.values()),
        zone_names=tuple(_zone_names(world)),
        routes=tuple(
            Route(one.prefix) for network in world.networks for one in network.subnets
        ),
    )


def _sources(world: Topology, node: Node) -> Iterator[str]:
    """Yield the prefixes that a member may send from."""
    yield f"{node.address}/128"
    for network in world.networks_of[node.id]:
        if node.id in network.addresses4:
            yield f"{network.addresses4[node.id]}/32"
    yield from (one.prefix for one in _own_subnets(world, node.id))


def plans(world: Topology) -> dict[int, Plan]:
    """Compute the plans of all members. Name blocks of a network are shared objects."""
    found = {node_id: plan(world, node_id) for node_id in world.networks_of}
    return found | {relay.id: relay_plan(world, relay) for relay in world.relays}
