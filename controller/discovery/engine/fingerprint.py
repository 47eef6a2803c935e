"""Identification of hosts by their answers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 255
# Searched in all text a host sent; the first match applies.
SIGNS: tuple[tuple[str, str, str], ...] = (
    (r"opnsense", "opnsense", "firewall"),
    (r"pfsense", "pfsense", "firewall"),
    (r"routeros|mikrotik", "mikrotik", "router"),
    (r"unifi", "unifi", "controller"),
    (r"omada", "omada", "controller"),
    (r"proxmox|pve-api-daemon", "proxmox", "hypervisor"),
    (r"home assistant|_home-assistant\._tcp", "home-assistant", "appliance"),
    (r"balena", "balena", "appliance"),
    (r"openwrt|luci|dropbear", "openwrt", "router"),
    (r"axis|hikvision|dahua|onvif|_rtsp\._tcp", "", "camera"),
    (r"asterisk|freepbx|sip/2\.0|_sip\._udp", "", "voip"),
    (r"_ipp\._tcp|printer", "", "printer"),
    (r"openssh|ubuntu|debian|linux", "", "host"),
)


@dataclass(frozen=True)
class Guess:
    vendor: str = ""
    device_type: str = "unknown"


# Sources of names, best first; and banners that begin with a name.
NAMES = ("dns", "mdns:name", "snmp:name")
GREETINGS = re.compile(r"^220[ -]([A-Za-z0-9][A-Za-z0-9.-]+) |^([A-Za-z0-9][\w.-]*) login:")


def hostname(said: Mapping[str, Any]) -> str:
    """Return a host's name by its answers; empty if none contains one."""
    for source in NAMES:
        if name := str(said.get(source, "")).strip():
            return name[:LONGEST]
    for source, text in said.items():
        if source.startswith("banner:") and (found := GREETINGS.match(text)):
            return next(one for one in found.groups() if one)[:LONGEST]
    return ""


def guess(texts: Iterable[str]) -> Guess:
    """Guess vendor and kind from banners, titles, server headers and descriptions."""
    whole = "\n".join(texts).lower()
    for pattern, vendor, kind in SIGNS:
        if re.search(pattern, whole):
            return Guess(vendor, kind)
    return Guess()
