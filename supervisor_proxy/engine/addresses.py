"""Which addresses the portal dials: networks that the settings name, and nothing of its own."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Where clouds keep the secrets of their machines; inside networks that are private otherwise.
METADATA = frozenset(
    ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")
)
PORTS = range(1, 65536)
LOWEST_FREE_PORT = 1024
WEB = 80


def plain(text: str) -> IPv4Address | IPv6Address | None:
    """The address that packets would go to; None if this is none (names are not looked up)."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def why_not(text: str, networks: Iterable[str]) -> str:
    """Why this address is not dialled, in a sentence; empty if it may be."""
    address = plain(text)
    if address is None:
        return f"{text!r} is no IP address."
    if address in METADATA or address.is_multicast or address.is_unspecified:
        return f"{address} is never the address of a device."
    if any(
        address in net
        for net in (ip_network(one, strict=False) for one in networks)
        if net.version == address.version
    ):
        return ""
    return (
        f"{address} is in none of the networks that the portal calls supervisors in "
        "(MUSTER_SUPERVISOR_NETWORKS)."
    )


def port_fits(port: int) -> bool:
    """Not the ports of other services: 80, which old devices have, or a free one."""
    return port == WEB or LOWEST_FREE_PORT <= port < PORTS.stop
