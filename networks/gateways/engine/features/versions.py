"""Which versions of a vendor's software the portal knows, and what differs between them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Version = tuple[int, ...]
NAMES: Mapping[str, str] = {
    "mikrotik": "RouterOS", "omada": "Omada Controller", "openwrt": "OpenWrt",
    "opnsense": "OPNsense", "pfsense": "pfSense REST API", "proxmox": "Proxmox VE",
    "unifi": "UniFi Network",
}  # fmt: skip
# The first and the last series whose calls are known. What is newer is read, and not written.
KNOWN: Mapping[str, tuple[str, str]] = {
    "mikrotik": ("6.43", "7.24"),
    "omada": ("5.9", "6"),
    "openwrt": ("21.02", "25.12"),
    "opnsense": ("24.7", "27.1"),
    "pfsense": ("2.0", "2.8"),
    "proxmox": ("8", "9"),
    "unifi": ("9.0", "10.5"),
}


@dataclass(frozen=True)
class Spelling:
    """How properties are named from a version on; ``turned`` ones are the opposite there."""

    since: str
    names: Mapping[str, str]
    turned: frozenset[str] = frozenset()


def parsed(text: str) -> Version:
    """Return the numbers of a version such as ``7.19.4 (stable)``; none if it has none."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def is_at_least(version: Version, since: str) -> bool:
    return not since or version >= parsed(since)


def is_known(vendor: str, version: Version) -> bool:
    first, last = map(parsed, KNOWN[vendor])
    return bool(version) and version >= first and version[: len(last)] <= last


def caution(vendor: str, text: str) -> str:
    """Return why a gateway of this version is only read; empty if it is written as well."""
    if vendor not in KNOWN or is_known(vendor, parsed(text)):
        return ""
    name, (first, last) = NAMES[vendor], KNOWN[vendor]
    told = f"{name} {text}" if text else f"The version of {name}"
    return (
        f"{told} is not known to this portal, which knows {first} to {last}: "
        "it is read, and nothing is written to it."
    )
