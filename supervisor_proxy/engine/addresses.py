"""Allow-list of addresses that the portal connects to."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Cloud metadata services, which lie inside otherwise private networks.
METADATA = frozenset(
    ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")
)
PORTS = range(1, 65536)
LOWEST_FREE_PORT = 1024
WEB = 80


def plain(text: str) -> IPv4Address | IPv6Address | None:
    """Return the effective IP address; None if invalid. Host names are not resolved."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def why_not(text: str, networks: Iterable[str]) -> str:
    """Return the reason why this address is not allowed; empty if it is."""
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
    """Return whether the port is allowed: 80 for old devices, or unprivileged."""
    return port == WEB or LOWEST_FREE_PORT <= port < PORTS.stop
