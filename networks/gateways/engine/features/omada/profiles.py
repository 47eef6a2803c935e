"""Omada: profiles, users of VPNs and hotspots, filters, and schedules."""

from functools import partial
from typing import Any

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.omada.kinds import MACS, PASSWORD, WORDS, Kind
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    ADDRESSES,
    FLAG,
    HOST,
    NAME,
    PORT,
    TEXT,
    WORD,
    number,
    one_of,
)

Profile = partial(Kind, in_area="profiles")
Patched = partial(Kind, changed_by="PATCH")


def group(key: str, kind: int, **how: Any) -> Feature:
    """Return the groups of one kind: they share a list, and are changed below their kind."""
    return Profile(
        f"profile.{key}", "profiles/groups", noun="groupId", constants={"type": str(kind)},
        changed_by="PATCH", changed_at=f"profiles/groups/{kind}",
        given_once=("type",), **how,
    )  # fmt: skip


# Each member of a list is one text: a MAC address or domain, and its details.
MEMBERS = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^[^/]{1,253}(/[^/]{1,128})?$"},
    "maxItems": 500,
}
SUBNETS = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^[0-9.]{7,15}/\d{1,2}$"},
    "maxItems": 500,
}
KBPS = number(1, 10_485_760)
# When a schedule is due: 1 daily, 2 weekly, 3 monthly.
TIME = {
    "timingType": number(1, 3), "hour": number(0, 23), "minute": number(0, 59),
    "dayOfWeek": number(0, 6), "dayOfMonth": number(1, 31),
}  # fmt: skip
NIGHTLY = {"timingType": 1, "hour": 4, "minute": 30}


def user(protocol: str, kind: int, *aliases: str) -> Feature:
    """Return the users of one kind of VPN server; all kinds are in one list."""
    return Patched(
        f"vpn.{protocol}.user", "vpn/users", aliases=aliases, constants={"protocol": str(kind)},
        given_once=("protocol",), kept=("serverNames",),
        properties={"username": NAME, "password": PASSWORD, "servers": WORDS, "localIp": ADDRESS,
                    "maxConnections": number(1, 100), "clientMode": number(0, 1),
                    "userRemoteSubnets": SUBNETS, "protocol": number(kind, kind)},
        required=("username", "password"), defaults={"clientMode": 0, "maxConnections": 1},
        example={"username": "anna", "password": "correct horse", "servers": ["server1"]},
        change={"maxConnections": 2},
    )  # fmt: skip


