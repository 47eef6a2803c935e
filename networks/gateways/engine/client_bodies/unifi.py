"""Changes of UniFi as FreeSDN's web client stages them: by the console's older names."""

from collections.abc import Callable, Mapping
from ipaddress import ip_interface
from typing import Any

from networks.gateways.engine.features import Feature

Body = dict[str, Any]
# Properties by the client's name.
NAMES: Mapping[str, Mapping[str, str]] = {
    "unifi.traffic.rule": {"name": "description"},
    "unifi.traffic.route": {"name": "description"},
    "unifi.hotspot.voucher": {"quota": "authorizedGuestLimit"},
    "unifi.devices.port_override": {"mode": "poe_mode"},
    "unifi.switch.port": {"profile_id": "portconf_id"},
    "unifi.switch.power_cycle": {"mac": "device"},
}
# What the client says besides, which is what the console does without it.
UNSAID: Mapping[str, Mapping[str, Any]] = {
    "unifi.radius.user": {"tunnel_type": 13, "tunnel_medium_type": 6},
    "unifi.hotspot.voucher": {"count": 1},
}
TTL_SECONDS = 3600
RECORDS = {"A": "ipv4Address", "AAAA": "ipv6Address", "CNAME": "targetDomain", "TXT": "text"}
# Properties that are one of the target's names: an object of a device.
PARTS = {
    "unifi.switch.port": "port_idx", "unifi.devices.port_override": "port_idx",
    "unifi.radios.radio": "radio",
}  # fmt: skip


def in_our_words(feature: Feature, operation: str, body: Body, target: str) -> tuple[Body, str]:
    known = {*feature.properties, *feature.names}
    if "site" not in known:
        body.pop("site", None)
    for name, value in UNSAID.get(feature.key, {}).items():
        if name not in known and body.get(name) == value:
            del body[name]
    body = {NAMES.get(feature.key, {}).get(name, name): one for name, one in body.items()}
    if (part := PARTS.get(feature.key)) and target and part in body:
        if not target.endswith(f":{body[part]}"):
            target = f"{target}:{body[part]}"
        del body[part]
        settings = body.pop("settings", None)
        body.pop("mac", None)
        body |= settings if isinstance(settings, dict) else {}
    if operation == "create" and (complete := COMPLETED.get(feature.key)):
        body = complete(body)
    return body, target


def _record(body: Body) -> Body:
    """Return a DNS record: the client names type and value as the older API does."""
    kind = str(body.get("record_type", "A")).upper()
    if "key" not in body or kind not in RECORDS:
        return body
    rest = {n: v for n, v in body.items() if n not in {"key", "record_type", "value"}}
    told = {"type": f"{kind}_RECORD", "domain": body["key"], RECORDS[kind]: body.get("value")}
    usual = {"enabled": True} | ({} if kind == "TXT" else {"ttlSeconds": TTL_SECONDS})
    return {**usual, **rest, **told}


def _network(body: Body) -> Body:
    """Return a network: with a subnet the gateway routes it, else nobody does."""
    if "management" in body:
        return body
    subnet = body.pop("subnet", None)
    if subnet is None:
        return {"management": "UNMANAGED", "enabled": True, **body}
    try:
        address = ip_interface(str(subnet))
    except ValueError:
        return {**body, "subnet": subnet}
    return {
        "management": "GATEWAY", "enabled": True, "isolationEnabled": False,
        "cellularBackupEnabled": False, "internetAccessEnabled": True,
        "ipv4Configuration.autoScaleEnabled": False,
        "ipv4Configuration.hostIpAddress": str(address.ip),
        "ipv4Configuration.prefixLength": address.network.prefixlen, **body,
    }  # fmt: skip


def _voucher(body: Body) -> Body:
    return body if {"name", "note"} & body.keys() else {"name": "Voucher", **body}


COMPLETED: Mapping[str, Callable[[Body], Body]] = {
    "unifi.dns.static": _record,
    "unifi.networks.vlan": _network,
    "unifi.hotspot.voucher": _voucher,
}
