"""The newest report of a device, as it was sent."""

import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from controller.monitoring.engine.mac_addresses import is_random
from controller.monitoring.engine.oui import Vendors
from controller.monitoring.models import Snapshot

# As IEEE publishes it, and Debian's package ieee-data brings it.
LIST = Path("/usr/share/ieee-data/oui.txt")


def snapshots_of(devices: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the newest report of each of these devices that has sent one."""
    rows = Snapshot.objects.filter(monitored__device__in=list(devices))
    return {
        device: opened(body) for device, body in rows.values_list("monitored__device", "body")
    }


def opened(body: bytes | memoryview) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(zlib.decompress(body))
    return found


def vendor_of(mac: str) -> str:
    """Return who made a network interface; empty where that is unknown."""
    return "" if is_random(mac) else _vendors(LIST).of(mac)


@lru_cache(maxsize=1)
def _vendors(path: Path) -> Vendors:
    try:
        return Vendors(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return Vendors("")