PROFILES = (
    group(
        "mac_group", 2,
        properties={"name": NAME, "type": number(2, 2), "macAddressList": MEMBERS},
        required=("name", "macAddressList"),
        example={"name": "Printers", "macAddressList": ["02-00-00-00-00-05/Hall"]},
        change={"macAddressList": ["02-00-00-00-00-05/Hall", "02-00-00-00-00-06"]},
    ),
    group(
        "domain_group", 7,
        properties={"name": NAME, "type": number(7, 7), "domainNamePort": MEMBERS},
        required=("name", "domainNamePort"),
        example={"name": "Updates", "domainNamePort": ["update.example.org"]},
        change={"domainNamePort": ["update.example.org/443", "files.example.org"]},
    ),
    group(
        "ip_group", 0,
        properties={"name": NAME, "type": number(0, 0), "ipList": SUBNETS},
        required=("name", "ipList"),
        example={"name": "Servers", "ipList": ["192.168.0.32/28"]},
        change={"ipList": ["192.168.0.32/28", "192.168.0.10/32"]},
    ),
    Profile(
        "profile.oui", "oui-profiles",
        properties={"name": NAME, "ouiCombine": MEMBERS}, required=("name", "ouiCombine"),
        example={"name": "Phones", "ouiCombine": ["02-00-00/Desk phones"]},
        change={"ouiCombine": ["02-00-00/Desk phones", "06-00-00"]},
    ),
    Profile(
        "profile.rate_limit", "rate-limit-profiles", noun="profileId",
        changed_at="rate-limit-profile",
        properties={"name": NAME, "downLimitEnable": FLAG, "downLimit": KBPS,
                    "upLimitEnable": FLAG, "upLimit": KBPS},
        required=("name",), defaults={"downLimitEnable": False, "upLimitEnable": False},
        example={"name": "Guests", "downLimitEnable": True, "downLimit": 10240},
        change={"downLimit": 20480},
    ),
    Profile(
        "profile.ldap", "profiles/ldap", noun="ldapProfileId", changed_by="PATCH",
        properties={
            "name": NAME, "status": FLAG, "server": HOST, "dstPort": PORT, "useSsl": FLAG,
            "bindType": number(0, 2), "cn": WORD, "baseDn": TEXT, "regularDn": TEXT,
            "regularPassword": PASSWORD, "filter": TEXT, "groupDn": TEXT,
        },
        required=("name", "server", "bindType", "cn", "baseDn"),
        defaults={"status": True, "dstPort": 636, "useSsl": True},
        example={"name": "Staff", "server": "ldap.example.org", "bindType": 2, "cn": "uid",
                 "baseDn": "dc=example,dc=org", "regularDn": "cn=omada,dc=example,dc=org",
                 "regularPassword": "correct horse"},
        change={"server": "ldap2.example.org"},
    ),
    Kind(
        "firewall.urlfilter.rule", "url-filters", listed="url-filters/gateway", changed_by="PATCH",
        kept=("scenarioMode", "timeRange"),
        properties={
            "name": NAME, "type": one_of("gateway"), "status": FLAG, "policy": number(0, 1),
            "filterMode": number(0, 1), "mode": number(0, 1), "sourceType": number(0, 1),
            "sourceIds": WORDS, "urls": {"type": "array", "items": {"type": "string", "pattern": r"^[^,\s]{1,253}$"}, "maxItems": 500},
            "keywords": {"type": "array", "items": {"type": "string", "pattern": r"^[^,]{1,64}$"}, "maxItems": 500},
        },
        required=("name", "policy", "sourceIds"),
        defaults={"status": True, "type": "gateway", "filterMode": 0, "mode": 0, "sourceType": 0},
        example={"name": "No games", "policy": 0, "sourceIds": ["net1"],
                 "urls": ["games.example.org"]},
        change={"urls": ["games.example.org", "*.games.example.net"]},
    ),
    user("l2tp", 0, "vpn.pptp.user"),
    user("openvpn", 1),
    Kind(
        "vpn.sslvpn.user", "vpn/ssl-vpn-server/users",
        properties={
            "name": {**WORD, "maxLength": 20}, "password": PASSWORD, "status": FLAG, "groupId": WORD,
            "concurrentNumber": number(1, 100), "validity": {"type": "string", "pattern": r"^\d{2}/\d{2}/\d{4}$"},
        },
        required=("name", "password", "validity"), given_once=("name",), defaults={"status": True, "concurrentNumber": 1},
        example={"name": "anna", "password": "correct horse", "validity": "12/31/2030"},
        change={"concurrentNumber": 2},
    ),
    Patched(
        "hotspot.operator", "hotspot/operators",
        properties={"name": NAME, "password": PASSWORD, "note": TEXT, "selectedSites": WORDS,
                    "operatorRoleType": number(0, 1)},
        required=("name", "password", "selectedSites"),
        example={"name": "reception", "password": "correct horse", "selectedSites": ["5" * 24]},
        change={"note": "Day shift", "operatorRoleType": 1},
    ),
    Kind(
        "firmware.schedule", "upgrade-schedules",
        properties={"name": NAME, "status": FLAG, "deviceMacs": MACS, "type": number(0, 1),
                    "nextExecuteTime": number(0, 10**14),
                    **{f"occurrenceTime.{name}": one for name, one in TIME.items()}},
        required=("name", "deviceMacs", "type"), defaults={"status": True},
        required_if={("type", 0): ("nextExecuteTime",),
                     ("type", 1): tuple(f"occurrenceTime.{name}" for name in NIGHTLY)},
        example={"name": "Access points", "type": 1, "deviceMacs": ["02-00-00-00-00-02"],
                 **{f"occurrenceTime.{name}": one for name, one in NIGHTLY.items()}},
        change={"status": False, "occurrenceTime.hour": 5},
    ),
    Kind(
        "site.reboot_schedule", "reboot-schedules", in_area="system",
        properties={"name": NAME, "status": FLAG, "deviceMacs": MACS,
                    **{f"time.{name}": one for name, one in TIME.items()}},
        required=("name", "deviceMacs", *(f"time.{name}" for name in NIGHTLY)),
        defaults={"status": True},
        example={"name": "Access points", "deviceMacs": ["02-00-00-00-00-02"],
                 **{f"time.{name}": one for name, one in NIGHTLY.items()}},
        change={"status": False, "time.hour": 5},
    ),
    Patched(
        "dns.record", "setting/lan/dns",
        properties={"name": NAME, "enable": FLAG, "type": number(0, 2), "domain": HOST,
                    "ipAddresses": ADDRESSES, "cname": HOST, "dnsServers": ADDRESSES,
                    "aliases": {"type": "array", "items": HOST, "maxItems": 32},
                    "lanNetworkIds": WORDS, "customTtl": FLAG, "ttl": number(1, 86400)},
        required=("name", "type", "domain"), defaults={"enable": True},
        required_if={("type", 0): ("ipAddresses",), ("type", 1): ("cname",), ("type", 2): ("dnsServers",)},
        example={"name": "Files", "type": 0, "domain": "files.example.org",
                 "ipAddresses": ["192.168.0.2"]},
        change={"ipAddresses": ["192.168.0.3"]},
    ),
)  # fmt: skip
