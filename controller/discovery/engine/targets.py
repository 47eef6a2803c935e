"""Scan targets: addresses, networks and ranges in common notations."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network, summarize_address_range
from typing import Any

MOST_HOSTS = 65_536
# In larger IPv4 networks, the first and the last address are not hosts.
POINT_TO_POINT = 31


@dataclass(frozen=True)
class Range:
    """Inclusive range of addresses of one IP version."""

    first: int
    last: int
    version: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, number: tuple[int, int]) -> bool:
        return number[0] == self.version and self.first <= number[1] <= self.last


def parse(text: str) -> Range:
    """Parse ``192.0.2.7``, ``192.0.2.0/24`` or ``192.0.2.10-20``.

    The end of a range may be a whole address. Raises ValueError if malformed.
    """
    try:
        return _network(text) if "/" in text else _range(*text.partition("-")[::2])
    except ValueError as error:
        raise ValueError(
            f"{text[:64]!r} is no address, network or range: write 192.0.2.7, 192.0.2.0/24 or "
            "192.0.2.10-20."
        ) from error


def _network(text: str) -> Range:
    found = ip_network(text.strip(), strict=False)
    first, last = int(found.network_address), int(found.broadcast_address)
    if found.version == 4 and found.prefixlen < POINT_TO_POINT:  # noqa: PLR2004 - of IP
        first, last = first + 1, last - 1
    return Range(first, last, found.version)


def _range(first: str, last: str) -> Range:
    start = ip_address(first.strip())
    last = last.strip() or str(start)
    if last.isdecimal():
        last = f"{str(start).rpartition('.')[0]}.{last}"
    end = ip_address(last)
    if end.version != start.version or int(end) < int(start):
        raise ValueError(last)
    return Range(int(start), int(end), start.version)


def check(ranges: Sequence[Range], permitted: Iterable[Any]) -> None:
    """Raise ValueError if ranges are too large or outside the permitted networks."""
    if sum(map(len, ranges)) > MOST_HOSTS:
        raise ValueError(f"These are more than {MOST_HOSTS} addresses; scan them in parts.")
    networks = [ip_network(one) for one in permitted]
    for one in ranges:
        for part in _networks(one):
            if not any(
                part.version == known.version and part.subnet_of(known) for known in networks
            ):
                raise ValueError(
                    f"{part} is not in a network that may be scanned; "
                    "MUSTER_DISCOVERY_NETWORKS says which are."
                )


def _networks(one: Range) -> Iterator[Any]:
    first, last = _address(one.version, one.first), _address(one.version, one.last)
    yield from summarize_address_range(first, last)


def _address(version: int, number: int) -> Any:
    text = ip_address("::") if version == 6 else ip_address("0.0.0.0")  # noqa: PLR2004, S104
    return text + number


def hosts(ranges: Iterable[Range], excluded: Sequence[Range], start: int = 0) -> Iterator[str]:
    """Yield distinct addresses in order, from a position on."""
    seen: list[Range] = []
    position = 0
    for one in ranges:
        for number in range(one.first, one.last + 1):
            at = (one.version, number)
            if any(at in other for other in (*excluded, *seen)):
                continue
            if position >= start:
                yield str(_address(one.version, number))
            position += 1
        seen.append(one)


def count(ranges: Iterable[Range], excluded: Sequence[Range]) -> int:
    return sum(1 for _ in hosts(ranges, excluded))
