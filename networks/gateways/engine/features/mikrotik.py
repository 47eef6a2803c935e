"""Features of MikroTik RouterOS 7 (and 6 by its binary API).

``path`` is the menu. Values are texts as the router prints them.
"""

from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    ADDRESSES,
    CIDR,
    DURATION,
    FLAG,
    HOST,
    KEY,
    MAC,
    MTU,
    NAME,
    NETWORK,
    NETWORKS,
    PORT,
    PORTS,
    RATE,
    SECRET,
    SECRET_KEY,
    TEXT,
    VLAN,
    WHERE,
    WHERES,
    WORD,
    number,
    one_of,
    several,
)

Menu = partial(Feature, "mikrotik", truth=("false", "true"))
Settings = partial(Menu, operations=("update",))
ActionFeature = partial(Feature, "mikrotik", operations=("create",))
FILTER = {
    "disabled": FLAG, "comment": TEXT, "chain": WORD, "protocol": WORD, "src-address": WHERE,
    "dst-address": WHERE, "src-port": PORTS, "dst-port": PORTS, "in-interface": WHERE,
    "out-interface": WHERE, "src-address-list": WORD, "dst-address-list": WORD,
    "log": FLAG,
}  # fmt: skip
STATES = {
    "connection-state": several("established", "related", "new", "invalid", "untracked"),
}  # fmt: skip
COMMENTED = {"disabled": FLAG, "comment": TEXT}

