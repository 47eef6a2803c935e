"""Who is in the networks of this machine, by its own table, and who made their interfaces."""

import re
from functools import lru_cache
from pathlib import Path

TABLE = Path("/proc/net/arp")
NOBODY = "00:00:00:00:00:00"
# As IEEE publishes it, and Debian's package ieee-data brings it.
LIST = Path("/usr/share/ieee-data/oui.txt")
LINE = re.compile(r"^([0-9A-F]{6})\s+\(base 16\)\s+(.+?)\s*$", re.MULTILINE)


def mac_address(host: str) -> str:
    """Empty if the host is in no network of this machine, or has not answered."""
    try:
        lines = TABLE.read_text().splitlines()[1:]
    except OSError:
        return ""
    found = next((line.split() for line in lines if line.startswith(f"{host} ")), None)
    return found[3] if found and found[3] != NOBODY else ""


def manufacturer(mac: str, listed: Path = LIST) -> str:
    """Empty where there is no such list, or none in it."""
    return _manufacturers(listed).get(mac.replace(":", "").upper()[:6], "")


@lru_cache(maxsize=1)
def _manufacturers(listed: Path) -> dict[str, str]:
    try:
        return dict(LINE.findall(listed.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return {}
