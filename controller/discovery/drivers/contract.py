"""Contract of the discovery drivers: plain values."""

from dataclasses import dataclass, field
from typing import Any

# Methods that find hosts; dns only resolves the names of found hosts.
METHODS = ("tcp_connect", "icmp", "arp", "mdns", "ssdp", "snmp", "dns")
USUAL_METHODS = ("tcp_connect", "mdns", "ssdp", "dns")
USUAL_COMMUNITY = "public"
USUAL_PORTS = (22, 23, 80, 443, 554, 8080, 8443)


@dataclass(frozen=True)
class Question:
    """Parameters of a scan for every host; ``seconds`` is the timeout of one answer."""

    methods: tuple[str, ...] = USUAL_METHODS
    ports: tuple[int, ...] = USUAL_PORTS
    seconds: float = 2.0
    community: str = field(default=USUAL_COMMUNITY, repr=False)


@dataclass(frozen=True)
class HostReport:
    """Host that answered to at least one method."""

    address: str
    ports: tuple[int, ...] = ()
    mac_address: str = ""
    ways: tuple[str, ...] = ()
    # By source: banner:22, http:80:title, http:80:server, mdns, mdns:name, ssdp, snmp,
    # snmp:name,
    # dns.
    said: dict[str, Any] = field(default_factory=dict)
