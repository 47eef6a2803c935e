"""IPv4 ranges of networks: which may be used, which are free, and the next address."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from networks.ipam.engine import addresses

AUTOMATIC = "auto"
SHORTEST, LONGEST = 16, 29
# RFC 1918; addresses of carriers (RFC 6598) are in use where members are.
PRIVATE = tuple(IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
# A range has this many times the addresses that its members need, and at least a /24.
ROOM, USUAL = 4, 24


class BadRange(ValueError):
    """Range that a network may not use; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A range that is in use elsewhere."""

    network: IPv4Network | IPv6Network
    by: str
    """What uses it, as it stands in a sentence."""


def checked(text: str) -> IPv4Network:
    """Parse a range. Raises BadRange."""
    try:
        found = IPv4Network(text.strip())
    except ValueError as error:
        raise BadRange(
            f"{text[:43]!r} is no IPv4 range: write its first address and prefix length, as in "
            "10.64.0.0/24."
        ) from error
    if not any(found.subnet_of(one) for one in PRIVATE):
        raise BadRange("The range is private: in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.")
    if not SHORTEST <= found.prefixlen <= LONGEST:
        raise BadRange(f"The prefix length of the range is {SHORTEST} to {LONGEST}.")
    return found


def parsed(texts: Iterable[str], by: str) -> Iterator[Taken]:
    """Yield valid ranges; skip invalid texts."""
    for text in texts:
        try:
            yield Taken(ip_network(text, strict=False), by)
        except ValueError:
            continue


def conflict(wanted: IPv4Network | IPv6Network, taken: Iterable[Taken]) -> Taken | None:
    return next(
        (
            one
            for one in taken
            if one.network.version == wanted.version and one.network.overlaps(wanted)
        ),
        None,
    )


def free(pool: IPv4Network, count: int, taken: Iterable[Taken]) -> IPv4Network | None:
    """Return the first free range of the pool with room for `count` members; None if full."""
    length = USUAL
    while length > SHORTEST and 2 ** (32 - length) < ROOM * count:
        length -= 1
    return free_block(pool, length, taken)


def free_block(pool: IPv4Network, length: int, taken: Iterable[Taken]) -> IPv4Network | None:
    """Return the first free network of this prefix length in the pool; None if full."""
    spans = sorted(
        addresses.whole(one.network) for one in taken if isinstance(one.network, IPv4Network)
    )
    found = next(addresses.blocks(pool, length, spans), None)
    return found if isinstance(found, IPv4Network) else None


def next_addresses(within: IPv4Network, used: Collection[str], count: int) -> list[str]:
    """Return up to `count` free addresses.

    They follow the highest in use, so that an address that was given back is not given to
    another member soon.
    """
    span = addresses.hosts(within)
    numbers = {int(IPv4Address(one)) for one in used}
    start = max(numbers, default=span.first - 1) + 1
    found: list[str] = []
    for number in (*range(start, span.last + 1), *range(span.first, start)):
        if len(found) == count:
            break
        if number not in numbers:
            found.append(str(IPv4Address(number)))
    return found
