"""Outcome of an upgrade, judged by what the device reports afterwards."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from controller.firmware.engine.reports import SystemReport

# Writing the flash and the reboot take minutes on slow devices.
LONGEST_FLASH = timedelta(minutes=10)


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    FAILED = "failed"
    NOT_YET = "not_yet"


@dataclass(frozen=True)
class Before:
    """The system before the flash."""

    boot_id: str
    revision: str
    version: str
    upgrade: str
    """Name of the marker that was laid on the device; empty if none could be."""


@dataclass(frozen=True)
class Wanted:
    """The firmware of the image; empty texts are not known."""

    version: str
    revision: str


@dataclass(frozen=True)
class Judgment:
    verdict: Verdict
    reason: str


def judge(
    before: Before, wanted: Wanted, now: SystemReport, *, since_flash: timedelta
) -> Judgment:
    """Judge the report of a device that answers after it was told to flash."""
    if not now.boot_id or not before.boot_id or now.boot_id == before.boot_id:
        return _not_rebooted(since_flash)
    is_marked = bool(before.upgrade) and now.marker == before.upgrade
    if is_marked:
        return Judgment(
            Verdict.FAILED,
            "The device restarted without writing the image: its files from before are still "
            f"there, and it runs {_named(now.version, now.revision)}.",
        )
    if _runs(wanted, now):
        return Judgment(
            Verdict.CONFIRMED,
            f"The device restarted and runs {_named(now.version, now.revision)}.",
        )
    if (now.version, now.revision) == (before.version, before.revision):
        return Judgment(
            Verdict.FAILED,
            f"The device came back with its former firmware, {_named(now.version, now.revision)}:"
            " it started from another slot, or was reset.",
        )
    return Judgment(
        Verdict.FAILED,
        f"The device runs {_named(now.version, now.revision)}, which is neither the image nor "
        "its former firmware.",
    )


def _not_rebooted(since_flash: timedelta) -> Judgment:
    if since_flash < LONGEST_FLASH:
        return Judgment(Verdict.NOT_YET, "The device answers but has not restarted yet.")
    minutes = int(LONGEST_FLASH.total_seconds() // 60)
    return Judgment(
        Verdict.FAILED,
        f"The device did not restart within {minutes} minutes: nothing was written.",
    )


def _runs(wanted: Wanted, now: SystemReport) -> bool:
    """Return whether the system is the image's, as far as the image tells.

    An image without version proves itself by the missing marker and the new boot alone.
    """
    if wanted.revision and now.revision:
        return wanted.revision == now.revision
    if wanted.version and now.version:
        return wanted.version == now.version
    return True


def _named(version: str, revision: str) -> str:
    return " ".join(part for part in (version, revision) if part) or "an unknown version"
