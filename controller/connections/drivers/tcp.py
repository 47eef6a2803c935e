"""First stage of SSH: TCP connections with a server that has sent its banner.

Hundreds of them can wait side by side, so a dead device never occupies the handshake gate,
and
the timeout measures the device, not our own queue.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.base.errors import Unreachable
from controller.connections.drivers.contract import Address

BANNER_LIMIT = 255
"""Bytes of the first line, RFC 4253 section 4.2."""

SOCKET_SECONDS = 5.0
PROBES_AT_ONCE = 500

Resolved = tuple[
    socket.AddressFamily,
    socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]


@dataclass(frozen=True, slots=True)
class Probe:
    reachable: bool
    banner: str = ""
    reason: str = ""
    """Why it is not reachable; empty if it is."""


async def open_socket(
    address: Address, *, banner: bool = True, timeout: float = SOCKET_SECONDS
) -> socket.socket:
    """Connect, and with ``banner`` wait for ``SSH-``, within ``timeout`` seconds.

    The banner is peeked at, not consumed. Raises Unreachable.
    """
    step = "did not accept a connection"
    try:
        async with asyncio.timeout(timeout):
            sock = await _connect(address)
            if not banner:
                return sock
            step = "accepted the connection but sent no SSH banner"
            try:
                await _wait_for_banner(address, sock)
            except BaseException:
                sock.close()
                raise
            return sock
    except TimeoutError as error:
        raise Unreachable(f"{address} {step} within {timeout:g} s.") from error


async def probe(
    address: Address, *, banner: bool = True, timeout: float = SOCKET_SECONDS
) -> Probe:
    """Check whether a host (with ``banner``, an SSH server) answers. Never raises."""
    try:
        sock = await open_socket(address, banner=banner, timeout=timeout)
    except Unreachable as refusal:
        return Probe(reachable=False, reason=str(refusal))
    with sock:
        return Probe(reachable=True, banner=_first_line(sock) if banner else "")


async def probe_many(
    addresses: Iterable[Address], *, banner: bool = True, timeout: float = SOCKET_SECONDS
) -> dict[Address, Probe]:
    """Probe all addresses concurrently; each has ``timeout`` seconds of its own."""
    places = asyncio.Semaphore(PROBES_AT_ONCE)

    async def one(address: Address) -> tuple[Address, Probe]:
        async with places:
            return address, await probe(address, banner=banner, timeout=timeout)

    return dict(await asyncio.gather(*(one(address) for address in set(addresses))))


async def _connect(address: Address) -> socket.socket:
    refusals: list[OSError] = []
    for family, kind, protocol, _, target in await _resolve(address):
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(0)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, target)
        except OSError as error:
            sock.close()
            refusals.append(error)
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise Unreachable(f"{address} cannot be reached: {_plain(refusals[0])}.") from refusals[0]


async def _resolve(address: Address) -> Sequence[Resolved]:
    loop = asyncio.get_running_loop()
    try:
        return await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(
            f"The name {address.host!r} could not be resolved. Check the device's address."
        ) from error


async def _wait_for_banner(address: Address, sock: socket.socket) -> None:
    await _readable(sock)
    try:
        start = sock.recv(BANNER_LIMIT, socket.MSG_PEEK)
    except OSError as error:
        raise Unreachable(f"{address} closed the connection: {_plain(error)}.") from error
    if not start:
        raise Unreachable(
            f"{address} closed the connection before it said anything. Its SSH server may "
            "limit who connects or how many do."
        )
    if not b"SSH-".startswith(start[:4]):
        raise Unreachable(
            f"{address} does not speak SSH: it says {_printable(start)!r}. Check the port, "
            "or what the device's SSH server complains of."
        )


async def _readable(sock: socket.socket) -> None:
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


def _first_line(sock: socket.socket) -> str:
    try:
        return _printable(sock.recv(BANNER_LIMIT, socket.MSG_PEEK))
    except OSError:
        return ""


def _printable(data: bytes) -> str:
    lines = data.decode("ascii", "replace").splitlines()
    return "".join(char for char in lines[0] if char.isprintable()) if lines else ""


def _plain(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "connection refused, so no SSH server listens on that port"
    return os.strerror(error.errno) if error.errno else str(error)
