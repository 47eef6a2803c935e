"""Contract of upgrades: plain values, no rows."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from controller.firmware.engine.matching import ImageFacts
from controller.firmware.engine.options import Options
from controller.firmware.engine.reports import SystemReport


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


class Phase(StrEnum):
    PREPARING = "preparing"
    SENDING = "sending"
    VERIFYING = "verifying"


class End(StrEnum):
    """How an attempt ended."""

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


OnPhase = Callable[[Phase, str], Awaitable[None]]
MayFlash = Callable[[BeforeFlash], Awaitable[bool]]
