"""Open terminals: what is typed and shown, and why they end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from channels.db import database_sync_to_async as in_database
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.connections.drivers.contract import SshTarget
from controller.connections.drivers.terminal import TerminalSession, open_terminal
from controller.connections.models import Terminal
from controller.connections.rules import record_attempts
from controller.connections.rules.recordings import Recording
from controller.connections.rules.ssh_access import ssh_target
from controller.connections.rules.terminals import close, why_end

IDLE_SECONDS = 600.0
ABSOLUTE_SECONDS = 3600.0
LOOK_SECONDS = 2.0
MOST_EARLY = 4096


def target_of(terminal: Terminal) -> tuple[SshTarget, UUID]:
    """Return the terminal's target as plain values, and the connection's id, before any await."""
    if terminal.connection is None:
        raise Refused(gettext("The connection of this device has been removed."))
    return ssh_target(terminal.connection), terminal.connection.pk


class Session:
    """An open terminal, held by one process."""

    def __init__(self, terminal: Terminal, *, idle: float = IDLE_SECONDS) -> None:
        self.terminal = terminal
        self.recording = Recording(terminal.pk)
        self.idle = idle
        self.screen: TerminalSession | None = None
        self.last_typed = time.monotonic()
        # Input typed before the connection was established.
        self.early = bytearray()
        self.why_left = "The portal stopped."

    def typed(self, data: bytes) -> None:
        self.last_typed = time.monotonic()
        if self.screen is not None:
            self.screen.write(data)
        else:
            self.early += data[: MOST_EARLY - len(self.early)]

    def resize(self, columns: int, rows: int) -> None:
        self.recording.resize(columns, rows)
        if self.screen is not None:
            self.screen.resize(columns, rows)

    async def run(self, shown: Callable[[bytes], Awaitable[None]]) -> str:
        """Run the terminal until it ends. Returns and stores the reason."""
        because = ""
        try:
            because = await self._hold(shown)
        except Refused as refusal:
            because = str(refusal)
        finally:
            because = because or self.why_left
            await asyncio.shield(in_database(self._end)(because))
        return because

    def leave(self) -> None:
        """Record that the browser disconnected."""
        self.why_left = "The window was closed."

    def _end(self, because: str) -> None:
        self.recording.write()
        close(self.terminal, because)

    async def _hold(self, shown: Callable[[bytes], Awaitable[None]]) -> str:
        way, connection = await in_database(target_of)(self.terminal)
        size = {"columns": self.terminal.columns, "rows": self.terminal.rows}
        async with open_terminal(way.address, way.login, way.host_key, **size) as screen:
            self.screen = screen
            screen.write(bytes(self.early))
            seen = screen.host_key.line if screen.host_key else ""
            await in_database(record_attempts)({connection: ("", seen)})
            reading = asyncio.ensure_future(self._read(screen, shown))
            watching = asyncio.ensure_future(self._watch())
            try:
                await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
                ended = watching if watching.done() else reading
                return str(ended.result())
            finally:
                reading.cancel()
                watching.cancel()

    async def _read(
        self, screen: TerminalSession, shown: Callable[[bytes], Awaitable[None]]
    ) -> str:
        while data := await screen.read():
            self.recording.show(data)
            await shown(data)
            if self.recording.is_due:
                await in_database(self.recording.write)()
        return "The device ended it."

    async def _watch(self) -> str:
        began = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await in_database(self.recording.write)()
            if time.monotonic() - self.last_typed > self.idle:
                return "Nothing was typed for too long."
            if time.monotonic() - began > ABSOLUTE_SECONDS:
                return "It was open for an hour."
            why: str = await in_database(why_end)(self.terminal.pk)
            if why:
                return why
