"""From a host to the addresses that are connected to: looked up once, and checked all."""

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from ipaddress import ip_address
from typing import Any

from controller.base.errors import Unreachable
from controller.base.outbound.addresses import parsed, unmapped
from controller.base.outbound.kinds import Kind, check_address
from controller.base.outbound.transactions import check_no_transaction

SECONDS = 5.0
# The library's own look-up has no timeout; a thread that waits for a dead resolver is left to it.
_lookups = ThreadPoolExecutor(16, thread_name_prefix="resolve")


def resolve(kind: Kind, host: str, port: int, seconds: float = SECONDS) -> list[str]:
    """Return the addresses to connect to, the first one first.

    Raises OutOfBounds if any of them is refused, and Unreachable if there is none.
    """
    check_no_transaction(host)
    if found := _literal(kind, host):
        return [found]
    try:
        rows = _lookups.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        return _checked(kind, host, rows.result(seconds))
    except OutOfTime as error:
        raise Unreachable(f"The name {host} was not resolved in time.") from error
    except (OSError, UnicodeError) as error:
        raise unknown(host) from error


async def resolve_async(
    kind: Kind, host: str, port: int, seconds: float = SECONDS
) -> list[str]:
    """Return the same as ``resolve``, without holding up the event loop."""
    if found := _literal(kind, host):
        return [found]
    try:
        async with asyncio.timeout(seconds):
            loop = asyncio.get_running_loop()
            rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise Unreachable(f"The name {host} was not resolved in time.") from error
    except (OSError, UnicodeError) as error:
        raise unknown(host) from error
    return _checked(kind, host, rows)


def unknown(host: str) -> Unreachable:
    return Unreachable(f"The name {host!r} could not be resolved. Check the address.")


def _literal(kind: Kind, host: str) -> str:
    address = parsed(host)
    if address is None:
        return ""
    check_address(kind, address)
    return str(address)


def _checked(kind: Kind, host: str, rows: Iterable[Any]) -> list[str]:
    found = [unmapped(ip_address(str(row[4][0]))) for row in rows]
    for address in found:
        check_address(kind, address, host)
    if not found:
        raise unknown(host)
    return list(dict.fromkeys(map(str, found)))


def is_own(address: str) -> bool:
    """Return whether an address is one of this machine's interfaces, loopback left out."""
    known = ip_address(address)
    family = socket.AF_INET6 if known.version == 6 else socket.AF_INET  # noqa: PLR2004 - of IP
    # The kernel says from where it would send: from the address itself, if that is ours.
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
            return probe.getsockname()[0] == address and not known.is_loopback
        except OSError:
            return False
