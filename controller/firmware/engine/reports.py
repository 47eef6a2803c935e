"""What a device says about itself, as the probe of the driver prints it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.firmware.engine.matching import DeviceFacts
from controller.firmware.engine.metadata import COMPAT, FIRST_COMPAT

KIB = 1024
LONGEST = 128


@dataclass(frozen=True)
class SystemReport:
    """Facts of a running system."""

    board: str = ""
    model: str = ""
    target: str = ""
    distribution: str = ""
    version: str = ""
    revision: str = ""
    rootfs_type: str = ""
    compat_version: str = FIRST_COMPAT
    boot_id: str = ""
    memory_total: int | None = None
    memory_available: int | None = None
    tmp_free: int | None = None
    checksum: str = ""
    """The SHA-256 of the image installed last, as an upgrader noted it on the device."""
    marker: str = ""
    """The upgrade whose marker is still there; flashing removes it."""
    uptime: int | None = None
    agent_id: str = ""
    """The identifier that the agent on the device has for it."""

    @property
    def facts(self) -> DeviceFacts:
        return DeviceFacts(
            board=self.board,
            target=self.target,
            version=self.version,
            compat_version=self.compat_version,
            memory_available=self.memory_available,
            memory_total=self.memory_total,
            tmp_free=self.tmp_free,
        )


def parse_report(text: str) -> SystemReport:
    """Parse the output of the probe: lines ``name value``; JSON for what ubus says.

    Unknown lines are ignored, and what is missing or malformed stays empty.
    """
    lines: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        lines.setdefault(name, value.strip())
    board = _object(lines.get("board_json", ""))
    release = board.get("release")
    release = release if isinstance(release, dict) else {}
    compat = lines.get("compat", "")
    return SystemReport(
        board=_word(board, "board_name") or lines.get("board_name", "")[:LONGEST],
        model=_word(board, "model") or lines.get("model", "")[:LONGEST],
        target=_word(release, "target"),
        distribution=_word(release, "distribution"),
        version=_word(release, "version"),
        revision=_word(release, "revision"),
        rootfs_type=_word(board, "rootfs_type"),
        compat_version=compat if COMPAT.fullmatch(compat) else FIRST_COMPAT,
        boot_id=lines.get("boot_id", "")[:64],
        memory_total=_kib(lines.get("memory_total")),
        memory_available=_kib(lines.get("memory_available")),
        tmp_free=_kib(lines.get("tmp_free")),
        checksum=lines.get("checksum", "")[:64],
        marker=lines.get("marker", "")[:64],
        uptime=_number(lines.get("uptime", "").partition(".")[0]),
        agent_id=lines.get("agent_id", "")[:64],
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _word(values: Mapping[str, Any], name: str) -> str:
    found = values.get(name)
    return found[:LONGEST] if isinstance(found, str) and found.isprintable() else ""


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _kib(text: str | None) -> int | None:
    found = _number(text)
    return None if found is None else found * KIB
