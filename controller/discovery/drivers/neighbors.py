"""Neighbor table of this machine, and manufacturers by MAC address (OUI)."""

import re
from functools import lru_cache
from pathlib import Path

TABLE = Path("/proc/net/arp")
NOBODY = "00:00:00:00:00:00"
# Published by IEEE and packaged by Debian as ieee-data.
LIST = Path("/usr/share/ieee-data/oui.txt")
LINE = re.compile(r"^([0-9A-F]{6})\s+\(base 16\)\s+(.+?)\s*$", re.MULTILINE)


def mac_address(host: str) -> str:
    """Return a host's MAC address; empty if not on a local network or silent."""
    try:
        lines = TABLE.read_text().splitlines()[1:]
    except OSError:
        return ""
    found = next((line.split() for line in lines if line.startswith(f"{host} ")), None)
    return found[3] if found and found[3] != NOBODY else ""


def manufacturer(mac: str, listed: Path = LIST) -> str:
    """Return the manufacturer of a MAC address; empty without the list or a match."""
    return _manufacturers(listed).get(mac.replace(":", "").upper()[:6], "")


@lru_cache(maxsize=1)
def _manufacturers(listed: Path) -> dict[str, str]:
    try:
        return dict(LINE.findall(listed.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return {}
