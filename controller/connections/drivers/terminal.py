"""Interactive terminal session on a device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from controller.connections.drivers.contract import Address, HostKey, Login
from controller.connections.drivers.ssh import open_shell

# Buffer limit for a slow reader; beyond it the device is asked to pause.
HELD_BYTES = 256 * 1024
WIDEST, HIGHEST = 500, 200


class TerminalSession(asyncssh.SSHClientSession[bytes]):
    """Terminal session; ``read`` returns output, and empty bytes once it has ended."""

    def __init__(self) -> None:
        self._shown = bytearray()
        self._news = asyncio.Event()
        self._is_over = False
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.host_key: HostKey | None = None

    async def read(self) -> bytes:
        """Wait for output and return it; empty at the end."""
        if not self._shown and not self._is_over:
            await self._news.wait()
        self._news.clear()
        shown = bytes(self._shown)
        self._shown.clear()
        if self._channel is not None and not self._is_over:
            self._channel.resume_reading()
        return shown

    def write(self, typed: bytes) -> None:
        if self._channel is not None and not self._is_over:
            self._channel.write(typed)

    def resize(self, columns: int, rows: int) -> None:
        if self._channel is not None and not self._is_over:
            self._channel.change_terminal_size(*fitting(columns, rows))

    # --- called by asyncssh

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._shown += data
        if len(self._shown) > HELD_BYTES and self._channel is not None:
            self._channel.pause_reading()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._news.set()


def fitting(columns: int, rows: int) -> tuple[int, int]:
    return min(max(columns, 2), WIDEST), min(max(rows, 2), HIGHEST)


@asynccontextmanager
async def open_terminal(
    address: Address, login: Login, host_key: HostKey | None, *, columns: int, rows: int
) -> AsyncIterator[TerminalSession]:
    """Log in and open a terminal; raises like :func:`ssh.open_shell`."""
    async with open_shell(address, login, host_key) as shell:
        screen = TerminalSession()
        screen.host_key = shell.host_key
        wide, high = fitting(columns, rows)
        channel = await shell.open_terminal(screen, columns=wide, rows=high)
        try:
            yield screen
        finally:
            channel.close()
