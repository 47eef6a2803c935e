"""How health is shown: by a shape, a word and a color, so that none of the three is needed alone."""

from typing import Any

from django.utils.html import format_html

from controller.devices.models import Device
from controller.monitoring.engine.health import Health

SHOWN: dict[str, tuple[str, str, str]] = {
    Health.OK: ("OK", "check_circle", "good"),
    Health.PROBLEM: ("Problem", "warning", "warn"),
    Health.CRITICAL: ("Critical", "dangerous", "bad"),
    Health.UNKNOWN: ("Unknown", "help", "mute"),
    Health.DEACTIVATED: ("Deactivated", "do_not_disturb_on", "mute"),
}


def health_of(device: Device) -> str:
    if device.is_deactivated:
        return Health.DEACTIVATED
    row: Any = getattr(device, "monitoring", None)
    return row.health if row is not None else Health.UNKNOWN


def health_badge(health: str, title: str = "") -> str:
    word, icon, tone = SHOWN[health]
    return format_html(
        '<span class="health badge-{}" title="{}">'
        '<i class="material-symbols-outlined" aria-hidden="true">{}</i>{}</span>',
        tone, title, icon, word,
    )  # fmt: skip
