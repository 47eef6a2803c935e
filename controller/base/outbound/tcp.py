"""Raw TCP: a connected socket, to an address that was checked."""

import asyncio
import errno
import os
import socket

from controller.base.errors import Unreachable
from controller.base.outbound.kinds import Kind
from controller.base.outbound.resolve import resolve, resolve_async

Socket = socket.socket


def connect(kind: Kind, host: str, port: int, *, seconds: float) -> Socket:
    """Return a blocking socket with this timeout.

    Raises TimeoutError, Unreachable where nothing listens, OutOfBounds where it may not go.
    """
    error = OSError()
    for address in resolve(kind, host, port, seconds):
        try:
            return socket.create_connection((address, port), seconds)
        except TimeoutError:
            raise
        except OSError as refusal:
            error = refusal
    raise Unreachable(f"{_shown(host, port)} cannot be reached: {plain(error)}.") from error


async def connect_async(kind: Kind, host: str, port: int) -> Socket:
    """Return a socket that does not block; the caller sets the time by ``asyncio.timeout``.

    Raises Unreachable where nothing listens, and OutOfBounds where it may not go.
    """
    error = OSError()
    for address in await resolve_async(kind, host, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(0)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except OSError as refusal:
            sock.close()
            error = refusal
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise Unreachable(f"{_shown(host, port)} cannot be reached: {plain(error)}.") from error


async def peek(sock: Socket, most: int) -> bytes:
    """Return what has come first, at most so many bytes, and leave it there to be read."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, wake)
    try:
        await ready
    finally:
        loop.remove_reader(sock)
    return peek_now(sock, most)


def peek_now(sock: Socket, most: int) -> bytes:
    """Return what is there to be read, and leave it there. Raises OSError."""
    return sock.recv(most, socket.MSG_PEEK)


def plain(error: OSError) -> str:
    """Return what went wrong in the system's words."""
    if error.errno == errno.ECONNREFUSED:
        return "connection refused, so nothing listens on that port"
    return os.strerror(error.errno) if error.errno else str(error)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
