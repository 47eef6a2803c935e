"""Badges, relative times and history of devices in the admin."""

from itertools import chain
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import badge
from controller.base.changelist import relative_time
from controller.configs.models import Config, Push, Snapshot
from controller.devices.models import Device, Presence, StatusChange
from controller.monitoring.engine.health import Health

__all__ = [
    "health_badge",
    "health_of",
    "history",
    "presence_badge",
    "relative_time",
    "snapshots",
    "status_badge",
]

TONES: dict[str, str] = {
    Presence.State.ONLINE: "good",
    Presence.State.OFFLINE: "bad",
    Presence.State.UNKNOWN: "mute",
    Config.Status.APPLIED: "good",
    Config.Status.ERROR: "bad",
    Config.Status.MODIFIED: "warn",
    Config.Status.DEACTIVATING: "busy",
    Config.Status.DEACTIVATED: "mute",
    Snapshot.State.REPLACED: "mute",
    Snapshot.State.REFUSED: "bad",
    Snapshot.State.UNUSED: "mute",
    Push.State.QUEUED: "busy",
    Push.State.APPLYING: "busy",
    Push.State.FAILED: "bad",
    Push.State.SUPERSEDED: "mute",
}
# Word, shape and tone of each health: none of the three is needed alone.
HEALTH: dict[str, tuple[str | Promise, str, str]] = {
    Health.OK: ("OK", "check_circle", "good"),
    Health.PROBLEM: (_("Problem"), "warning", "warn"),
    Health.CRITICAL: (_("Critical"), "dangerous", "bad"),
    Health.UNKNOWN: (_("Unknown"), "help", "mute"),
    Health.DEACTIVATED: (_("Deactivated"), "do_not_disturb_on", "mute"),
}
HISTORY = 30
SNAPSHOTS = 50


def health_of(device: Device) -> str:
    """Return the health of a device; of one that was never measured it is unknown."""
    if device.is_deactivated:
        return Health.DEACTIVATED
    row: Any = getattr(device, "monitoring", None)
    return row.health if row is not None else Health.UNKNOWN


def health_badge(device: Device, title: str = "") -> str:
    word, icon, tone = HEALTH[health_of(device)]
    return format_html(
        '<span class="health badge-{}" title="{}">'
        '<i class="material-symbols-outlined" aria-hidden="true">{}</i>{}</span>',
        tone, title, icon, word,
    )  # fmt: skip


def presence_badge(device: Device) -> str:
    presence = getattr(device, "presence", None)
    if device.is_deactivated:
        return badge(gettext("Deactivated"), "mute")
    if presence is None:
        return badge(gettext("Unknown"), "mute", gettext("It has never been heard of."))
    return badge(presence.get_state_display(), TONES[presence.state], presence.reason)


def status_badge(config: Config | None) -> str:
    if config is None:
        return badge(
            gettext("None"), "mute", gettext("The portal does not manage its configuration.")
        )
    if config.drifted_at and config.status == Config.Status.APPLIED:
        return badge(gettext("Drifted"), "bad", config.drift_reason)
    label = Config.Status(config.status).label
    return badge(label, TONES[config.status], config.render_error or config.error_reason)


def history(device: Device) -> list[dict[str, Any]]:
    """Return a device's latest status changes and pushes, newest first."""
    changes = StatusChange.objects.filter(device=device)[:HISTORY]
    pushes = Push.objects.filter(config__device=device)[:HISTORY]
    rows = chain((of_change(row) for row in changes), (of_push(row) for row in pushes))
    return sorted(rows, key=lambda row: row["at"], reverse=True)[:HISTORY]


def of_change(row: StatusChange) -> dict[str, Any]:
    return {
        "at": row.at,
        "ago": relative_time(row.at),
        "what": gettext("Presence"),
        "badge": badge(row.get_state_display(), TONES[row.state]),
        "reason": row.reason,
    }


def of_push(row: Push) -> dict[str, Any]:
    at = row.ended or row.started or row.created
    attempts = f"attempt {row.attempts}" if row.attempts > 1 else ""
    return {
        "at": at,
        "ago": relative_time(at),
        "what": gettext("Configuration push"),
        "badge": badge(row.get_state_display(), TONES.get(row.state, "good")),
        "reason": " · ".join(part for part in (row.reason, attempts) if part),
    }


def snapshots(device: Device) -> list[dict[str, Any]]:
    """Return the latest snapshots that the device applied or refused, and the current one."""
    rows: Any = Snapshot.objects.filter(config__device=device)
    known = rows.light().with_state()
    told = known.exclude(state=Snapshot.State.UNUSED) | known.filter(is_current=True)
    return [
        {
            "id": row.pk,
            "checksum": row.checksum[:8],
            "is_current": row.is_current,
            "ago": relative_time(row.created),
            "badge": badge(Snapshot.State(row.state).label, TONES[row.state]),
        }
        for row in told[:SNAPSHOTS]
    ]
