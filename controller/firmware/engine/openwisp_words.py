"""Words of OpenWISP's firmware upgrader for the states of upgrades."""

from collections.abc import Mapping

IN_PROGRESS, SUCCESS, FAILED = "in-progress", "success", "failed"
CANCELLED, ABORTED, IDLE = "cancelled", "aborted", "idle"
OPERATION_STATUSES = (IN_PROGRESS, SUCCESS, FAILED, CANCELLED, ABORTED)
BATCH_STATUSES = (IDLE, IN_PROGRESS, SUCCESS, FAILED, CANCELLED)

STATUS: Mapping[str, str] = {
    "proposed": IN_PROGRESS, "waiting": IN_PROGRESS, "queued": IN_PROGRESS, "preparing": IN_PROGRESS,
    "sending": IN_PROGRESS, "verifying": IN_PROGRESS, "flashing": IN_PROGRESS,
    "away": IN_PROGRESS, "back": IN_PROGRESS, "confirmed": SUCCESS, "failed": FAILED,
    "unknown": FAILED, "aborted": ABORTED, "left": ABORTED, "cancelled": CANCELLED,
}  # fmt: skip
# Clients offer to cancel below 65.
PROGRESS: Mapping[str, int] = {
    "proposed": 0, "waiting": 0, "queued": 0, "preparing": 15, "sending": 40, "verifying": 60, "flashing": 65,
    "away": 80, "back": 90, "unknown": 90, "confirmed": 100, "failed": 100, "aborted": 0,
    "left": 0, "cancelled": 0,
}  # fmt: skip


def states_of(status: str) -> list[str]:
    """Return the states that this status stands for."""
    return [state for state, word in STATUS.items() if word == status]
