"""How hosts are looked for: values in, values out."""

from dataclasses import dataclass, field
from typing import Any

# What finds hosts; dns only asks for the names of those that were found.
METHODS = ("tcp_connect", "icmp", "arp", "mdns", "ssdp", "snmp", "dns")
USUAL_METHODS = ("tcp_connect", "mdns", "ssdp", "dns")
USUAL_COMMUNITY = "public"
USUAL_PORTS = (22, 23, 80, 443, 554, 8080, 8443)


@dataclass(frozen=True)
class Question:
    """What every host of a scan is asked, and for how long, in seconds, one answer may take."""

    methods: tuple[str, ...] = USUAL_METHODS
    ports: tuple[int, ...] = USUAL_PORTS
    seconds: float = 2.0
    community: str = field(default=USUAL_COMMUNITY, repr=False)


@dataclass(frozen=True)
class HostReport:
    """A host that answered in some way."""

    address: str
    ports: tuple[int, ...] = ()
    mac_address: str = ""
    ways: tuple[str, ...] = ()
    # By where it was said: banner:22, http:80:title, http:80:server, mdns, mdns:name, ssdp, snmp,
    # snmp:name, dns.
    said: dict[str, Any] = field(default_factory=dict)
