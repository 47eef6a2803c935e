"""MAC addresses in reports."""

import re
from typing import Any

from controller.monitoring.engine.report import text

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


# The second digit of addresses that devices made up themselves.
RANDOM_DIGITS = frozenset("26ae")


def mac_of(value: Any) -> str:
    """Return a MAC address in lower case; empty for anything else."""
    found = text(value).lower().replace("-", ":")
    return found if MAC.fullmatch(found) else ""


def is_random(mac: str) -> bool:
    """Return whether the address was made up by the device, so that no vendor gave it."""
    return mac[1:2] in RANDOM_DIGITS
