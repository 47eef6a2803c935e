"""Single datagrams (UDP), and echoes (ICMP)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controller.base.outbound.kinds import Kind
from controller.base.outbound.resolve import resolve_async

# Protocol, what asks, what answers.
ECHO = {4: (socket.IPPROTO_ICMP, 8, 0), 6: (socket.IPPROTO_ICMPV6, 128, 129)}
LARGEST = 65_536


class Channel(asyncio.DatagramProtocol):
    """Datagrams to one address, and the first one that came back."""

    def __init__(self) -> None:
        self._first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport: Any = None

    def send(self, message: bytes) -> None:
        self.transport.sendto(message)

    async def receive(self, seconds: float) -> bytes:
        """Return the first answer. Raises TimeoutError, and OSError where nothing listens."""
        return await asyncio.wait_for(self._first, seconds)

    # --- called by asyncio

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self._first.done():
            self._first.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._first.done():
            self._first.set_exception(exc)


@asynccontextmanager
async def channel(kind: Kind, host: str, port: int) -> AsyncIterator[Channel]:
    """Open a way to send datagrams to one address; raises OutOfBounds or Unreachable."""
    address = (await resolve_async(kind, host, port))[0]
    loop = asyncio.get_running_loop()
    transport, opened = await loop.create_datagram_endpoint(
        Channel, remote_addr=(address, port)
    )
    try:
        yield opened
    finally:
        transport.close()


async def ask(kind: Kind, host: str, port: int, message: bytes, *, seconds: float) -> bytes:
    """Send one datagram and return the first that comes back.

    Raises TimeoutError, OSError, OutOfBounds or Unreachable.
    """
    async with channel(kind, host, port) as opened:
        opened.send(message)
        return await opened.receive(seconds)


async def ping(kind: Kind, host: str, *, seconds: float) -> float:
    """Return the seconds that an echo took.

    The kernel permits that to everybody by net.ipv4.ping_group_range; raises OSError where it
    does not, TimeoutError without an answer, ValueError for an answer of another kind,
    OutOfBounds or Unreachable.
    """
    address = (await resolve_async(kind, host, 0))[0]
    version = 6 if ":" in address else 4
    protocol, asks, answers = ECHO[version]
    family = socket.AF_INET6 if version == 6 else socket.AF_INET  # noqa: PLR2004 - of IP
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM, protocol) as echo:
        echo.setblocking(False)  # noqa: FBT003 - the standard library's own
        await loop.sock_connect(echo, (address, 0))
        sent = loop.time()
        # The kernel fills in checksum and identifier.
        await loop.sock_sendall(echo, bytes([asks, 0, 0, 0, 0, 0, 0, 1]) + b"muster")
        data = await asyncio.wait_for(loop.sock_recv(echo, 1024), seconds)
        took = loop.time() - sent
    if data[:1] != bytes([answers]):
        raise ValueError("This is no answer to an echo.")
    return took
