"""Features of TP-Link Omada's Open API on a site.

Their keys have no vendor prefix.
"""

from functools import partial

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    CIDR,
    FLAG,
    HOST,
    KEY,
    NAME,
    NETWORKS,
    PORT,
    SECRET_KEY,
    TEXT,
    WORD,
    number,
)

Kind = partial(Feature, "omada")
ActionFeature = partial(Kind, operations=("create",))
# Omada writes MAC addresses with dashes.
MAC = {"type": "string", "pattern": r"^([0-9A-F]{2}-){5}[0-9A-F]{2}$", "compare": "mac"}
WORDS = {"type": "array", "items": WORD, "maxItems": 64}
RANGE = {"type": "string", "pattern": r"^\d{1,5}(-\d{1,5})?$"}

OMADA = (
    Kind(
        "vpn.wireguard.server", "vpn/wireguards",
        properties={"name": NAME, "status": FLAG, "listenPort": PORT, "localIp": ADDRESS,
                    "mtu": number(576, 1440), "privateKey": SECRET_KEY},
        required=("name", "listenPort", "localIp", "privateKey"),
        names={"listen_port": "listenPort"}, aliases=("vpn.wireguard", "vpn.wireguard.config"),
        defaults={"status": True, "mtu": 1420},
        example={"name": "Phones", "listenPort": 51820, "localIp": "10.9.0.1",
                 "privateKey": "B" * 42 + "A="},
        change={"listen_port": 51821},
    ),
    Kind(
        "vpn.wireguard.peer", "vpn/wireguard-peers", kept=("comment",),
        properties={"name": NAME, "status": FLAG, "interfaceId": WORD, "publicKey": KEY,
                    "presharedKey": SECRET_KEY, "allowAddress": NETWORKS, "endPoint": HOST,
                    "endPointPort": PORT, "keepAlive": number(0, 65535)},
        required=("name", "interfaceId", "publicKey", "allowAddress"),
        defaults={"status": True, "keepAlive": 0},
        example={"name": "laptop", "interfaceId": "wg1", "publicKey": "A" * 43 + "=",
                 "allowAddress": ["10.9.0.2/32"]},
        change={"keepAlive": 25},
    ),
    Kind(
        "firewall.port_forward", "nat/port-forwardings",
        kept=("existVirtualWan", "existWanIp", "virtualWanId", "wanIps"),
        properties={"name": NAME, "status": FLAG, "externalPort": RANGE, "forwardIp": ADDRESS,
                    "forwardPort": RANGE, "protocol": number(0, 2), "dMZ": FLAG,
                    "from": number(0, 1), "limitedAddresses": NETWORKS,
                    "interfaceWanPortId": WORDS},
        required=("name", "externalPort", "forwardIp", "forwardPort", "protocol"),
        defaults={"status": True, "dMZ": False, "from": 0},
        example={"name": "Web", "externalPort": "8443", "forwardIp": "192.168.0.10",
                 "forwardPort": "443", "protocol": 1},
        change={"forwardIp": "192.168.0.11"},
    ),
    Kind(
        "firewall.one_to_one_nat", "nat/one-to-one-nat",
        properties={"name": NAME, "status": FLAG, "externalIp": ADDRESS, "internalIp": ADDRESS,
                    "interfaceIds": WORDS, "dmz": FLAG, "description": TEXT},
        required=("name", "externalIp", "internalIp", "interfaceIds"),
        defaults={"status": True, "dmz": False},
        example={"name": "Mail", "externalIp": "203.0.113.9", "internalIp": "192.168.0.25",
                 "interfaceIds": ["wan1"]},
        change={"internalIp": "192.168.0.26"},
    ),
    Kind(
        "firewall.acl", "acls/osg-acls", aliases=("firewall.rule",), deleted_at="acls",
        is_ordered=True, final=("policy", "0"), everything={"protocols": "256"},
        chain=("sourceType", "sourceIds", "destinationType", "destinationIds",
               "direction.lanToWan", "direction.lanToLan", "direction.wanInIds"),
        kept=("stateMode", "states", "syslog", "timeRangeId"),
        properties={
            "description": TEXT, "status": FLAG, "policy": number(0, 1),
            "protocols": {"type": "array", "items": number(0, 256), "maxItems": 16},
            "sourceType": number(0, 15), "sourceIds": WORDS, "destinationType": number(0, 15),
            "destinationIds": WORDS, "direction.lanToWan": FLAG, "direction.lanToLan": FLAG,
            "direction.wanInIds": WORDS,
        },
        required=("description", "policy", "sourceType", "sourceIds", "destinationType",
                  "destinationIds"),
        # The state is told by the controller (0) unless it is set by hand.
        defaults={"status": True, "protocols": [256], "stateMode": 0, "syslog": False,
                  "direction": {}},
        example={"description": "No cameras outside", "policy": 0, "sourceType": 0,
                 "sourceIds": ["net1"], "destinationType": 1, "destinationIds": ["group1"],
                 "direction.lanToWan": True},
        change={"status": False},
    ),
    Kind(
        "routing.static_route", "routing/static-routings",
        properties={"name": NAME, "status": FLAG, "destinations": NETWORKS,
                    "routeType": number(0, 1), "nextHopIp": ADDRESS, "metric": number(0, 15),
                    "interfaceType": number(0, 5), "interfaceId": WORD},
        required=("name", "destinations", "routeType"),
        defaults={"status": True, "metric": 0},
        example={"name": "Branch", "destinations": ["10.5.0.0/16"], "routeType": 0,
                 "nextHopIp": "192.168.0.254"},
        change={"nextHopIp": "192.168.0.253"},
    ),
    Kind(
        "dhcp.reservation", "setting/service/dhcp", identity=("mac",), changed_by="PATCH",
        kept=("options", "serverMac", "serverStackId", "serverType"),
        properties={"mac": MAC, "netId": WORD, "ip": ADDRESS, "status": FLAG,
                    "description": TEXT},
        required=("mac", "netId", "ip"), defaults={"status": True},
        example={"mac": "02-00-00-00-00-05", "netId": "net1", "ip": "192.168.0.5"},
        change={"ip": "192.168.0.6"},
    ),
    Kind(
        "network.lan", "lan-networks", aliases=("network.vlan",), changed_by="PATCH",
        kept=("allLan", "application", "dhcpGuard", "dhcpL2RelayEnable", "dhcpSettingsVO",
              "dhcpv6Guard", "domain", "interfaceIds", "lanNeworkIpv6Config", "mldSnoopEnable",
              "vlanType", "vlans"),
        properties={"name": NAME, "purpose": number(0, 1), "vlan": number(1, 4090),
                    "gatewaySubnet": CIDR, "igmpSnoopEnable": FLAG, "isolation": FLAG},
        required=("name", "purpose", "vlan"), defaults={"igmpSnoopEnable": False},
        example={"name": "Guests", "purpose": 1, "vlan": 20}, change={"vlan": 30},
    ),
    *(
        ActionFeature(
            f"bulk.client.{name}", action=f"clients/{{mac}}/{call}", properties={"mac": MAC},
            required=("mac",), example={"mac": "02-00-00-00-00-05"},
        )
        for name, call in (("block", "block"), ("unblock", "unblock"), ("kick", "reconnect"))
    ),
    ActionFeature(
        "bulk.device.reboot", "devices", action="devices/{mac}/reboot", properties={"mac": MAC},
        required=("mac",), example={"mac": "02-00-00-00-00-01"}, catastrophic=True,
    ),
    ActionFeature(
        "firmware.upgrade", "devices", action="devices/{mac}/start-online-upgrade",
        properties={"mac": MAC}, required=("mac",), example={"mac": "02-00-00-00-00-01"},
        catastrophic=True,
    ),
)  # fmt: skip
