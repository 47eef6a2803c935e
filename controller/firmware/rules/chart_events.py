"""Upgrades of a device as they are marked in its charts."""

from datetime import UTC, datetime
from typing import Any

from controller.devices.models import Device
from controller.firmware.models import Upgrade

MOST = 100


def events_of(device: Device, start: int, end: int) -> list[dict[str, Any]]:
    """Return the firmware upgrades that ended between these seconds."""
    moments = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    rows = Upgrade.objects.filter(device=device, ended__gte=moments[0], ended__lt=moments[1])
    return [
        {
            "kind": "rollout" if row.rollout_id else "push",
            "at": int(row.ended.timestamp()),
            "text": f"{title_of(row)}: {row.state_label.lower()}",
        }
        for row in rows[:MOST]
        if row.ended is not None
    ]


def title_of(row: Upgrade) -> str:
    if row.packages:
        return row.image_name.capitalize()
    return f"Firmware {row.version or row.image_name}"
