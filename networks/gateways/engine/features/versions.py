"""Supported versions of the vendors' software, and differences between versions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Version = tuple[int, ...]
NAMES: Mapping[str, str] = {
    "mikrotik": "RouterOS", "omada": "Omada Controller", "openwrt": "OpenWrt",
    "opnsense": "OPNsense", "pfsense": "pfSense REST API", "proxmox": "Proxmox VE",
    "unifi": "UniFi Network",
}  # fmt: skip
# First and last supported series. Newer versions are only read, never written to.
KNOWN: Mapping[str, tuple[str, str]] = {
    "mikrotik": ("6.43", "7.24"),
    "omada": ("5.9", "6"),
    "openwrt": ("21.02", "25.12"),
    "opnsense": ("24.7", "27.1"),
    "pfsense": ("2.0", "2.7"),
    "proxmox": ("8", "9"),
    "unifi": ("9.0", "10.5"),
}


@dataclass(frozen=True)
class Spelling:
    """Property names since a version; ``turned`` properties are inverted there."""

    since: str
    names: Mapping[str, str]
    turned: frozenset[str] = frozenset()


def parsed(text: str) -> Version:
    """Parse a version such as ``7.19.4 (stable)``. Returns () if it has no numbers."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def is_at_least(version: Version, since: str) -> bool:
    return not since or version >= parsed(since)


def is_known(vendor: str, version: Version) -> bool:
    first, last = map(parsed, KNOWN[vendor])
    return bool(version) and version >= first and version[: len(last)] <= last


def caution(vendor: str, text: str) -> str:
    """Return why a gateway of this version is read-only; empty if it is not."""
    if vendor not in KNOWN or is_known(vendor, parsed(text)):
        return ""
    name, (first, last) = NAMES[vendor], KNOWN[vendor]
    told = f"{name} {text}" if text else f"The version of {name}"
    return (
        f"{told} is not known to this portal, which knows {first} to {last}: "
        "it is read, and nothing is written to it."
    )
