"""Resolvers on relays: who asks which, and which names and zones it answers for.

A member must learn the names of its own networks alone, and dnsmasq answers everybody alike: so
each set of networks that members have has a resolver of its own, at an address of its own.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from networks.overlay.engine.keys import overlay_address

# No relay's own resolver listens there; the firewall leads the usual port to it.
PORT = 10053
LONGEST_ZONE = 24


@dataclass(frozen=True, slots=True)
class Resolver:
    """A resolver, for members that are in exactly these networks."""

    networks: tuple[int, ...]
    address: str
    zones: tuple[str, ...]
    """Zones of the networks, in which short names are looked up."""
    reverse: tuple[str, ...]
    """Zones of their addresses."""
    clients: tuple[str, ...] = ()
    """Addresses of the members, for relays."""


@dataclass(frozen=True, slots=True)
class ZoneName:
    network: int
    address: str
    name: str


def resolver(
    networks: tuple[int, ...], zones: Iterable[str], prefixes: Iterable[str], overlay: str
) -> Resolver:
    """Return the resolver of these networks, whose addresses are in these prefixes."""
    # A text of its own in place of a key: no device has this address.
    text = f"resolver of {' '.join(map(str, networks))}"
    return Resolver(
        networks=networks,
        address=overlay_address(b64encode(text.encode()).decode(), overlay),
        zones=tuple(zones),
        reverse=tuple(zone for one in (overlay, *prefixes) for zone in reverse_zones(one)),
    )


def reverse_zones(prefix: str) -> list[str]:
    """Return the zones of the addresses in a prefix."""
    network = ip_network(prefix)
    if isinstance(network, IPv6Network):
        digits = network.network_address.exploded.replace(":", "")
        return [f"{'.'.join(reversed(digits[: network.prefixlen // 4]))}.ip6.arpa"]
    return list(_reverse_v4(network))


def _reverse_v4(network: IPv4Network) -> Iterator[str]:
    length = min(-(-network.prefixlen // 8) * 8, LONGEST_ZONE)
    whole = network if network.prefixlen <= length else network.supernet(new_prefix=length)
    for one in whole.subnets(new_prefix=length):
        parts = str(one.network_address).split(".")[: length // 8]
        yield f"{'.'.join(reversed(parts))}.in-addr.arpa"


def client_lines(one: Resolver) -> str:
    """Return what a member has to know: the server, where to search, and what else to ask it."""
    lines = [f"server {one.address}"]
    lines += [f"search {zone}" for zone in one.zones]
    lines += [f"route {zone}" for zone in one.reverse]
    return "\n".join(lines) + "\n"


def relay_lines(resolvers: Iterable[Resolver], names: Iterable[ZoneName]) -> str:
    """Return what a relay has to know to run the resolvers."""
    lines = [
        f"resolver {one.address} {','.join(map(str, one.networks))} "
        f"{','.join((*one.zones, *one.reverse))}"
        for one in resolvers
    ]
    lines += [f"name {one.network} {one.address} {one.name}" for one in names]
    return "\n".join(lines) + "\n"


def wg_quick_lines(one: Resolver) -> list[str]:
    """Return settings of wg-quick that tell systemd-resolved of the zones alone."""
    domains = " ".join((*one.zones, *(f"~{zone}" for zone in one.reverse)))
    return [
        f"PostUp = resolvectl dns %i {one.address}",
        f"PostUp = resolvectl domain %i {domains}",
        "PostUp = resolvectl default-route %i false",
    ]
