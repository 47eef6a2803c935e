"""WebSockets over connections that were checked."""

import asyncio

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from controller.base.outbound import tcp
from controller.base.outbound.kinds import Kind

__all__ = ["ClientConnection", "ConnectionClosed", "WebSocketException", "connect"]


async def connect(
    kind: Kind, host: str, port: int, path: str, *, seconds: float, largest: int
) -> ClientConnection:
    """Return an open WebSocket without TLS, whose messages have at most so many bytes.

    Raises OSError, TimeoutError, WebSocketException, OutOfBounds or Unreachable.
    """
    async with asyncio.timeout(seconds):
        sock = await tcp.connect_async(kind, host, port)
    shown = f"[{host}]" if ":" in host else host
    return await _connect(
        f"ws://{shown}:{port}{path}", sock=sock, max_size=largest, open_timeout=seconds,
        close_timeout=1, proxy=None, compression=None,
    )  # fmt: skip
