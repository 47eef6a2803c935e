"""OPNsense: WireGuard, OpenVPN, firewall, NAT, routes, Kea, DNS, VLANs, shaper and the system."""

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    CIDRS,
    FLAG,
    HOST,
    KEY,
    MAC,
    NAME,
    NETWORK,
    NETWORKS,
    PORT,
    PORTS,
    SECRET_KEY,
    TEXT,
    UUID,
    WHERE,
    WORD,
    number,
    one_of,
)
from networks.gateways.engine.features.versions import Spelling

BACKUP = {"type": "string", "pattern": r"^config-\d{1,12}(\.\d{1,8})?\.xml$"}
FAMILY = one_of("inet", "inet6", "inet46")
# Some calls return upper case, others lower case.
PROTOCOL = {**WHERE, "compare": "case"}

NETWORKING = (
    Feature(
        "opnsense", "opnsense.vpn.wireguard.server", "wireguard/server", "Server", "server",
        activation="wireguard/service/reconfigure",
        properties={
            "enabled": FLAG, "name": NAME, "port": PORT, "tunneladdress": CIDRS,
            "mtu": {"type": "integer", "minimum": 576, "maximum": 9300}, "pubkey": KEY,
            "privkey": SECRET_KEY, "peers": {"type": "array", "items": UUID},
            "disableroutes": FLAG,
        },
        required=("name", "port"), names={"listen_port": "port"},
        aliases=("opnsense.vpn.wireguard",),
        example={"name": "wg0", "port": 51000, "tunneladdress": ["10.9.0.1/24"], "privkey": "B" * 42 + "A="},
        change={"listen_port": 51820},
    ),
    Feature(
        "opnsense", "opnsense.vpn.wireguard.peer", "wireguard/client", "Client", "client",
        activation="wireguard/service/reconfigure",
        properties={
            "enabled": FLAG, "name": NAME, "pubkey": KEY, "psk": SECRET_KEY,
            "tunneladdress": NETWORKS, "serveraddress": TEXT, "serverport": PORT,
            "servers": {"type": "array", "items": UUID},
            "keepalive": {"type": "integer", "minimum": 0, "maximum": 86400},
        },
        required=("name", "pubkey", "tunneladdress"),
        aliases=("opnsense.vpn.wireguard.client",),
        example={"name": "laptop", "pubkey": "A" * 43 + "=", "tunneladdress": ["10.9.0.2/32"]},
        change={"keepalive": 25},
    ),
    Feature(
        "opnsense", "opnsense.firewall.alias", "firewall/alias", "Item", "alias",
        activation="firewall/alias/reconfigure", separator="\n",
        properties={
            "enabled": FLAG, "description": TEXT,
            "name": {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_]{0,31}$"},
            "type": {"enum": ["host", "network", "port", "url", "mac", "networkgroup"]},
            "content": {"type": "array", "items": TEXT, "maxItems": 5000},
        },
        required=("name", "type"),
        example={"name": "printers", "type": "host", "content": ["10.0.0.9", "10.0.0.8"]},
        change={"content": ["10.0.0.7"]},
    ),
    Feature(
        "opnsense", "opnsense.firewall.rule", "firewall/filter", "Rule", "rule",
        activation="firewall/filter/apply", has_savepoint=True, savepoint_until="26.7", is_ordered=True,
        moves_since="25.7",
        final=("action", "block", "reject"), chain=("interface",),
        properties={
            "enabled": FLAG, "description": TEXT, "log": FLAG, "quick": FLAG,
            "sequence": {"type": "integer", "minimum": 1, "maximum": 999999},
            "action": {"enum": ["pass", "block", "reject"]}, "direction": {"enum": ["in", "out"]},
            "interface": WHERE, "ipprotocol": {"enum": ["inet", "inet6", "inet46"]},
            "protocol": PROTOCOL, "source_net": WHERE, "source_port": PORTS, "source_not": FLAG,
            "destination_net": WHERE, "destination_port": PORTS, "destination_not": FLAG,
            "gateway": WHERE,
        },
        required=("action", "interface"),
        example={"action": "pass", "interface": "lan", "protocol": "TCP", "destination_port": 443},
        change={"action": "block"},
    ),
    Feature(
        "opnsense", "opnsense.routing.static_route", "routes/routes", "route", "route",
        activation="routes/routes/reconfigure",
        properties={"network": NETWORK, "gateway": WHERE, "descr": TEXT, "disabled": FLAG},
        required=("network", "gateway"), names={"description": "descr"},
        spellings=(Spelling("26.1.10", {"disabled": "enabled"}, frozenset({"disabled"})),),
        aliases=("opnsense.routing.route",),
        example={"network": "10.5.0.0/16", "gateway": "WAN_GW"},
        change={"disabled": True},
    ),
    Feature(
        "opnsense", "opnsense.dhcp.reservation", "kea/dhcpv4", "Reservation", "reservation",
        activation="kea/service/reconfigure",
        properties={
            "subnet": UUID, "ip_address": ADDRESS, "hw_address": MAC, "hostname": NAME,
            "description": TEXT,
        },
        required=("subnet", "ip_address", "hw_address"),
        aliases=("opnsense.dhcp.static_mapping",),
        example={"subnet": "8c1d3f2e-0000-4000-8000-000000000001", "ip_address": "10.0.0.5", "hw_address": "02:00:00:00:00:05"},
        change={"ip_address": "10.0.0.6"},
    ),
    Feature(
        "opnsense", "opnsense.dns.host_override", "unbound/settings", "HostOverride", "host",
        activation="unbound/service/reconfigure",
        properties={
            "enabled": FLAG, "hostname": {**NAME, "pattern": r"^(\*|[A-Za-z0-9_.-]{0,63})$"},
            "domain": {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,253}$"},
            "rr": {"enum": ["A", "AAAA"]}, "server": ADDRESS, "description": TEXT,
        },
        required=("domain", "server"),
        example={"hostname": "nas", "domain": "example.org", "server": "10.0.0.2"},
        change={"server": "10.0.0.3"},
    ),
    Feature(
        "opnsense", "opnsense.interfaces.vlan", "interfaces/vlan_settings", "Item", "vlan",
        activation="interfaces/vlan_settings/reconfigure",
        properties={
            "if": WHERE, "tag": {"type": "integer", "minimum": 1, "maximum": 4094},
            "pcp": {"type": "integer", "minimum": 0, "maximum": 7}, "descr": TEXT,
            "vlanif": {"type": "string", "pattern": r"^(vlan|qinq)[a-z0-9_.]{1,11}$"},
        },
        # The device is named after the sent values, changed or not.
        always=("if", "tag", "vlanif"), required=("if", "tag"), names={"description": "descr"},
        example={"if": "igb0", "tag": 20},
        change={"tag": 30},
    ),
    Feature(
        "opnsense", "opnsense.nat.port_forward", "firewall/d_nat", "Rule", "rule",
        activation="firewall/d_nat/apply", has_savepoint=True, savepoint_until="26.7", is_ordered=True,
        moves_since="26.1", since="26.1",
        properties={
            "disabled": FLAG, "interface": WHERE, "ipprotocol": FAMILY, "protocol": PROTOCOL,
            "source.network": WHERE, "source.port": PORTS, "destination.network": WHERE,
            "destination.port": PORTS, "target": WHERE, "local-port": PORTS, "descr": TEXT,
            "log": FLAG,
        },
        required=("interface", "target"), names={"description": "descr"},
        example={"interface": "wan", "protocol": "tcp", "destination.network": "wanip",
                 "destination.port": 8443, "target": "10.0.0.9", "local-port": 443},
        change={"target": "10.0.0.10"},
    ),
    Feature(
        "opnsense", "opnsense.nat.source_rule", "firewall/source_nat", "Rule", "rule",
        activation="firewall/source_nat/apply", has_savepoint=True, savepoint_until="26.7", is_ordered=True,
        moves_since="26.1",
        properties={
            "enabled": FLAG, "interface": WHERE, "ipprotocol": FAMILY, "protocol": PROTOCOL,
            "source_net": WHERE, "destination_net": WHERE, "target": WHERE, "target_port": PORTS,
            "description": TEXT, "log": FLAG,
        },
        required=("interface", "source_net", "target"),
        example={"interface": "wan", "source_net": "10.0.0.0/24", "target": "203.0.113.7"},
        change={"target": "203.0.113.8"},
    ),
    Feature(
        "opnsense", "opnsense.nat.one_to_one", "firewall/one_to_one", "Rule", "rule",
        activation="firewall/one_to_one/apply", has_savepoint=True, savepoint_until="26.7", is_ordered=True,
        moves_since="26.1",
        properties={
            "enabled": FLAG, "interface": WHERE, "type": one_of("binat", "nat"),
            "external": WHERE, "source_net": WHERE, "destination_net": WHERE,
            "description": TEXT,
        },
        required=("interface", "external", "source_net"),
        example={"interface": "wan", "type": "binat", "external": "203.0.113.9",
                 "source_net": "10.0.0.9"},
        change={"external": "203.0.113.10"},
    ),
    Feature(
        "opnsense", "opnsense.dhcp.kea_subnet", "kea/dhcpv4", "Subnet", "subnet4",
        activation="kea/service/reconfigure", separator="\n",
        properties={"subnet": NETWORK, "description": TEXT,
                    "pools": {"type": "array", "items": WHERE, "maxItems": 16}},
        required=("subnet",), example={"subnet": "10.0.3.0/24",
                                       "pools": ["10.0.3.100-10.0.3.200"]},
        change={"pools": ["10.0.3.50-10.0.3.99"]},
    ),
    Feature(
        "opnsense", "opnsense.dns.domain_override", "unbound/settings", "Forward", "dot",
        activation="unbound/service/reconfigure", constants={"type": "forward"},
        properties={"enabled": FLAG, "domain": HOST, "server": ADDRESS, "port": PORT,
                    "description": TEXT},
        required=("domain", "server"),
        example={"domain": "corp.example", "server": "10.0.0.53"},
        change={"server": "10.0.0.54"},
    ),
    Feature(
        "opnsense", "opnsense.cron.job", "cron/settings", "Job", "job", listed="Jobs",
        activation="cron/service/reconfigure",
        properties={"enabled": FLAG, "minutes": TEXT, "hours": TEXT, "days": TEXT,
                    "months": TEXT, "weekdays": TEXT, "command": TEXT, "parameters": TEXT,
                    "description": TEXT},
        required=("minutes", "hours", "command", "description"),
        example={"minutes": "0", "hours": "3", "command": "firmware poll",
                 "description": "Look for updates"},
        change={"hours": "4"},
    ),
    Feature(
        "opnsense", "opnsense.shaper.pipe", "trafficshaper/settings", "Pipe", "pipe", listed="Pipes",
        activation="trafficshaper/service/reconfigure",
        properties={"enabled": FLAG, "bandwidth": number(1, 1_000_000), "description": TEXT,
                    "bandwidthMetric": one_of("bit", "Kbit", "Mbit", "Gbit")},
        required=("bandwidth", "bandwidthMetric", "description"),
        example={"bandwidth": 50, "bandwidthMetric": "Mbit", "description": "Guests"},
        change={"bandwidth": 20},
    ),
    Feature(
        "opnsense", "opnsense.shaper.queue", "trafficshaper/settings", "Queue", "queue", listed="Queues",
        activation="trafficshaper/service/reconfigure",
        properties={"enabled": FLAG, "pipe": UUID, "weight": number(1, 100),
                    "description": TEXT},
        required=("pipe", "weight", "description"),
        example={"pipe": "8c1d3f2e-0000-4000-8000-000000000002", "weight": 10,
                 "description": "Guests"},
        change={"weight": 20},
    ),
    Feature(
        "opnsense", "opnsense.shaper.rule", "trafficshaper/settings", "Rule", "rule", listed="Rules",
        activation="trafficshaper/service/reconfigure",
        properties={"enabled": FLAG, "sequence": number(1, 1_000_000), "interface": WHERE,
                    "proto": PROTOCOL, "source": WHERE, "destination": WHERE, "target": UUID,
                    "description": TEXT},
        required=("interface", "target"),
        example={"interface": "wan", "proto": "ip", "source": "10.0.3.0/24",
                 "target": "8c1d3f2e-0000-4000-8000-000000000002"},
        change={"source": "10.0.4.0/24"},
    ),
    Feature(
        "opnsense", "opnsense.vpn.openvpn.instance", "openvpn/instances", "", "instance",
        activation="openvpn/service/reconfigure",
        properties={
            "enabled": FLAG, "role": one_of("server", "client"), "description": TEXT,
            "proto": one_of("udp", "udp4", "udp6", "tcp", "tcp4", "tcp6"), "port": PORT,
            "dev_type": one_of("tun", "tap", "ovpn"), "server": NETWORK, "topology": WHERE,
            "ca": WHERE, "cert": WHERE,
        },
        # The firewall assigns a number if it is empty.
        required=("role", "proto", "cert"), defaults={"vpnid": ""},
        example={"role": "server", "proto": "udp", "port": 1194, "server": "10.8.0.0/24",
                 "cert": "5f0000000000b"},
        change={"port": 1195},
    ),
    *(
        Feature(
            "opnsense", f"opnsense.services.{verb}", action=f"core/service/{verb}/{{name}}",
            operations=("create",), properties={"name": WORD}, required=("name",),
            example={"name": "unbound"},
        )
        for verb in ("start", "stop", "restart")
    ),
    *(
        Feature("opnsense", f"opnsense.{key}", action=deed, operations=("create",))
        for key, deed in (
            ("firewall.apply", "firewall/filter/apply"),
            ("nat.source_apply", "firewall/source_nat/apply"),
            ("dns.apply", "unbound/service/reconfigure"),
            ("routing.apply", "routes/routes/reconfigure"),
            ("interfaces.vlan_apply", "interfaces/vlan_settings/reconfigure"),
            ("shaper.apply", "trafficshaper/service/reconfigure"),
            ("cron.apply", "cron/service/reconfigure"),
            ("vpn.wireguard.apply", "wireguard/service/reconfigure"),
            ("vpn.openvpn.apply", "openvpn/service/reconfigure"),
            ("system.firmware_check", "core/firmware/check"),
        )
    ),
    Feature(
        "opnsense", "opnsense.nat.port_forward_apply", action="firewall/d_nat/apply", since="26.1",
        operations=("create",),
    ),
    Feature(
        "opnsense", "opnsense.dhcp.kea_apply", action="kea/service/reconfigure",
        operations=("create",), aliases=("opnsense.dhcp.apply",),
    ),
    *(
        Feature(
            "opnsense", f"opnsense.system.{key}", action=f"core/backup/{call}/{{backup}}",
            operations=("create",), properties={"backup": BACKUP}, required=("backup",),
            example={"backup": "config-1796083200.1234.xml"}, catastrophic=key == "backup_restore",
        )
        for key, call in (("backup_delete", "deleteBackup"), ("backup_restore", "revertBackup"))
    ),
    *(
        Feature(
            "opnsense", f"opnsense.system.{key}", action=deed, operations=("create",),
            catastrophic=True,
        )
        for key, deed in (
            ("halt", "core/system/halt"), ("firmware_update", "core/firmware/update"),
        )
    ),
    Feature(
        "opnsense", "opnsense.system.reboot", "core/system", action="core/system/reboot",
        operations=("create",), catastrophic=True,
    ),
)  # fmt: skip
