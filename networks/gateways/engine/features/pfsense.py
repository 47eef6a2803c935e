"""Features of pfSense with the REST API package (pfrest.org), version 2.

``path`` is the endpoint of one object, ``noun`` that of all. pfSense numbers objects by
position; ``identity`` names the properties that identify an object, by default all of them.
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
    NETWORK,
    NETWORKS,
    PORTS,
    SECONDS,
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
)

Kind = partial(Feature, "pfsense")
Fixed = partial(Kind, operations=("create", "delete"))
Settings = partial(Kind, operations=("update",))
ActionFeature = partial(Kind, operations=("create",))
FIREWALL, ROUTING, DNS = "firewall/apply", "routing/apply", "services/dns_resolver/apply"
DHCP, WIREGUARD = "services/dhcp_server/apply", "vpn/wireguard/apply"
IPSEC = "vpn/ipsec/apply"
FAMILY = one_of("inet", "inet6", "inet46")
PROTOCOL = one_of("tcp", "udp", "tcp/udp", "icmp", "esp", "ah", "gre", "ipv6", "igmp", "any")
NAMED = ("address", "fqdn", "user_fqdn", "asn1dn", "keyid tag", "dyn_dns")
WITH_PORTS = ("tcp", "udp", "tcp/udp")
# Ports are text; a range has a colon if several ports are allowed.
PORT = {
    "type": ["string", "integer"],
    "pattern": r"^\d{1,5}$",
    "minimum": 1,
    "maximum": 65535,
    "compare": "number",
}
WORDS = {"type": "array", "items": WORD, "minItems": 1, "maxItems": 32}
# As in aes/256/sha256/14: name, key length, hash and DH group.
ALGORITHMS = {
    "type": "array", "minItems": 1, "maxItems": 16,
    "items": {"type": "string", "pattern": r"^[a-z0-9_]+(/[a-z0-9_]+){0,3}$"},
}  # fmt: skip
SERVICE = {"name": WORD}

PFSENSE = (
    Kind(
        "pfsense.firewall.rule", "firewall/rule", "firewall/rules", activation=FIREWALL,
        identity=("tracker",), empty_as={"protocol": "any"}, is_ordered=True,
        final=("type", "block", "reject"), chain=("interface",),
        properties={
            "type": one_of("pass", "block", "reject"), "interface": WHERES,
            "ipprotocol": FAMILY, "protocol": PROTOCOL, "source": WHERE, "source_port": PORTS,
            "destination": WHERE, "destination_port": PORTS, "descr": TEXT, "disabled": FLAG,
            "log": FLAG, "gateway": WHERE, "floating": FLAG, "quick": FLAG,
            "direction": one_of("in", "out", "any"),
        },
        required=("type", "interface", "ipprotocol", "source", "destination"),
        example={"type": "pass", "interface": ["lan"], "ipprotocol": "inet", "protocol": "tcp",
                 "source": "any", "destination": "any", "destination_port": "443"},
        change={"type": "block", "log": True},
    ),
    Kind(
        "pfsense.firewall.alias", "firewall/alias", "firewall/aliases", activation=FIREWALL,
        identity=("name",),
        properties={
            "name": {"type": "string", "pattern": r"^[A-Za-z0-9_]{1,31}$"},
            "type": one_of("host", "network", "port"), "descr": TEXT, "address": WHERES,
        },
        required=("name", "type"),
        example={"name": "printers", "type": "host", "address": ["10.0.0.8", "10.0.0.9"]},
        change={"address": ["10.0.0.7"]},
    ),
    Fixed(
        "pfsense.nat.port_forward", "firewall/nat/port_forward", "firewall/nat/port_forwards",
        activation=FIREWALL,
        properties={
            "interface": WHERE, "ipprotocol": FAMILY, "protocol": PROTOCOL, "source": WHERE,
            "source_port": PORTS, "destination": WHERE, "destination_port": PORTS,
            "target": WHERE, "local_port": PORTS, "descr": TEXT, "disabled": FLAG,
        },
        required=("interface", "protocol", "source", "destination", "target"),
        required_if={("protocol", one): ("local_port",) for one in WITH_PORTS},
        example={"interface": "wan", "protocol": "tcp", "source": "any",
                 "destination": "wan:ip", "destination_port": "8443", "target": "10.0.0.9",
                 "local_port": "443"},
    ),
    Fixed(
        "pfsense.nat.outbound", "firewall/nat/outbound/mapping",
        "firewall/nat/outbound/mappings", activation=FIREWALL,
        empty_as={"protocol": "any"},
        properties={
            "interface": WHERE, "protocol": PROTOCOL, "source": WHERE, "destination": WHERE,
            "target": WHERE, "target_subnet": number(0, 128), "descr": TEXT, "disabled": FLAG,
            "static_nat_port": FLAG,
        },
        required=("interface", "source", "destination", "target"),
        example={"interface": "wan", "source": "10.0.0.0/24", "destination": "any",
                 "target": "203.0.113.7"},
    ),
    Fixed(
        "pfsense.nat.one_to_one", "firewall/nat/one_to_one/mapping",
        "firewall/nat/one_to_one/mappings", activation=FIREWALL,
        properties={"interface": WHERE, "ipprotocol": one_of("inet", "inet6"), "external": WHERE,
                    "source": WHERE, "destination": WHERE, "descr": TEXT, "disabled": FLAG},
        required=("interface", "external", "source", "destination"),
        example={"interface": "wan", "external": "203.0.113.9", "source": "10.0.0.9",
                 "destination": "any"},
    ),
    Kind(
        "pfsense.routing.static_route", "routing/static_route", "routing/static_routes",
        activation=ROUTING, identity=("network",),
        properties={"network": NETWORK, "gateway": WORD, "descr": TEXT, "disabled": FLAG},
        required=("network", "gateway"),
        example={"network": "10.5.0.0/16", "gateway": "WANGW"}, change={"disabled": True},
    ),
    Kind(
        "pfsense.routing.gateway", "routing/gateway", "routing/gateways", activation=ROUTING,
        identity=("name",),
        properties={"name": WORD, "interface": WORD, "ipprotocol": one_of("inet", "inet6"),
                    "gateway": WHERE, "monitor": ADDRESS, "weight": number(1, 30),
                    "descr": TEXT, "disabled": FLAG},
        required=("name", "interface", "ipprotocol", "gateway"),
        example={"name": "LTE", "interface": "opt1", "ipprotocol": "inet",
                 "gateway": "198.51.100.1"},
        change={"weight": 2},
    ),
    Kind(
        "pfsense.dhcp.static_mapping", "services/dhcp_server/static_mapping",
        "services/dhcp_server/static_mappings", activation=DHCP, since="2.7.1", identity=("parent_id", "mac"),
        properties={"parent_id": WORD, "mac": MAC, "ipaddr": ADDRESS, "hostname": HOST,
                    "domain": HOST, "dnsserver": ADDRESSES, "descr": TEXT},
        required=("parent_id", "mac"), names={"interface": "parent_id"},
        aliases=("pfsense.dhcp.reservation",),
        example={"interface": "lan", "mac": "02:00:00:00:00:05", "ipaddr": "10.0.0.5"},
        change={"ipaddr": "10.0.0.6"},
    ),
    Kind(
        "pfsense.dns.override", "services/dns_resolver/host_override",
        "services/dns_resolver/host_overrides", activation=DNS, identity=("host", "domain"),
        properties={"host": HOST, "domain": HOST, "ip": ADDRESSES, "descr": TEXT},
        required=("host", "domain", "ip"), aliases=("pfsense.dns.host_override",),
        example={"host": "nas", "domain": "example.org", "ip": ["10.0.0.2"]},
        change={"ip": ["10.0.0.3"]},
    ),
    Kind(
        "pfsense.dns.domain_override", "services/dns_resolver/domain_override",
        "services/dns_resolver/domain_overrides", activation=DNS, identity=("domain",),
        properties={"domain": HOST, "ip": ADDRESS, "descr": TEXT, "forward_tls_upstream": FLAG, "tls_hostname": HOST},
        required=("domain", "ip"), names={"tls_queries": "forward_tls_upstream"},
        example={"domain": "corp.example", "ip": "10.0.0.53"},
        change={"ip": "10.0.0.54"},
    ),
    Kind(
        "pfsense.interfaces.vlan", "interface/vlan", "interface/vlans", identity=("vlanif",),
        properties={"if": INTERFACE, "tag": VLAN, "pcp": number(0, 7), "descr": TEXT},
        required=("if", "tag"), given_once=("if",), names={"description": "descr"},
        example={"if": "igb0", "tag": 20}, change={"pcp": 3},
    ),
    Kind(
        "pfsense.vpn.wireguard.tunnel", "vpn/wireguard/tunnel", "vpn/wireguard/tunnels",
        activation=WIREGUARD, identity=("name",), separator=" ",
        properties={"enabled": FLAG, "descr": {**TEXT, "since": "2.4.3"}, "listenport": PORT, "mtu": MTU,
                    "privatekey": SECRET_KEY, "addresses": CIDRS},
        required=("privatekey",), names={"listen_port": "listenport"},
        aliases=("pfsense.vpn.wireguard", "pfsense.vpn.wireguard.server"),
        example={"descr": "Phones", "listenport": 51820, "privatekey": "B" * 42 + "A=",
                 "addresses": ["10.9.0.1/24"]},
        change={"listen_port": 51821},
    ),
    Kind(
        "pfsense.vpn.wireguard.peer", "vpn/wireguard/peer", "vpn/wireguard/peers",
        activation=WIREGUARD, identity=("publickey",), separator=" ",
        properties={"enabled": FLAG, "tun": WORD, "endpoint": HOST, "port": PORT, "descr": {**TEXT, "since": "2.1.0"},
                    "persistentkeepalive": number(0, 65535), "publickey": KEY,
                    "presharedkey": SECRET_KEY, "allowedips": NETWORKS},
        # Off by default.
        required=("tun", "publickey"), defaults={"enabled": True},
        example={"tun": "tun_wg0", "publickey": "A" * 43 + "=", "descr": "laptop",
                 "allowedips": ["10.9.0.2/32"]},
        change={"persistentkeepalive": 25},
    ),
    Kind(
        "pfsense.vpn.openvpn.server", "vpn/openvpn/server", "vpn/openvpn/servers",
        identity=("vpnid",),
        properties={
            "description": TEXT, "disable": FLAG, "protocol": one_of("UDP4", "UDP6", "UDP", "TCP4", "TCP6", "TCP"),
            "mode": one_of("p2p_tls", "server_tls", "server_user", "server_tls_user"),
            "dev_mode": one_of("tun", "tap"), "interface": WORD, "local_port": PORTS,
            "caref": WORD, "certref": WORD, "dh_length": WORD, "ecdh_curve": WORD,
            "data_ciphers": WORDS, "data_ciphers_fallback": WORD, "digest": WORD,
            "tunnel_network": NETWORK, "local_network": NETWORKS, "remote_network": NETWORKS,
            "gwredir": FLAG, "maxclients": number(1, 65535), "client2client": FLAG,
            "dns_domain": HOST, "dns_server1": ADDRESS,
        },
        required=("mode", "dev_mode", "protocol", "interface", "caref", "certref", "dh_length",
                  "ecdh_curve", "data_ciphers", "data_ciphers_fallback", "digest"),
        example={"description": "Staff", "mode": "server_tls", "dev_mode": "tun",
                 "protocol": "UDP4", "interface": "wan", "local_port": "1194",
                 "caref": "5f0000000000a", "certref": "5f0000000000b", "dh_length": "2048",
                 "ecdh_curve": "prime256v1", "data_ciphers": ["AES-256-GCM"],
                 "data_ciphers_fallback": "AES-256-CBC", "digest": "SHA256",
                 "tunnel_network": "10.8.0.0/24"},
        change={"local_network": ["192.168.1.0/24"]},
    ),
    Kind(
        "pfsense.vpn.ipsec.phase1", "vpn/ipsec/phase1", "vpn/ipsec/phase1s",
        activation=IPSEC, identity=("ikeid",),
        properties={
            "descr": TEXT, "disabled": FLAG, "iketype": one_of("ikev1", "ikev2", "auto"),
            "mode": one_of("main", "aggressive"), "protocol": one_of("inet", "inet6", "both"),
            "interface": WORD, "remote_gateway": HOST,
            "authentication_method": one_of("pre_shared_key", "cert"),
            "myid_type": one_of("myaddress", "auto", *NAMED), "myid_data": TEXT,
            "peerid_type": one_of("any", "peeraddress", "auto", *NAMED),
            "peerid_data": TEXT, "pre_shared_key": SECRET, "certref": WORD, "caref": WORD,
            "lifetime": SECONDS, "encryption": ALGORITHMS,
        },
        required=("iketype", "protocol", "interface", "remote_gateway",
                  "authentication_method", "myid_type", "peerid_type", "encryption"),
        required_if={
            ("iketype", "ikev1"): ("mode",), ("iketype", "auto"): ("mode",),
            ("authentication_method", "pre_shared_key"): ("pre_shared_key",),
            ("authentication_method", "cert"): ("certref", "caref"),
            **{("myid_type", one): ("myid_data",) for one in ("auto", *NAMED)},
            **{("peerid_type", one): ("peerid_data",) for one in ("auto", *NAMED)},
        },
        example={"descr": "Branch", "iketype": "ikev2", "protocol": "inet", "interface": "wan",
                 "remote_gateway": "198.51.100.9", "authentication_method": "pre_shared_key",
                 "myid_type": "myaddress", "peerid_type": "peeraddress",
                 "pre_shared_key": "correct horse battery", "encryption": ["aes/256/sha256/14"]},
        change={"remote_gateway": "198.51.100.10"},
    ),
    Kind(
        "pfsense.dhcp.server", "services/dhcp_server", "services/dhcp_servers",
        activation="services/dhcp_server/apply", identity=("interface",), operations=("update",),
        properties={
            "interface": WORD, "enable": FLAG, "range_from": ADDRESS, "range_to": ADDRESS,
            "domain": HOST, "gateway": ADDRESS, "dnsserver": ordered(ADDRESSES),
            "ntpserver": WHERES, "defaultleasetime": number(60, 31536000),
            "maxleasetime": number(60, 31536000), "denyunknown": one_of("enabled", "class"),
        },
        change={"enable": True, "range_from": "192.168.1.100", "range_to": "192.168.1.150"},
    ),
    Kind(
        "pfsense.vpn.ipsec.phase2", "vpn/ipsec/phase2", "vpn/ipsec/phase2s",
        activation=IPSEC, identity=("uniqid",),
        properties={
            "ikeid": number(1, 65535), "descr": TEXT, "disabled": FLAG,
            "mode": one_of("tunnel", "tunnel6", "transport", "vti"),
            "localid_type": TEXT, "localid_address": ADDRESS, "localid_netbits": number(0, 128),
            "remoteid_type": one_of("address", "network"), "remoteid_address": ADDRESS,
            "remoteid_netbits": number(0, 128), "protocol": one_of("esp", "ah"),
            "encryption_algorithm_option": ALGORITHMS, "hash_algorithm_option": WORDS,
            "pfsgroup": number(0, 32), "lifetime": SECONDS,
        },
        required=("ikeid", "mode", "localid_type", "remoteid_type", "protocol",
                  "encryption_algorithm_option", "hash_algorithm_option"),
        example={"ikeid": 1, "descr": "Office to branch", "mode": "tunnel",
                 "localid_type": "network", "localid_address": "192.168.1.0",
                 "localid_netbits": 24, "remoteid_type": "network",
                 "remoteid_address": "192.168.2.0", "remoteid_netbits": 24, "protocol": "esp",
                 "encryption_algorithm_option": ["aes/256"],
                 "hash_algorithm_option": ["hmac_sha256"], "pfsgroup": 14},
        change={"lifetime": 7200},
    ),
    Settings(
        "pfsense.system.hostname", "system/hostname",
        properties={"hostname": HOST, "domain": HOST}, change={"hostname": "gate"},
    ),
    Settings(
        "pfsense.system.dns", "system/dns",
        properties={"dnsserver": ordered(ADDRESSES), "dnsallowoverride": FLAG},
        change={"dnsserver": ["9.9.9.9", "149.112.112.112"]},
    ),
    Kind(
        "pfsense.cron.job", "services/cron/job", "services/cron/jobs", identity=("command",),
        properties={"minute": TEXT, "hour": TEXT, "mday": TEXT, "month": TEXT, "wday": TEXT,
                    "who": WORD, "command": TEXT},
        required=("minute", "hour", "mday", "month", "wday", "who", "command"),
        example={"minute": "0", "hour": "3", "mday": "*", "month": "*", "wday": "*",
                 "who": "root", "command": "/usr/bin/true"},
        change={"hour": "4"}, catastrophic=True,
    ),
    ActionFeature("pfsense.firewall.apply", action="firewall/apply"),
    ActionFeature("pfsense.dns.apply", action="services/dns_resolver/apply"),
    *(
        ActionFeature(
            f"pfsense.services.{verb}", action="status/service", properties=SERVICE,
            required=("name",), constants={"action": verb}, example={"name": "unbound"},
        )
        for verb in ("start", "stop", "restart")
    ),
    ActionFeature("pfsense.system.reboot", action="diagnostics/reboot", catastrophic=True),
    ActionFeature("pfsense.system.halt", action="diagnostics/halt_system", catastrophic=True),
)  # fmt: skip
