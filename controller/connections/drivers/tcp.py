"""First stage of SSH: TCP connections with a server that has sent its banner.

Hundreds of them can wait side by side, so a dead device never occupies the handshake gate,
and
the timeout measures the device, not our own queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from controller.base.errors import Unreachable
from controller.base.outbound import Kind, tcp
from controller.connections.drivers.contract import Address

BANNER_LIMIT = 255
"""Bytes of the first line, RFC 4253 section 4.2."""

SOCKET_SECONDS = 5.0
PROBES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Probe:
    reachable: bool
    banner: str = ""
    reason: str = ""
    """Why it is not reachable; empty if it is."""


async def open_socket(
    address: Address, *, banner: bool = True, timeout: float = SOCKET_SECONDS
) -> tcp.Socket:
    """Connect, and with ``banner`` wait for ``SSH-``, within ``timeout`` seconds.

    The banner is peeked at, not consumed. Raises Unreachable.
    """
    step = "did not accept a connection"
    try:
        async with asyncio.timeout(timeout):
            sock = await tcp.connect_async(Kind.DEVICE, address.host, address.port)
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


async def _wait_for_banner(address: Address, sock: tcp.Socket) -> None:
    try:
        start = await tcp.peek(sock, BANNER_LIMIT)
    except OSError as error:
        raise Unreachable(f"{address} closed the connection: {tcp.plain(error)}.") from error
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


def _first_line(sock: tcp.Socket) -> str:
    try:
        return _printable(tcp.peek_now(sock, BANNER_LIMIT))
    except OSError:
        return ""


def _printable(data: bytes) -> str:
    lines = data.decode("ascii", "replace").splitlines()
    return "".join(char for char in lines[0] if char.isprintable()) if lines else ""
