"""Contract of upgrades: plain values, no rows."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from controller.connections.drivers.contract import Result
from controller.firmware.engine.matching import IGNORE, ImageFacts
from controller.firmware.engine.options import Options
from controller.firmware.engine.reports import SystemReport

LONGEST_WORDS = 2000


@dataclass(frozen=True)
class UpgradeOrder:
    """Image for one device."""

    id: str
    """The caller's own, in hexadecimal digits; it names the marker on the device."""
    device_id: str
    """Identifier of the device in hexadecimal digits, as its agent knows it."""
    path: Path
    size: int
    sha256: str
    image: ImageFacts
    version: str
    revision: str
    options: Options
    signatures: str = IGNORE
    """What the organization demands of signatures."""
    backup: str = "off"
    """Whether the settings are backed up before the flash: off, try or required."""
    download_url: str = ""
    """Where the device may download the image; empty if it must be sent."""
    lane: str = ""
    rate: int = 0
    """Bytes a second that transfers of one lane share; 0 is no limit."""


class Phase(StrEnum):
    PREPARING = "preparing"
    SENDING = "sending"
    VERIFYING = "verifying"


class End(StrEnum):
    """Outcome of an attempt."""

    NOT_NEEDED = "not_needed"
    """The device proved to run the image already."""
    RETRY = "retry"
    """Nothing was written; it may go better later."""
    ABORTED = "aborted"
    """Nothing was written, and trying again is useless."""
    REFUSED = "refused"
    """The device was told to flash and refused; nothing was written."""
    ORDERED = "ordered"
    """The device was told to flash, and may have done it."""
    TAKEN_OVER = "taken_over"
    """The upgrade was cancelled, or another worker has it; nothing was written."""


@dataclass(frozen=True)
class Attempt:
    end: End
    reason: str = ""
    report: SystemReport | None = None


@dataclass(frozen=True)
class BeforeFlash:
    """The system that is about to be replaced."""

    report: SystemReport
    is_marked: bool


class NotFit(Exception):
    """Device on which the image must not be installed, with the reason."""


class Hooks(Protocol):
    """Callbacks of an upgrade to its caller."""

    async def on_phase(self, phase: Phase, text: str) -> None:
        """Record that a phase begins."""

    async def note(self, text: str) -> None:
        """Add a line to the log."""

    async def issue_download(self) -> str:
        """Return a new token with which the device downloads its image."""

    async def keep_backup(self, archive: bytes, version: str) -> None:
        """Store an archive of the device's settings."""

    async def may_flash(self, before: BeforeFlash) -> bool:
        """Return whether the device may be told to flash.

        Asked once, immediately before; False if the upgrade was cancelled meanwhile.
        """


def words(result: Result) -> str:
    """Return a command's output in one line."""
    text = " ".join((result.stdout + " " + result.stderr).split())[-LONGEST_WORDS:]
    return text or f"exit status {result.exit_status}."
