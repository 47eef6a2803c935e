"""RouterOS: OSPF and BGP."""

from networks.gateways.engine.features.mikrotik.kinds import COMMENTED, Menu
from networks.gateways.engine.features.schemas import (
    DURATION,
    FLAG,
    NETWORK,
    NETWORKS,
    SECRET,
    WHERE,
    WHERES,
    WORD,
    number,
    one_of,
    several,
)
from networks.gateways.engine.features.versions import Spelling

AS = number(0, 4294967295)
ORIGINATE = one_of("always", "if-installed", "never")
SOURCES = several("connected", "static", "rip", "ospf", "isis", "bgp", "vpn", "dhcp")
FAMILIES = several("ip", "ipv6", "l2vpn", "l2vpn-cisco", "vpnv4", "vpnv6")
AUTH = one_of("md5", "sha1", "sha256", "sha384", "sha512", "simple")
TYPES = one_of(
    "broadcast", "nbma", "ptmp", "ptmp-broadcast", "ptp", "ptp-unnumbered", "virtual-link"
)
ROLES = one_of("ebgp", "ebgp-customer", "ebgp-peer", "ebgp-provider", "ebgp-rs", "ebgp-rs-client",
               "ibgp", "ibgp-rr")  # fmt: skip
# What a template and a connection have in common.
BGP = {
    **COMMENTED, "name": WORD, "as": AS, "afi": FAMILIES, "hold-time": DURATION, "vrf": WORD,
    "keepalive-time": DURATION, "multihop": FLAG, "use-bfd": FLAG, "routing-table": WORD,
    "nexthop-choice": one_of("default", "force-self", "propagate"), "input.filter": WORD,
    "output.filter-chain": WORD, "output.network": WORD, "output.redistribute": SOURCES,
    "output.default-originate": ORIGINATE, "templates": WHERES,
}  # fmt: skip
BEFORE_INSTANCES = (Spelling("", {"afi": "address-families"}), Spelling("7.20", {}))

ROUTING = (
    Menu(
        "mikrotik.routing.ospf_instance", "routing/ospf/instance",
        properties={
            **COMMENTED, "name": WORD, "version": number(2, 3), "router-id": WHERE, "vrf": WORD,
            "redistribute": SOURCES, "originate-default": ORIGINATE, "routing-table": WORD,
            "in-filter-chain": WORD, "out-filter-chain": WORD,
        },
        required=("name",), example={"name": "backbone", "version": 2, "router-id": "10.0.0.1"},
        change={"redistribute": ["connected", "static"]},
    ),
    Menu(
        "mikrotik.routing.ospf_area", "routing/ospf/area",
        properties={
            **COMMENTED, "name": WORD, "instance": WORD, "area-id": WHERE,
            "type": one_of("default", "nssa", "stub"), "default-cost": number(0, 16777215),
            "nssa-translator": one_of("candidate", "no", "yes"),
        },
        required=("name", "instance"),
        example={"name": "area1", "instance": "backbone", "area-id": "0.0.0.1"},
        change={"type": "stub"},
    ),
    Menu(
        "mikrotik.routing.ospf_area_range", "routing/ospf/area/range",
        properties={**COMMENTED, "area": WORD, "prefix": NETWORK, "advertise": FLAG,
                    "cost": number(0, 16777215)},
        required=("area", "prefix"), example={"area": "area0", "prefix": "10.5.0.0/16"},
        change={"advertise": True},
    ),
    Menu(
        "mikrotik.routing.ospf_interface_template", "routing/ospf/interface-template", is_ordered=True,
        properties={
            **COMMENTED, "area": WORD, "interfaces": WHERES, "networks": NETWORKS, "type": TYPES,
            "cost": number(1, 65535), "priority": number(0, 255), "hello-interval": DURATION,
            "dead-interval": DURATION, "auth": AUTH, "auth-id": number(0, 255), "auth-key": SECRET,
        },
        required=("area",),
        example={"area": "area0", "interfaces": ["ether2"], "type": "ptp", "auth": "sha256",
                 "auth-id": 1, "auth-key": "correct horse"},
        change={"cost": 20, "hello-interval": "5s"},
    ),
    Menu(
        "mikrotik.routing.bgp_instance", "routing/bgp/instance", since="7.20",
        properties={**COMMENTED, "name": WORD, "as": AS, "router-id": WHERE, "cluster-id": WHERE,
                    "vrf": WORD, "routing-table": WORD, "ignore-as-path-len": FLAG},
        required=("name", "as"), example={"name": "main", "as": 65001, "router-id": "10.0.0.1"},
        change={"ignore-as-path-len": True},
    ),
    Menu(
        "mikrotik.routing.bgp_template", "routing/bgp/template", properties=BGP,
        required=("name",), spellings=BEFORE_INSTANCES,
        example={"name": "providers", "as": 65001, "afi": ["ip"]},
        change={"hold-time": "30s", "output.redistribute": ["connected"]},
    ),
    Menu(
        "mikrotik.routing.bgp_connection", "routing/bgp/connection", spellings=BEFORE_INSTANCES,
        properties={
            **BGP, "instance": {**WORD, "since": "7.20"}, "remote.address": WHERE, "remote.as": AS,
            "remote.port": number(1, 65535), "local.address": WHERE, "local.role": ROLES,
            "connect": FLAG, "listen": FLAG, "tcp-md5-key": SECRET,
        },
        required=("name", "remote.address", "local.role"),
        example={"name": "provider", "as": 65001, "remote.address": "192.0.2.1", "remote.as": 64500,
                 "local.role": "ebgp", "tcp-md5-key": "correct horse"},
        change={"remote.address": "192.0.2.9", "multihop": True},
    ),
)  # fmt: skip
