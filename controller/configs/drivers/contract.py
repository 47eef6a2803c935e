"""Contract of push strategies: plain values, no model instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from controller.connections.drivers.contract import ShellFactory

State = Literal["applied", "failed", "absent", "unknown", "unreachable", "busy", "woken"]


@dataclass(frozen=True, slots=True)
class Archive:
    """Archive (tar.gz), exactly as its checksum was announced."""

    content: bytes = field(repr=False)
    checksum: str
    """md5 of the archive as announced, in hex; it names the config on the device."""
    md5: str = ""
    """Of the content, where that was made for this very device and is not the announced one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """State of an archive on the device.

    applied      in force and confirmed over a new connection
    failed       not in force; the former config is (or the device said why it is not)
    absent       it never arrived, so it was neither applied nor refused: push again
    unknown      it may be either: ask ``verify`` later
    unreachable  no connection, so nothing was done
    busy         another push is running on the device and nothing was done: try again later
    woken        the agent was triggered to fetch its config, and reports by itself
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
        """Push the archive. Never raises Refused.

        The device rolls back by itself unless it can be reached again within ``window``
        seconds.
        """

    async def verify(self, archive: Archive, *, connect: ShellFactory) -> Outcome:
        """Query the state of this archive on the device. Never raises Refused.

        Changes nothing except cleaning up a push that was interrupted on the device.
        """
