"""Arithmetic on address ranges, without enumerating addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice

Network = IPv4Network | IPv6Network

# Networks without network and broadcast address (RFC 3021, RFC 6164).
POINT_TO_POINT = 1


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Range of addresses as integers, inclusive; empty if `last` is below `first`."""

    first: int
    last: int

    def __len__(self) -> int:
        raise TypeError("len() cannot say more than 2**63: use count")

    @property
    def count(self) -> int:
        return max(self.last - self.first + 1, 0)

    def cut(self, other: Range) -> Range:
        """Return the intersection."""
        return Range(max(self.first, other.first), min(self.last, other.last))


def network(text: str) -> Network:
    """Parse `address/length`, dropping host bits. Raises ValueError."""
    return ip_network(text.strip(), strict=False)


def whole(net: Network) -> Range:
    return Range(int(net.network_address), int(net.broadcast_address))


def hosts(net: Network) -> Range:
    """Return the host addresses, without network and IPv4 broadcast address."""
    span = whole(net)
    if net.max_prefixlen - net.prefixlen <= POINT_TO_POINT:
        return span
    return Range(span.first + 1, span.last - (net.version == 4))  # noqa: PLR2004 - IPv4


def gaps(within: Range, taken: Iterable[Range]) -> Iterator[Range]:
    """Yield the free ranges, ascending. `taken` must be sorted by first address."""
    start = within.first
    for one in taken:
        if one.last < start:
            continue
        if one.first > within.last:
            break
        if one.first > start:
            yield Range(start, one.first - 1)
        start = one.last + 1
    if start <= within.last:
        yield Range(start, within.last)


def numbers(ranges: Iterable[Range]) -> Iterator[int]:
    for one in ranges:
        yield from range(one.first, one.last + 1)


def lowest_free(within: Range, taken: Iterable[Range], many: int) -> list[int]:
    """Return up to `many` lowest free addresses."""
    return list(islice(numbers(gaps(within, taken)), many))


def blocks(within: Network, length: int, taken: Iterable[Range]) -> Iterator[Network]:
    """Yield the free networks of this prefix length inside `within`, ascending."""
    size = 1 << (within.max_prefixlen - length)
    for gap in gaps(whole(within), taken):
        start = -(-gap.first // size) * size
        while start + size - 1 <= gap.last:
            yield ip_network((start, length))
            start += size


def sort_key(version: int, number: int) -> str:
    """Return a text that sorts like the addresses of both versions, in every database."""
    return f"{version}{number:032x}"


def key_of(text: str) -> str:
    address = ip_address(text)
    return sort_key(address.version, int(address))


def number_of(key: str) -> int:
    return int(key[1:], 16)


def as_text(version: int, number: int) -> str:
    """Return the canonical form of an address."""
    net = ip_network((number, 32 if version == 4 else 128))  # noqa: PLR2004 - IPv4
    return str(net.network_address)