MIKROTIK = (
    Menu(
        "mikrotik.firewall.filter_rule", "ip/firewall/filter", is_ordered=True,
        final=("action", "drop", "reject"), chain=("chain",), has_savepoint=True,
        properties={
            **FILTER, **STATES, "action": one_of("accept", "drop", "reject", "fasttrack-connection", "jump",
                                       "log", "passthrough", "return", "tarpit"),
        },
        required=("chain", "action"),
        example={"chain": "forward", "protocol": "tcp", "dst-port": 443, "action": "accept"},
        change={"action": "drop"},
    ),
    Menu(
        "mikrotik.firewall.nat_rule", "ip/firewall/nat", is_ordered=True,
        properties={
            **FILTER, "action": one_of("accept", "dst-nat", "src-nat", "masquerade", "redirect",
                                       "netmap", "return", "jump"),
            "to-addresses": WHERE, "to-ports": PORTS,
        },
        required=("chain", "action"),
        example={"chain": "dstnat", "protocol": "tcp", "dst-port": 8443, "action": "dst-nat",
                 "to-addresses": "192.168.88.10", "to-ports": 443},
        change={"to-addresses": "192.168.88.11"},
    ),
    Menu(
        "mikrotik.firewall.mangle_rule", "ip/firewall/mangle", is_ordered=True,
        properties={
            **FILTER, **STATES, "action": one_of("accept", "mark-connection", "mark-packet",
                                       "mark-routing", "change-mss", "change-dscp"),
            "new-packet-mark": WORD, "new-connection-mark": WORD, "new-routing-mark": WORD,
            "passthrough": FLAG,
        },
        required=("chain", "action"),
        example={"chain": "prerouting", "action": "mark-packet", "new-packet-mark": "voice"},
        change={"new-packet-mark": "video"},
    ),
    Menu(
        "mikrotik.firewall.address_list", "ip/firewall/address-list",
        properties={**COMMENTED, "list": WORD, "address": WHERE},
        required=("list", "address"), aliases=("mikrotik.firewall.alias",),
        example={"list": "bad", "address": "203.0.113.0/24"}, change={"comment": "Scanners"},
    ),
    Menu(
        "mikrotik.routing.static_route", "ip/route",
        properties={
            **COMMENTED, "dst-address": NETWORK, "gateway": WHERE, "distance": number(1, 255),
            "routing-table": WORD, "check-gateway": one_of("none", "ping", "arp"),
        },
        required=("dst-address", "gateway"),
        example={"dst-address": "10.5.0.0/16", "gateway": "192.168.88.254"},
        change={"distance": 5},
    ),
    Menu(
        "mikrotik.dhcp.lease_static", "ip/dhcp-server/lease",
        properties={
            **COMMENTED, "address": ADDRESS, "mac-address": MAC, "server": WORD,
            "client-id": TEXT,
        },
        required=("address", "mac-address"), aliases=("mikrotik.dhcp.reservation",),
        example={"address": "192.168.88.5", "mac-address": "02:00:00:00:00:05"},
        change={"address": "192.168.88.6"},
    ),
    Menu(
        "mikrotik.dhcp.server", "ip/dhcp-server",
        properties={**COMMENTED, "name": WORD, "interface": WHERE, "address-pool": WORD,
                    "lease-time": DURATION},
        required=("name", "interface"),
        example={"name": "guests", "interface": "bridge", "address-pool": "guests"},
        change={"lease-time": "1h"},
    ),
    Menu(
        "mikrotik.dhcp.network", "ip/dhcp-server/network",
        properties={"comment": TEXT, "address": NETWORK, "gateway": ADDRESS,
                    "dns-server": ADDRESSES, "domain": HOST, "ntp-server": ADDRESSES},
        required=("address",),
        example={"address": "192.168.3.0/24", "gateway": "192.168.3.1"},
        change={"dns-server": ["192.168.3.1", "9.9.9.9"]},
    ),
    Menu(
        "mikrotik.dns.static", "ip/dns/static",
        properties={
            **COMMENTED, "name": HOST, "address": ADDRESS, "cname": HOST, "ttl": DURATION,
            "type": one_of("A", "AAAA", "CNAME", "TXT", "MX", "SRV", "FWD", "NXDOMAIN"),
        },
        required=("name",),
        example={"name": "nas.example.org", "address": "192.168.88.2"},
        change={"address": "192.168.88.3"},
    ),
    Settings(
        "mikrotik.dns.settings", "ip/dns",
        properties={"servers": ADDRESSES, "allow-remote-requests": FLAG,
                    "cache-size": number(64, 1048576)},
        change={"servers": ["9.9.9.9", "149.112.112.112"]},
    ),
    Menu(
        "mikrotik.vpn.wireguard.interface", "interface/wireguard",
        properties={**COMMENTED, "name": WORD, "listen-port": PORT, "mtu": MTU,
                    "private-key": SECRET_KEY},
        required=("name",), names={"listen_port": "listen-port"},
        aliases=("mikrotik.vpn.wireguard",),
        example={"name": "wg0", "listen-port": 51820, "private-key": "B" * 42 + "A="},
        change={"listen_port": 51821},
    ),
    Menu(
        "mikrotik.vpn.wireguard.peer", "interface/wireguard/peers",
        properties={
            **COMMENTED, "interface": WORD, "public-key": KEY, "preshared-key": SECRET_KEY,
            "allowed-address": NETWORKS, "endpoint-address": HOST, "endpoint-port": PORT,
            "persistent-keepalive": DURATION,
        },
        required=("interface", "public-key"),
        example={"interface": "wg0", "public-key": "A" * 43 + "=",
                 "allowed-address": ["10.9.0.2/32"]},
        change={"persistent-keepalive": "25s"},
    ),
    Menu(
        "mikrotik.vpn.ipsec.peer", "ip/ipsec/peer",
        properties={**COMMENTED, "name": WORD, "address": NETWORK, "profile": WORD,
                    "exchange-mode": one_of("main", "aggressive", "base", "ike2")},
        required=("name", "address"),
        example={"name": "branch", "address": "198.51.100.9/32", "exchange-mode": "ike2"},
        change={"address": "198.51.100.10/32"},
    ),
    Menu(
        "mikrotik.vpn.ipsec.identity", "ip/ipsec/identity",
        properties={**COMMENTED, "peer": WORD, "secret": SECRET,
                    "auth-method": one_of("pre-shared-key", "digital-signature", "eap")},
        required=("peer",), example={"peer": "branch", "secret": "correct horse"},
        change={"comment": "To the branch"},
    ),
    Menu(
        "mikrotik.vpn.ipsec.policy", "ip/ipsec/policy",
        properties={**COMMENTED, "peer": WORD, "tunnel": FLAG, "src-address": NETWORK,
                    "dst-address": NETWORK, "proposal": WORD},
        required=("src-address", "dst-address"),
        example={"peer": "branch", "tunnel": True, "src-address": "192.168.88.0/24",
                 "dst-address": "192.168.99.0/24"},
        change={"dst-address": "192.168.98.0/24"},
    ),
    Settings(
        "mikrotik.vpn.l2tp_server", "interface/l2tp-server/server",
        properties={"enabled": FLAG, "use-ipsec": one_of("yes", "no", "required"),
                    "ipsec-secret": SECRET, "default-profile": WORD},
        change={"use-ipsec": "required"},
    ),
    Menu(
        "mikrotik.interfaces.vlan", "interface/vlan",
        properties={**COMMENTED, "name": WORD, "vlan-id": VLAN, "interface": WHERE, "mtu": MTU},
        required=("name", "vlan-id", "interface"),
        example={"name": "vlan20", "vlan-id": 20, "interface": "bridge"},
        change={"vlan-id": 30},
    ),
    Menu(
        "mikrotik.interfaces.bridge_vlan", "interface/bridge/vlan",
        properties={**COMMENTED, "bridge": WORD, "tagged": WHERES, "untagged": WHERES,
                    "vlan-ids": PORTS},
        required=("bridge", "vlan-ids"),
        example={"bridge": "bridge", "vlan-ids": 20, "tagged": ["bridge", "ether2"]},
        change={"untagged": ["ether3"]},
    ),
    Menu(
        "mikrotik.ip.address", "ip/address",
        properties={**COMMENTED, "address": CIDR, "interface": WHERE},
        required=("address", "interface"),
        example={"address": "192.168.3.1/24", "interface": "bridge"},
        change={"comment": "Guests"},
    ),
    Menu(
        "mikrotik.ip.pool", "ip/pool",
        properties={"comment": TEXT, "name": WORD, "ranges": WHERES, "next-pool": WORD},
        required=("name", "ranges"),
        example={"name": "guests", "ranges": ["192.168.3.100-192.168.3.200"]},
        change={"ranges": ["192.168.3.50-192.168.3.99"]},
    ),
    Menu(
        "mikrotik.queues.simple", "queue/simple",
        properties={**COMMENTED, "name": NAME, "target": WHERES, "max-limit": RATE},
        required=("name", "target"),
        example={"name": "guests", "target": ["192.168.3.0/24"], "max-limit": "10M/20M"},
        change={"max-limit": "5M/10M"},
    ),
    Menu(
        "mikrotik.ppp.secret", "ppp/secret",
        properties={
            **COMMENTED, "name": WORD, "password": SECRET, "profile": WORD,
            "service": one_of("any", "l2tp", "ovpn", "pppoe", "pptp", "sstp"),
            "remote-address": ADDRESS,
        },
        required=("name", "password"),
        example={"name": "anna", "password": "correct horse", "service": "l2tp"},
        change={"remote-address": "10.8.0.5"},
    ),
    Menu(
        "mikrotik.hotspot.user", "ip/hotspot/user",
        properties={**COMMENTED, "name": WORD, "password": SECRET, "profile": WORD,
                    "limit-uptime": DURATION},
        required=("name",), example={"name": "guest7", "password": "correct horse"},
        change={"limit-uptime": "1h"},
    ),
    Menu(
        "mikrotik.security.radius_server", "radius",
        properties={**COMMENTED, "address": ADDRESS, "secret": SECRET, "timeout": DURATION,
                    "service": several("ppp", "login", "hotspot", "wireless", "dhcp", "ipsec")},
        required=("address", "secret"),
        example={"address": "192.168.88.9", "secret": "correct horse", "service": ["login"]},
        change={"service": ["login", "ppp"]},
    ),
    Settings(
        "mikrotik.security.snmp_settings", "snmp",
        properties={"enabled": FLAG, "contact": TEXT, "location": TEXT},
        aliases=("mikrotik.security.snmp.settings",), change={"location": "Rack 4"},
    ),
    Settings(
        "mikrotik.system.identity", "system/identity", properties={"name": NAME},
        change={"name": "gate"},
    ),
    Settings(
        "mikrotik.system.ntp", "system/ntp/client",
        properties={"enabled": FLAG, "servers": WHERES},
        change={"enabled": True, "servers": ["192.0.2.123"]},
    ),
    ActionFeature("mikrotik.system.reboot", action="system/reboot", catastrophic=True),
    ActionFeature("mikrotik.system.shutdown", action="system/shutdown", catastrophic=True),
    ActionFeature(
        "mikrotik.system.firmware.install", action="system/package/update/install",
        catastrophic=True,
    ),
    ActionFeature(
        "mikrotik.system.backup_create", "file", action="system/backup/save",
        properties={"name": WORD, "password": SECRET}, required=("name",),
        example={"name": "muster"},
    ),
)  # fmt: skip
