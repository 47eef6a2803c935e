"""Kinds of notifications and the events they are created from; names as in OpenWISP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.base.texts import gettext_noop

OFFLINE = "connection_is_not_working"
ONLINE = "connection_is_working"
CONFIG_ERROR = "config_error"
CONFIG_APPLIED = "config_applied"
CERTIFICATE = "certificate_expiring"
HALTED = "rollout_halted"
APPROVAL = "approval_asked"
FLASH_FAILED = "firmware_failed"
FLASH_UNKNOWN = "firmware_unknown"
FLASHED = "firmware_installed"
ROLLOUT_ENDED = "firmware_rollout_ended"


@dataclass(frozen=True)
class Kind:
    """Kind of notification: label, level and text template."""

    label: str
    level: str
    text: str
    # Kinds of one family replace each other: the latest one is the row's current state.
    family: str
    # Recovery: only notified after a problem of the same family.
    is_recovery: bool = False


# Events of monitoring, as OpenWISP names it: the kinds are ping_problem, ping_recovery ….
MONITORED: Mapping[str, tuple[str, str]] = {
    "ping": (gettext_noop("Ping: problem"), gettext_noop("Ping: recovery")),
    "data_collected": (
        gettext_noop("Data received: problem"),
        gettext_noop("Data received: recovery"),
    ),
    "cpu": (gettext_noop("CPU load: problem"), gettext_noop("CPU load: recovery")),
    "memory": (gettext_noop("Memory: problem"), gettext_noop("Memory: recovery")),
    "disk": (gettext_noop("Storage: problem"), gettext_noop("Storage: recovery")),
    "threshold": (
        gettext_noop("Other limits: problem"),
        gettext_noop("Other limits: recovery"),
    ),
}


def _monitoring_kinds() -> dict[str, Kind]:
    found = {}
    for name, (problem, recovery) in MONITORED.items():
        found[f"{name}_problem"] = Kind(problem, "error", "{name}{because}", name)
        found[f"{name}_recovery"] = Kind(
            recovery, "success", gettext_noop("{name} has recovered{because}"), name,
            is_recovery=True,
        )  # fmt: skip
    return found


KINDS: Mapping[str, Kind] = {
    OFFLINE: Kind(gettext_noop("Device offline"), "error", gettext_noop("{name} is offline{because}"), "presence"),
    ONLINE: Kind(
        gettext_noop("Device online again"), "success", gettext_noop("{name} is online again"), "presence", is_recovery=True
    ),
    CONFIG_ERROR: Kind(
        gettext_noop("Configuration error"), "error",
        gettext_noop("{name} did not take its configuration{because}"), "config",
    ),
    CONFIG_APPLIED: Kind(
        gettext_noop("Configuration applied after an error"), "success",
        gettext_noop("{name} has taken its configuration after all"), "config", is_recovery=True,
    ),
    CERTIFICATE: Kind(
        gettext_noop("Certificate expiring"), "warning",
        gettext_noop("{name} ends within {days} days, on {until}"), "certificate",
    ),
    HALTED: Kind(gettext_noop("Rollout halted"), "error", gettext_noop("The rollout of {name} was halted{because}"), "rollout"),
    APPROVAL: Kind(gettext_noop("Approval asked"), "info", gettext_noop("{name} waits for approval"), "approval"),
    FLASH_FAILED: Kind(
        gettext_noop("Firmware upgrade failed"), "error", gettext_noop("The upgrade of {name} failed{because}"), "firmware"
    ),
    FLASH_UNKNOWN: Kind(
        gettext_noop("Firmware upgrade unknown"), "warning",
        gettext_noop("{name} was told to flash and has not come back{because}"), "firmware",
    ),
    FLASHED: Kind(
        gettext_noop("Firmware upgrade confirmed after all"), "success",
        gettext_noop("{name} runs its new firmware after all"), "firmware", is_recovery=True,
    ),
    ROLLOUT_ENDED: Kind(
        gettext_noop("Firmware rollout ended"), "warning", gettext_noop("The rollout of {name} has ended{because}"), "rollout"
    ),
    **_monitoring_kinds(),
}  # fmt: skip
LEVELS = ("success", "info", "warning", "error")

# (event, status or state) → (kind, permission that a recipient needs).
FOUND: Mapping[tuple[str, str], tuple[str, str]] = {
    ("device.status", "offline"): (OFFLINE, "device:update"),
    ("device.status", "online"): (ONLINE, "device:update"),
    ("config.status", "error"): (CONFIG_ERROR, "config:update"),
    ("config.status", "applied"): (CONFIG_APPLIED, "config:update"),
    ("certificate.expiring", ""): (CERTIFICATE, "cert:update"),
    ("rollout.progress", "halted"): (HALTED, "template:update"),
    ("firmware.rollout", "halted"): (HALTED, "firmware:update"),
    ("firmware.rollout", "incomplete"): (ROLLOUT_ENDED, "firmware:update"),
    ("firmware.rollout", "asked"): (APPROVAL, "firmware:upgrade"),
    ("firmware.upgrade", "failed"): (FLASH_FAILED, "firmware:update"),
    ("firmware.upgrade", "unknown"): (FLASH_UNKNOWN, "firmware:update"),
    ("firmware.upgrade", "confirmed"): (FLASHED, "firmware:update"),
    ("firmware.upgrade", "proposed"): (APPROVAL, "firmware:upgrade"),
    ("device.enrollment", "pending"): (APPROVAL, "device:create"),
    ("change.progress", "pending"): (APPROVAL, "network:update"),
} | {
    (f"monitoring.{name}", state): (f"{name}_{state}", "device:update")
    for name in MONITORED
    for state in ("problem", "recovery")
}
# Model label of an event's object; ``object_type`` in the event takes precedence.
ABOUT: Mapping[str, str] = {
    "device.status": "devices.device",
    "config.status": "devices.device",
    "rollout.progress": "configs.rollout",
    "firmware.rollout": "firmware.firmwarerollout",
    "firmware.upgrade": "firmware.upgrade",
    "device.enrollment": "devices.enrollment",
    "change.progress": "networks.change",
} | {f"monitoring.{name}": "devices.device" for name in MONITORED}


def kind_of(event: str, data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (kind, permission) for an event, or None if nobody is notified of it."""
    state = str(data.get("status") or data.get("state") or "")
    return FOUND.get((event, state))


def text_of(kind: str, data: Mapping[str, Any], translate: Callable[[str], str] = str) -> str:
    """Return the sentence about an event, in the language of the translation."""
    reason = str(data.get("reason") or "").strip()
    because = f": {reason}" if reason else ""
    name = data.get("name") or data.get("feature") or translate(gettext_noop("It"))
    known = {"days": "", "until": ""} | dict(data) | {"name": name, "because": because}
    return translate(KINDS[kind].text).format(**known)[:1000]
