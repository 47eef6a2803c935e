"""Features of UniFi Network, by its official integration API or its older one.

``noun`` selects the API: ``v1`` the official one, ``rest`` the older one's tables, ``v2``
its newer part. FreeSDN's keys contain the operation; they are aliases here.
"""

from collections.abc import Sequence
from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    CIDR,
    FLAG,
    HOST,
    MAC,
    NAME,
    NETWORK,
    PORT,
    PORTS,
    SECRET,
    TEXT,
    UUID,
    WHERES,
    WORD,
    number,
    one_of,
    several,
)
from networks.gateways.engine.features.versions import Spelling

Kind = partial(Feature, "unifi")
ActionFeature = partial(Kind, operations=("create",))
Official, Table, Newer = (partial(Kind, noun=one) for one in ("v1", "rest", "v2"))
ID = {"type": "string", "pattern": r"^[0-9a-f]{24}$"}
IDS = {"type": "array", "items": ID, "maxItems": 64}
UUIDS = {"type": "array", "items": UUID, "maxItems": 64}
DEVICE = {"device": UUID}
GIVEN = {"device": "0a0a0a0a-0000-4000-8000-000000000001"}
ZONE = "0b0b0b0b-0000-4000-8000-00000000000"
SUBNET = tuple(
    f"ipv4Configuration.{name}"
    for name in ("autoScaleEnabled", "hostIpAddress", "prefixLength")
)
ENDS = ("source.zoneId", "destination.zoneId")
OLD_ENDS = {name: name.replace("zoneId", "firewallZoneId") for name in ENDS}


def verbs(stem: str, thing: str = "") -> Sequence[str]:
    """Return FreeSDN's keys for creating, updating and deleting."""
    end = f"_{thing}" if thing else ""
    return tuple(f"unifi.{stem}.{verb}{end}" for verb in ("create", "update", "delete"))


