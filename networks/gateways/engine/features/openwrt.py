"""Features of OpenWrt: sections of UCI packages, and calls of ubus.

``path`` is the package and ``noun`` the section type. If the type contains a name, as for
WireGuard peers, ``{name}`` in it becomes a property.
"""

from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    ADDRESSES,
    CIDRS,
    FLAG,
    HOST,
    INTERFACE,
    KEY,
    MAC,
    MTU,
    NAME,
    NETWORK,
    NETWORKS,
    PORT,
    PORTS,
    SECRET,
    SECRET_KEY,
    TEXT,
    VLAN,
    WHERE,
    WHERES,
    WORD,
    number,
    one_of,
    ordered,
    several,
)

Uci = partial(Feature, "openwrt", separator=" ")
ActionFeature = partial(Feature, "openwrt", operations=("create",))
PROTOCOLS = several("tcp", "udp", "icmp", "icmpv6", "esp", "gre", "igmp", "all")
TARGET = one_of("ACCEPT", "REJECT", "DROP")
FAMILY = one_of("any", "ipv4", "ipv6")
SERVICE = {"name": WORD}
LEASE = {**WORD, "compare": "duration"}

OPENWRT = (
    Uci(
        "openwrt.firewall.rule", "firewall", "rule",
        is_ordered=True, final=("target", "REJECT", "DROP"), chain=("src", "dest"),
        properties={
            "name": NAME, "enabled": FLAG, "src": WHERE, "src_ip": WHERES, "src_port": PORTS,
            "dest": WHERE, "dest_ip": WHERES, "dest_port": PORTS, "proto": PROTOCOLS,
            "family": FAMILY, "target": TARGET,
        },
        required=("name", "target"),
        example={"name": "Allow web", "src": "wan", "proto": ["tcp"], "dest_port": 443,
                 "target": "ACCEPT"},
        change={"target": "DROP", "enabled": False},
    ),
    Uci(
        "openwrt.firewall.port_forward", "firewall", "redirect", constants={"target": "DNAT"},
        is_ordered=True,
        properties={
            "name": NAME, "enabled": FLAG, "src": WHERE, "src_ip": WHERE, "src_dport": PORTS,
            "dest": WHERE, "dest_ip": ADDRESS, "dest_port": PORTS, "proto": PROTOCOLS,
            "reflection": FLAG,
        },
        required=("name", "src", "src_dport", "dest_ip"),
        example={"name": "Web server", "src": "wan", "src_dport": 8443, "dest": "lan",
                 "dest_ip": "192.168.1.10", "dest_port": 443, "proto": ["tcp"]},
        change={"dest_ip": "192.168.1.11"},
    ),
    Uci(
        "openwrt.firewall.source_nat", "firewall", "nat", constants={"target": "SNAT"},
        is_ordered=True,
        properties={
            "name": NAME, "enabled": FLAG, "src": WHERE, "src_ip": WHERE, "dest_ip": WHERE,
            "snat_ip": ADDRESS, "proto": PROTOCOLS,
        },
        required=("name", "snat_ip"),
        example={"name": "Mail", "src": "wan", "src_ip": "192.168.1.25",
                 "snat_ip": "198.51.100.7", "proto": ["all"]},
        change={"snat_ip": "198.51.100.8"},
    ),
    Uci(
        "openwrt.firewall.zone", "firewall", "zone",
        properties={
            "name": INTERFACE, "network": WHERES, "input": TARGET, "output": TARGET,
            "forward": TARGET, "masq": FLAG, "mtu_fix": FLAG,
        },
        required=("name",),
        example={"name": "guest", "network": ["guest"], "input": "REJECT", "output": "ACCEPT",
                 "forward": "REJECT"},
        change={"input": "DROP"},
    ),
    Uci(
        "openwrt.firewall.forwarding", "firewall", "forwarding",
        properties={"src": WHERE, "dest": WHERE, "enabled": FLAG}, required=("src", "dest"),
        example={"src": "guest", "dest": "wan"}, change={"enabled": False},
    ),
    Uci(
        "openwrt.firewall.ipset", "firewall", "ipset",
        properties={
            "name": WORD, "family": one_of("ipv4", "ipv6"), "enabled": FLAG,
            "match": several("src_ip", "dest_ip", "src_net", "dest_net", "src_mac"),
            "entry": WHERES,
        },
        required=("name", "match"), aliases=("openwrt.firewall.alias",),
        example={"name": "bad", "match": ["src_net"], "entry": ["203.0.113.0/24"]},
        change={"entry": ["203.0.113.0/24", "198.51.100.0/24"]},
    ),
    Uci(
        "openwrt.dhcp.static_host", "dhcp", "host",
        properties={"name": HOST, "mac": MAC, "ip": ADDRESS, "leasetime": LEASE, "tag": WORD},
        required=("mac", "ip"), aliases=("openwrt.dhcp.reservation",),
        example={"name": "printer", "mac": "02:00:00:00:00:05", "ip": "192.168.1.5"},
        change={"ip": "192.168.1.6"},
    ),
    Uci(
        "openwrt.dhcp.pool", "dhcp", "dhcp",
        properties={
            "interface": INTERFACE, "start": number(1, 65535), "limit": number(1, 65535),
            "leasetime": LEASE, "ignore": FLAG, "force": FLAG, "dhcp_option": WHERES,
        },
        required=("interface",),
        example={"interface": "guest", "start": 100, "limit": 50, "leasetime": "1h"},
        change={"limit": 100},
    ),
    Uci(
        "openwrt.dns.override", "dhcp", "domain",
        properties={"name": HOST, "ip": ADDRESS}, required=("name", "ip"), in_area="dhcp",
        example={"name": "nas.example.org", "ip": "192.168.1.2"},
        change={"ip": "192.168.1.3"},
    ),
    Uci(
        "openwrt.dns.cname", "dhcp", "cname",
        properties={"cname": HOST, "target": HOST}, required=("cname", "target"),
        in_area="dhcp",
        example={"cname": "files.example.org", "target": "nas.example.org"},
        change={"target": "nas2.example.org"},
    ),
    Uci(
        "openwrt.routing.static_route", "network", "route",
        properties={
            "interface": INTERFACE, "target": NETWORK, "gateway": ADDRESS,
            "metric": number(0, 65535), "mtu": MTU, "disabled": FLAG,
        },
        required=("interface", "target"),
        example={"interface": "lan", "target": "10.5.0.0/16", "gateway": "192.168.1.254"},
        change={"gateway": "192.168.1.253"},
    ),
    Uci(
        "openwrt.vpn.wireguard.interface", "network", "interface",
        constants={"proto": "wireguard"}, identity=("name",),
        properties={
            "name": INTERFACE, "private_key": SECRET_KEY, "listen_port": PORT,
            "addresses": CIDRS, "mtu": MTU, "disabled": FLAG,
        },
        required=("name", "private_key"), names={"port": "listen_port"},
        aliases=("openwrt.vpn.wireguard",),
        example={"name": "wg0", "private_key": "B" * 42 + "A=", "listen_port": 51820,
                 "addresses": ["10.9.0.1/24"]},
        change={"listen_port": 51821},
    ),
    Uci(
        "openwrt.vpn.wireguard.peer", "network", "wireguard_{interface}",
        properties={
            "interface": INTERFACE, "description": NAME, "public_key": KEY,
            "preshared_key": SECRET_KEY, "allowed_ips": NETWORKS, "endpoint_host": HOST,
            "endpoint_port": PORT, "persistent_keepalive": number(0, 65535),
            "route_allowed_ips": FLAG, "disabled": FLAG,
        },
        required=("interface", "public_key"), identity=("interface",),
        example={"interface": "wg0", "description": "laptop", "public_key": "A" * 43 + "=",
                 "allowed_ips": ["10.9.0.2/32"]},
        change={"persistent_keepalive": 25},
    ),
    Uci(
        "openwrt.interfaces.vlan", "network", "device", constants={"type": "8021q"},
        properties={"name": INTERFACE, "ifname": INTERFACE, "vid": VLAN, "mtu": MTU},
        required=("name", "ifname", "vid"),
        example={"name": "eth0.20", "ifname": "eth0", "vid": 20}, change={"mtu": 1400},
    ),
    Uci(
        "openwrt.interfaces.bridge_vlan", "network", "bridge-vlan",
        properties={"device": INTERFACE, "vlan": VLAN, "ports": WHERES},
        required=("device", "vlan"),
        example={"device": "br-lan", "vlan": 30, "ports": ["lan1:t", "lan2"]},
        change={"ports": ["lan1:t"]},
    ),
    Uci(
        "openwrt.interfaces.network", "network", "interface", identity=("name",),
        properties={
            "name": INTERFACE, "proto": one_of("static", "dhcp", "dhcpv6", "none"),
            "device": INTERFACE, "ipaddr": ADDRESS, "netmask": ADDRESS, "gateway": ADDRESS,
            "dns": ordered(ADDRESSES), "mtu": MTU, "auto": FLAG,
        },
        required=("name", "proto"),
        example={"name": "guest", "proto": "static", "device": "br-guest",
                 "ipaddr": "192.168.3.1", "netmask": "255.255.255.0"},
        change={"ipaddr": "192.168.3.2"},
    ),
    Uci(
        "openwrt.wifi.ssid", "wireless", "wifi-iface",
        properties={
            "device": WORD, "mode": one_of("ap", "sta", "mesh"), "network": WHERES,
            "ssid": {"type": "string", "minLength": 1, "maxLength": 32}, "hidden": FLAG,
            "encryption": one_of("none", "psk2", "psk-mixed", "sae", "sae-mixed", "owe"),
            "key": SECRET, "isolate": FLAG, "disabled": FLAG, "macfilter": one_of("allow", "deny"),
            "maclist": {"type": "array", "items": MAC, "maxItems": 256}, "ieee80211r": FLAG,
            "ieee80211w": number(0, 2), "ieee80211k": FLAG, "bss_transition": FLAG,
            "mobility_domain": {"type": "string", "pattern": r"^[0-9a-fA-F]{4}$"},
        },
        required=("device", "ssid", "encryption"),
        example={"device": "radio0", "mode": "ap", "network": ["guest"], "ssid": "Guests",
                 "encryption": "sae", "key": "correct horse"},
        change={"ssid": "Visitors"},
    ),
    Uci(
        "openwrt.wifi.radio", "wireless", "wifi-device", operations=("update",),
        properties={
            "channel": {"type": ["string", "integer"], "pattern": r"^(auto|\d{1,3})$"},
            "htmode": {"type": "string", "pattern": r"^(NOHT|(HT|VHT|HE|EHT)\d{2,3}[+-]?)$"},
            "country": {"type": "string", "pattern": r"^[A-Z]{2}$"}, "txpower": number(0, 40),
            "disabled": FLAG, "cell_density": number(0, 3), "legacy_rates": FLAG,
        },
        change={"channel": "44", "htmode": "HE40", "country": "DE"},
    ),
    Uci(
        "openwrt.system.settings", "system", "system", operations=("update",),
        properties={
            "hostname": HOST, "description": TEXT, "zonename": TEXT, "timezone": TEXT,
            "log_ip": ADDRESS, "log_port": PORT,
        },
        aliases=("openwrt.system.identity",), change={"hostname": "gate"},
    ),
    Uci(
        "openwrt.system.ntp", "system", "timeserver", operations=("update",),
        properties={"enabled": FLAG, "enable_server": FLAG, "server": WHERES},
        change={"server": ["0.pool.ntp.org", "1.pool.ntp.org"]},
    ),
    ActionFeature(
        "openwrt.services.restart", action="rc/init", properties=SERVICE, required=("name",),
        constants={"action": "restart"}, example={"name": "dnsmasq"},
    ),
    ActionFeature(
        "openwrt.services.start", action="rc/init", properties=SERVICE, required=("name",),
        constants={"action": "start"}, example={"name": "dnsmasq"},
    ),
    ActionFeature(
        "openwrt.services.stop", action="rc/init", properties=SERVICE, required=("name",),
        constants={"action": "stop"}, example={"name": "dnsmasq"},
    ),
    ActionFeature("openwrt.system.reboot", action="system/reboot", catastrophic=True),
    ActionFeature(
        "openwrt.system.firmware_install", action="rpc-sys/upgrade_start",
        properties={"keep": FLAG}, catastrophic=True, example={"keep": True},
    ),
    ActionFeature("openwrt.system.factory_reset", action="rpc-sys/factory", catastrophic=True),
)  # fmt: skip
