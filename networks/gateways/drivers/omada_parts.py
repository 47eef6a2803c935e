"""Parts of what Omada's controller has: ports of switches, and wireless networks of a group.

Their ids name both: ``02-00-00-00-00-03:5`` and ``<group>:<network>``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from networks.gateways.drivers.contract import OutcomeUnknown, Rejected
from networks.gateways.engine.features import Feature

Row = dict[str, Any]
Get = Callable[[str], Any]
Tell = Callable[[str, str, Mapping[str, Any]], Any]
PORT, SSID = "port", "ssidId"
GROUPS = "wireless-network/wlans"
# Each setting of a port has a call of its own, and its name there.
CALLS = {
    "name": ("name", "name"), "poeMode": ("poe-mode", "poeMode"),
    "status": ("status", "status"), "profileId": ("profile", "profileId"),
}  # fmt: skip


def is_part(feature: Feature) -> bool:
    return feature.noun in {PORT, SSID}


def ids(feature: Feature, get: Get, pages: Get) -> list[str]:
    if feature.noun == PORT:
        switches = [str(one["mac"]) for one in pages("devices") if one.get("type") == "switch"]
        return [
            f"{mac}:{one['port']}"
            for mac in switches
            for one in ports(get, mac)
            if "port" in one
        ]
    groups = [str(one["wlanId"]) for one in get(GROUPS) if "wlanId" in one]
    return [
        f"{group}:{one[SSID]}"
        for group in groups
        for one in pages(f"{GROUPS}/{group}/ssids")
        if SSID in one
    ]


def ports(get: Get, mac: str) -> list[Row]:
    return list(get(f"switches/{mac}").get("portList") or [])


def row(feature: Feature, get: Get, target: str) -> Row | None:
    place, name = feature.located(target)
    if feature.noun == PORT:
        found = [one for one in ports(get, place["switchMac"]) if str(one.get("port")) == name]
        return {**found[0], **place} if found else None
    return {**get(f"{feature.path.format(**place)}/{name}"), **place}


def change_port(feature: Feature, tell: Tell, target: str, values: Mapping[str, Any]) -> None:
    """Make a call for each setting; the first one that is refused has changed nothing."""
    place, port = feature.located(target)
    root = f"switches/{place['switchMac']}/ports/{port}"
    for at, (name, value) in enumerate(values.items()):
        call, theirs = CALLS[name]
        try:
            tell("PUT", f"{root}/{call}", {theirs: value})
        except Rejected as error:
            if at:
                raise OutcomeUnknown(f"Part of it was changed: {error}") from error
            raise