UNIFI = (
    Official(
        "unifi.networks.vlan", "networks", in_area="networks", since="10.0.162",
        properties={
            "management": one_of("UNMANAGED", "GATEWAY", "SWITCH"), "name": NAME,
            "enabled": FLAG, "vlanId": number(1, 4009), "isolationEnabled": FLAG,
            "cellularBackupEnabled": FLAG, "internetAccessEnabled": FLAG,
            "mdnsForwardingEnabled": FLAG, "zoneId": UUID, "deviceId": UUID,
            "ipv4Configuration.autoScaleEnabled": FLAG,
            "ipv4Configuration.hostIpAddress": ADDRESS,
            "ipv4Configuration.prefixLength": number(8, 30),
        },
        required=("management", "name", "enabled", "vlanId"), names={"vlan_id": "vlanId"},
        required_if={
            ("management", "GATEWAY"): ("isolationEnabled", "cellularBackupEnabled",
                                        "internetAccessEnabled", *SUBNET),
            ("management", "SWITCH"): ("isolationEnabled", "cellularBackupEnabled",
                                       "deviceId", *SUBNET),
        },
        aliases=("unifi.networks.create_vlan", "unifi.networks.update", "unifi.networks.delete"),
        example={"management": "UNMANAGED", "name": "Guests", "enabled": True, "vlan_id": 20},
        change={"vlan_id": 30},
    ),
    Official(
        "unifi.firewall.zone", "firewall/zones", since="10.0.162",
        properties={"name": NAME, "networkIds": UUIDS}, required=("name", "networkIds"),
        aliases=tuple(verbs("firewall", "zone")),
        example={"name": "Cameras", "networkIds": []},
        change={"networkIds": [f"{ZONE}9"]},
    ),
    Official(
        "unifi.firewall.policy", "firewall/policies", since="10.1.68", is_ordered=True,
        final=("action.type", "BLOCK", "REJECT"), chain=ENDS,
        # The first version had other property names for source and destination.
        spellings=(Spelling("10.1.68", OLD_ENDS), Spelling("10.1.78", {})),
        names={theirs: name for name, theirs in OLD_ENDS.items()},
        required_if={("action.type", "ALLOW"): ("action.allowReturnTraffic",)},
        properties={
            "enabled": FLAG, "name": NAME, "description": TEXT, "loggingEnabled": FLAG,
            "action.type": one_of("ALLOW", "BLOCK", "REJECT"),
            "action.allowReturnTraffic": FLAG,
            "source.zoneId": UUID, "destination.zoneId": UUID,
            "ipProtocolScope.ipVersion": one_of("IPV4", "IPV6", "IPV4_AND_IPV6"),
            "connectionStateFilter": several("NEW", "INVALID", "ESTABLISHED", "RELATED"),
        },
        required=("enabled", "name", "loggingEnabled", "action.type", *ENDS,
                  "ipProtocolScope.ipVersion"),
        aliases=tuple(verbs("firewall", "policy")),
        example={
            "enabled": True, "name": "No cameras outside", "loggingEnabled": False,
            "action.type": "BLOCK", "source.zoneId": f"{ZONE}1",
            "destination.zoneId": f"{ZONE}2", "ipProtocolScope.ipVersion": "IPV4",
        },
        change={"loggingEnabled": True, "action.type": "REJECT"},
    ),
    Official(
        "unifi.dns.static", "dns/policies", since="10.1.68",
        required_if={
            ("type", "A_RECORD"): ("ipv4Address", "ttlSeconds"),
            ("type", "AAAA_RECORD"): ("ipv6Address", "ttlSeconds"),
            ("type", "CNAME_RECORD"): ("targetDomain", "ttlSeconds"),
            ("type", "TXT_RECORD"): ("text",),
            ("type", "FORWARD_DOMAIN"): ("ipAddress",),
        },
        properties={
            "type": one_of("A_RECORD", "AAAA_RECORD", "CNAME_RECORD", "TXT_RECORD",
                           "FORWARD_DOMAIN"),
            "enabled": FLAG, "domain": HOST, "ipv4Address": ADDRESS, "ipv6Address": ADDRESS,
            "targetDomain": HOST, "text": TEXT, "ipAddress": ADDRESS,
            "ttlSeconds": number(0, 86400),
        },
        required=("type", "enabled", "domain"), aliases=tuple(verbs("dns", "static")),
        example={"type": "A_RECORD", "enabled": True, "domain": "nas.example.org",
                 "ipv4Address": "192.168.1.2", "ttlSeconds": 3600},
        change={"ipv4Address": "192.168.1.3"},
    ),
    Official(
        "unifi.hotspot.voucher", "hotspot/vouchers", since="9.1.120", operations=("create", "delete"),
        properties={"name": NAME, "timeLimitMinutes": number(1, 1_000_000),
                    "authorizedGuestLimit": number(1, 1000),
                    "dataUsageLimitMBytes": number(1, 1_048_576)},
        required=("name", "timeLimitMinutes"), names={"expire_minutes": "timeLimitMinutes",
                                                      "note": "name"},
        aliases=("unifi.hotspot.create_voucher",), wrapper="vouchers",
        example={"name": "Conference", "timeLimitMinutes": 480},
    ),
    Table(
        "unifi.firewall.group", "firewallgroup",
        properties={
            "name": NAME, "group_members": WHERES,
            "group_type": one_of("address-group", "port-group", "ipv6-address-group"),
        },
        required=("name", "group_type"),
        aliases=("unifi.firewall.alias", *verbs("firewall", "group")),
        example={"name": "Printers", "group_type": "address-group",
                 "group_members": ["192.168.1.8", "192.168.1.9"]},
        change={"group_members": ["192.168.1.7"]},
    ),
    Table(
        "unifi.firewall.rule", "firewallrule",
        properties={
            "name": NAME, "enabled": FLAG, "action": one_of("accept", "drop", "reject"),
            "ruleset": one_of("WAN_IN", "WAN_OUT", "WAN_LOCAL", "LAN_IN", "LAN_OUT",
                              "LAN_LOCAL", "GUEST_IN", "GUEST_OUT", "GUEST_LOCAL"),
            "rule_index": number(2000, 49999), "protocol": WORD, "logging": FLAG,
            "src_address": NETWORK, "dst_address": NETWORK, "dst_port": PORTS,
            "src_firewallgroup_ids": IDS, "dst_firewallgroup_ids": IDS,
        },
        required=("name", "action", "ruleset", "rule_index"),
        aliases=tuple(verbs("firewall", "rule")),
        example={"name": "No telnet", "enabled": True, "action": "drop", "ruleset": "LAN_IN",
                 "rule_index": 2000, "protocol": "tcp", "dst_port": "23"},
        change={"action": "reject"},
    ),
    Table(
        "unifi.firewall.port_forward", "portforward",
        properties={
            "name": NAME, "enabled": FLAG, "src": {"type": "string", "pattern": r"^(any|[0-9a-fA-F.:/]{2,49})$"},
            "dst_port": PORTS, "fwd": ADDRESS, "fwd_port": PORTS, "log": FLAG,
            "proto": one_of("tcp", "udp", "tcp_udp"),
            "pfwd_interface": one_of("wan", "wan2", "both"),
        },
        required=("name", "dst_port", "fwd", "fwd_port"), aliases=tuple(verbs("firewall", "nat")),
        example={"name": "Web", "enabled": True, "src": "any", "dst_port": "8443",
                 "fwd": "192.168.1.10", "fwd_port": "443", "proto": "tcp",
                 "pfwd_interface": "wan"},
        change={"fwd": "192.168.1.11"},
    ),
    Table(
        "unifi.routing.static_route", "routing", constants={"type": "static-route"},
        properties={
            "name": NAME, "enabled": FLAG, "static-route_network": NETWORK,
            "static-route_nexthop": ADDRESS, "static-route_distance": number(1, 255),
            "static-route_type": one_of("nexthop-route", "interface-route", "blackhole"),
        },
        required=("name", "static-route_network", "static-route_type"),
        aliases=tuple(verbs("routing")),
        example={"name": "Branch", "enabled": True, "static-route_network": "10.5.0.0/16",
                 "static-route_type": "nexthop-route", "static-route_nexthop": "192.168.1.254",
                 "static-route_distance": 1},
        change={"static-route_nexthop": "192.168.1.253"},
    ),
    Table(
        "unifi.clients.reservation", "user",
        # Without a fixed address it is an ordinary client and no reservation.
        properties={"mac": MAC, "name": NAME, "use_fixedip": {**FLAG, "enum": [True]},
                    "fixed_ip": ADDRESS, "network_id": ID, "note": TEXT},
        required=("mac",), defaults={"use_fixedip": True}, aliases=("unifi.dhcp.reservation",),
        example={"mac": "02:00:00:00:00:05", "name": "Printer", "use_fixedip": True,
                 "fixed_ip": "192.168.1.5"},
        change={"fixed_ip": "192.168.1.6"},
    ),
    Table(
        "unifi.wlans.ssid", "wlanconf",
        properties={
            "name": {"type": "string", "minLength": 1, "maxLength": 32}, "enabled": FLAG,
            "security": one_of("open", "wpapsk", "wpaeap"), "wpa_mode": one_of("wpa2", "auto"),
            "x_passphrase": SECRET, "networkconf_id": ID, "hide_ssid": FLAG, "is_guest": FLAG,
            "ap_group_ids": IDS,
        },
        required=("name", "security"), names={"new_psk": "x_passphrase"},
        aliases=("unifi.wlans.create_ssid", "unifi.wlans.update", "unifi.wlans.delete_ssid",
                 "unifi.wlans.password", "unifi.wlans.enable"),
        example={"name": "Guests", "enabled": True, "security": "wpapsk",
                 "x_passphrase": "correct horse"},
        change={"name": "Visitors", "enabled": False},
    ),
    Table(
        "unifi.vpn.network", "networkconf", constants={"purpose": "vpn-client"},
        properties={"name": NAME, "enabled": FLAG, "vpn_type": one_of("wireguard-client"),
                    "wireguard_client_peer_ip": ADDRESS, "wireguard_client_peer_port": PORT,
                    "wireguard_client_peer_public_key": {"type": "string", "maxLength": 64},
                    "x_wireguard_private_key": SECRET, "ip_subnet": CIDR},
        required=("name", "vpn_type"), aliases=tuple(verbs("vpn")),
        example={"name": "To the office", "enabled": True, "vpn_type": "wireguard-client",
                 "wireguard_client_peer_ip": "198.51.100.9",
                 "wireguard_client_peer_port": 51820, "ip_subnet": "10.9.0.2/24"},
        change={"wireguard_client_peer_port": 51821},
    ),
    Table(
        "unifi.vpn.server", "networkconf", constants={"purpose": "remote-user-vpn"},
        properties={"name": NAME, "enabled": FLAG,
                    "vpn_type": one_of("wireguard-server", "l2tp-server"), "local_port": PORT,
                    "ip_subnet": CIDR, "wireguard_interface": one_of("wan", "wan2"),
                    "x_wireguard_private_key": SECRET, "x_ipsec_pre_shared_key": SECRET},
        required=("name", "vpn_type", "ip_subnet"),
        example={"name": "Phones", "enabled": True, "vpn_type": "wireguard-server",
                 "local_port": 51820, "ip_subnet": "192.168.3.1/24",
                 "wireguard_interface": "wan", "x_wireguard_private_key": "B" * 42 + "A="},
        change={"local_port": 51821},
    ),
    Table(
        "unifi.radius.user", "account",
        properties={"name": WORD, "x_password": SECRET, "vlan": number(2, 4009)},
        required=("name", "x_password"), aliases=tuple(verbs("radius", "user")),
        example={"name": "anna", "x_password": "correct horse"}, change={"vlan": 20},
    ),
    Table(
        "unifi.portprofiles.profile", "portconf", in_area="port-profiles",
        properties={"name": NAME, "forward": one_of("all", "native", "customize", "disabled"),
                    "poe_mode": one_of("auto", "off"), "native_networkconf_id": ID,
                    "isolation": FLAG},
        required=("name",), aliases=tuple(verbs("portprofiles")),
        example={"name": "Cameras", "forward": "native", "poe_mode": "auto"},
        change={"poe_mode": "off"},
    ),
    Newer(
        "unifi.dns.record", "static-dns", in_area="dns",
        properties={"key": HOST, "value": HOST, "enabled": FLAG, "ttl": number(0, 86400),
                    "record_type": one_of("A", "AAAA", "CNAME", "MX", "TXT", "SRV", "NS")},
        required=("key", "value", "record_type"),
        example={"key": "files.example.org", "value": "192.168.1.2", "enabled": True,
                 "record_type": "A"},
        change={"value": "192.168.1.3"},
    ),
    Newer(
        "unifi.traffic.rule", "trafficrules",
        properties={"description": TEXT, "enabled": FLAG, "action": one_of("BLOCK", "ALLOW"),
                    "matching_target": one_of("INTERNET", "DOMAIN", "IP", "REGION")},
        required=("description", "action", "matching_target"),
        # Other clients always send it.
        defaults={"target_devices": [{"type": "ALL_CLIENTS"}]},
        aliases=tuple(verbs("traffic", "rule")),
        example={"description": "No internet", "enabled": True, "action": "BLOCK",
                 "matching_target": "INTERNET"},
        change={"enabled": False},
    ),
    ActionFeature(
        "unifi.devices.restart", noun="v1", action="devices/{device}/actions RESTART",
        properties=DEVICE, required=("device",), example=GIVEN, catastrophic=True,
    ),
    ActionFeature(
        "unifi.switch.power_cycle", noun="v1", in_area="switch",
        action="devices/{device}/interfaces/ports/{port_idx}/actions POWER_CYCLE",
        properties={**DEVICE, "port_idx": number(1, 128)}, required=("device", "port_idx"),
        example={**GIVEN, "port_idx": 4},
    ),
    ActionFeature(
        "unifi.devices.upgrade", noun="cmd", action="devmgr upgrade", properties={"mac": MAC},
        required=("mac",), example={"mac": "02:00:00:00:00:01"}, catastrophic=True,
    ),
    ActionFeature(
        "unifi.devices.adopt", noun="cmd", action="devmgr adopt", properties={"mac": MAC},
        required=("mac",), example={"mac": "02:00:00:00:00:01"},
    ),
    ActionFeature(
        "unifi.devices.locate", noun="cmd", action="devmgr set-locate", properties={"mac": MAC},
        required=("mac",), example={"mac": "02:00:00:00:00:01"},
    ),
    *(
        ActionFeature(
            f"unifi.clients.{name}", noun="cmd", action=f"stamgr {command}",
            properties={"mac": MAC}, required=("mac",), example={"mac": "02:00:00:00:00:05"},
        )
        for name, command in (
            ("block", "block-sta"), ("unblock", "unblock-sta"), ("reconnect", "kick-sta"),
        )
    ),
)  # fmt: skip
