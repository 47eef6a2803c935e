"""What a way to bring a config onto a device takes and gives: values only, never rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from controller.connections.drivers.contract import ShellFactory

State = Literal["applied", "failed", "absent", "unknown", "unreachable", "busy", "woken"]


@dataclass(frozen=True, slots=True)
class Archive:
    """The tar.gz exactly as its checksum was announced."""

    content: bytes = field(repr=False)
    checksum: str
    """md5 of the archive as announced, in hex; it names the config on the device."""
    md5: str = ""
    """Of the content, where that was made for this very device and is not the announced one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it stands on the device.

    applied      in force and confirmed over a new connection
    failed       not in force; the former config is (or the device said why it is not)
    absent       it never arrived, so it was neither applied nor refused: push again
    unknown      it may be either: ask ``verify`` later
    unreachable  no connection, so nothing was done
    busy         another push is at work there and nothing was done: try again later
    woken        the agent was told to fetch its config, and reports by itself
    """

    state: State
    reason: str = ""
    log: str = ""
    """What hooks and tools on the device said, last lines only."""
    drift: tuple[str, ...] = ()
    """Paths changed on the device since the config was applied; ``verify`` alone fills it."""
    holds_other: bool = False
    """The device said that it holds another config than this, or none of ours."""


class Strategy(Protocol):
    async def push(self, archive: Archive, *, window: float, connect: ShellFactory) -> Outcome:
        """Bring the archive onto the device, which goes back to its former files by itself
        unless it can be reached again within ``window`` seconds. Never raises Refused.
        """

    async def verify(self, archive: Archive, *, connect: ShellFactory) -> Outcome:
        """Ask the device how it stands with this archive; changes nothing but what a push
        that died there left half done. Never raises Refused.
        """
