"""Subnets behind members: which may be routed, and what members and relays are told."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from networks.overlay.engine import ranges
from networks.overlay.engine.policies import Member
from networks.overlay.engine.ranges import Taken

LONGEST_NAME, LONGEST_PREFIX = 63, 43
# Larger ones are whole address plans.
SHORTEST_V4, SHORTEST_V6 = 8, 32
AUTOMATIC = ranges.AUTOMATIC

Network = IPv4Network | IPv6Network


class BadSubnet(ValueError):
    """Subnet that cannot be routed; the message says why."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """An approved subnet."""

    name: str
    node: int
    lan: str
    prefix: str
    masquerade: bool = True
    allowed: frozenset[int] = frozenset()
    """Members that the policy lets something through to, or from."""

    def identity(self, behind: str) -> Member:
        """Return the subnet as policies see it; `behind` is its member's overlay address."""
        is_v6 = ":" in self.prefix
        return Member(
            self.name,
            self.prefix if is_v6 else "",
            address4="" if is_v6 else self.prefix,
            behind=behind,
        )


@dataclass(frozen=True, slots=True)
class Route:
    prefix: str
    source: str = ""
    """Address to send from."""


def checked(text: str, overlay: str) -> Network:
    """Parse a subnet. Raises BadSubnet."""
    try:
        found = ip_network(text.strip())
    except ValueError as error:
        raise BadSubnet(
            f"{text[:LONGEST_PREFIX]!r} is no subnet: write its first address and prefix length, "
            "as in 192.168.1.0/24."
        ) from error
    shortest = SHORTEST_V4 if found.version == 4 else SHORTEST_V6  # noqa: PLR2004 - IPv4
    if found.prefixlen < shortest:
        raise BadSubnet(f"The prefix length of a subnet is at least {shortest}.")
    if any((found.is_multicast, found.is_loopback, found.is_link_local, found.is_reserved)):
        raise BadSubnet(f"{found} is not an address range of hosts in a network.")
    if ranges.conflict(found, ranges.parsed([overlay], "")):
        raise BadSubnet(f"{found} overlaps the addresses of overlay networks, {overlay}.")
    return found


def mapped(text: str, lan: Network, pool: IPv4Network, taken: Iterable[Taken]) -> Network:
    """Return the range that stands for a subnet, address by address. Raises BadSubnet."""
    if text != AUTOMATIC:
        found = checked(text, "::/128")
    elif not isinstance(lan, IPv4Network):
        raise BadSubnet("Only an IPv4 subnet can be mapped by auto.")
    else:
        free = ranges.free_block(pool, lan.prefixlen, taken)
        if free is None:
            raise BadSubnet(f"No range of {pool} is free.")
        found = free
    if (found.version, found.prefixlen) != (lan.version, lan.prefixlen):
        raise BadSubnet(f"{found} is not as large as {lan}.")
    return found


def route_lines(routes: Iterable[Route]) -> str:
    return "".join(f"{one.prefix} {one.source or '-'}\n" for one in routes)


def own_lines(own: Iterable[Subnet]) -> str:
    """Return the subnets of the member itself, for which it forwards."""
    return "".join(f"{one.lan} {one.prefix}\n" for one in own)
