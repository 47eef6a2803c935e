"""Titles of features, areas and fields for people; keys and names stay those of the vendors."""

import re
from collections.abc import Mapping

from networks.gateways.engine.features.feature_titles import FEATURES

AREAS: Mapping[str, str] = {
    "backup": "Backup", "bulk": "Many at once", "clients": "Clients", "cluster": "Cluster",
    "container": "Containers", "cron": "Scheduled jobs", "devices": "Devices", "dhcp": "DHCP",
    "dns": "DNS", "firewall": "Firewall", "firmware": "Firmware", "ha": "High availability",
    "capsman": "CAPsMAN", "hotspot": "Hotspot", "ids": "Intrusion detection", "interfaces": "Interfaces", "ip": "IP addresses", "nat": "NAT",
    "network": "Networks", "networks": "Networks", "node": "Nodes",
    "port-profiles": "Port profiles", "ppp": "PPP", "profiles": "Profiles", "queues": "Queues", "radios": "Radios", "radius": "RADIUS",
    "routing": "Routing", "sdn": "Software-defined network", "security": "Security",
    "services": "Services", "shaper": "Traffic shaper", "snapshot": "Snapshots",
    "storage": "Storage", "switch": "Switches", "switch-advanced": "Switches", "system": "System", "traffic": "Traffic", "vm": "Virtual machines",
    "vpn": "VPN", "wifi": "Wi-Fi", "wlan-groups": "Wireless network groups", "wlans": "Wi-Fi",
}  # fmt: skip

ACRONYMS: Mapping[str, str] = {
    word.lower(): word
    for word in (
        "CA", "CPU", "DHCP", "DNS", "HA", "ID", "IP", "IPsec", "IPv4", "IPv6", "L2TP", "MAC",
        "MTU", "NAT", "NTP", "PCP", "PoE", "PPP", "RADIUS", "SSID", "TLS", "TTL", "URL", "VLAN",
        "VM", "VPN", "WAN", "WireGuard", "WPA",
    )
}  # fmt: skip
# Names that are one word at the vendor, or abbreviations.
FIELDS: Mapping[str, str] = {
    "allowedips": "Allowed addresses", "bridge_ports": "Ports", "caref": "CA",
    "certref": "Certificate", "client2client": "Clients reach each other", "descr": "Description",
    "dest": "Destination", "disableroutes": "No automatic routes", "dport": "Destination port",
    "fwd": "Forward to", "gwredir": "All traffic through the VPN", "iface": "Interface",
    "ifname": "Interface", "ikeid": "Phase 1", "iketype": "IKE version", "ipaddr": "IP address",
    "ipprotocol": "IP version", "keepalive": "Keepalive (seconds)", "leasetime": "Lease time",
    "listenport": "Listen port", "localip": "Local IP address", "mday": "Day of the month",
    "networkconf id": "Network", "onboot": "Start at boot", "opt": "Interface",
    "persistentkeepalive": "Keepalive (seconds)", "presharedkey": "Pre-shared key",
    "privatekey": "Private key", "privkey": "Private key", "proto": "Protocol",
    "psk": "Pre-shared key", "pubkey": "Public key", "publickey": "Public key",
    "quick": "First match decides", "rr": "Record type", "serveraddress": "Server address",
    "serverport": "Server port", "serverservers": "Servers", "src": "Source",
    "dst": "Destination", "tunneladdress": "Tunnel addresses", "vid": "VLAN ID",
    "vlanif": "VLAN interface", "vmid": "VM ID", "wday": "Day of the week",
}  # fmt: skip
WORDS: Mapping[str, str] = {
    "src": "source", "dst": "destination", "fwd": "forward", "conf": "configuration",
    "auth": "authentication", "addr": "address", "algo": "algorithm", "hw": "hardware",
}  # fmt: skip
VERBS: Mapping[str, str] = {"create": "Add", "update": "Change", "delete": "Delete"}


def field_label(name: str) -> str:
    """Return the label of a field: ``listen_port`` and ``listenPort`` are "Listen port"."""
    bare = name.removeprefix("x_").rsplit(".", 1)[-1]
    if known := FIELDS.get(bare.lower()):
        return known
    parts = re.split(r"[_.-]+|(?<=[a-z0-9])(?=[A-Z])", bare)
    words = [WORDS.get(one.lower(), one.lower()) for one in parts if one]
    text = " ".join(ACRONYMS.get(one, one) for one in words)
    return text[:1].upper() + text[1:]


def area_title(area: str) -> str:
    return AREAS.get(area) or field_label(area)


def feature_title(vendor: str, key: str) -> tuple[str, str]:
    """Return the title of a feature and a sentence about it."""
    bare = key.removeprefix(f"{vendor}.")
    return FEATURES.get(bare) or (field_label(bare).lower(), "")
