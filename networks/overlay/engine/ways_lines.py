"""Lines that agents and the portal exchange about direct ways.

Numbers and addresses are parsed strictly; a line that does not fit is left out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import get_args

from networks.overlay.engine.ways import (
    Candidate,
    Evidence,
    Said,
    join_endpoint,
    split_endpoint,
)

MOST_LINES = 5000
MOST_ADDRESSES = 16
MOST_PREFIXES = 32
MOST_ANNOUNCED = 8
HIGHEST_PORT = 65535
LONGEST_LEASE = 86400
KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
NUMBER = re.compile(r"[0-9]{1,12}")
MILLISECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
BYTES = re.compile(r"([0-9]{1,18}) ([0-9]{1,18})")
MEASURED = re.compile(r"(-|[0-9]{1,2}|100) (-|[0-9]{1,9}) ([0-9]{1,18}) ([0-9]{1,18})")
UNABLE = frozenset({"nft"})
LACKED = frozenset({"dnsmasq"})


@dataclass(frozen=True, slots=True)
class PairReport:
    pair: int
    evidence: Evidence
    is_used: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What one end measures on a direct way. Bytes count since the peer was added."""

    loss: int | None
    """Percent of its probes."""
    handshake_age: int | None
    received: int
    sent: int


@dataclass(slots=True)
class Report:
    """What one agent said at once."""

    addresses: tuple[str, ...] | None = None
    lans: tuple[str, ...] | None = None
    """Prefixes of the networks that the member is in."""
    announced: tuple[str, ...] | None = None
    """Subnets that the member offers to lead to."""
    shadowed: tuple[str, ...] | None = None
    """Prefixes of the overlay that the member leaves to a network that it is in."""
    lacks: tuple[str, ...] | None = None
    """Programs that a relay does not have."""
    mapped: tuple[int, int] | None = None
    """Port and seconds of a port mapping."""
    unable: str | None = None
    is_awake: bool = False
    """Whether the device slept, and comes back."""
    home: tuple[int, int] | None = None
    """Number of the relay that it sends to, and with how many it is connected."""
    pairs: list[PairReport] = field(default_factory=list)
    measured: dict[int, Measured] = field(default_factory=dict)
    """By pair."""
    sightings: dict[str, str] = field(default_factory=dict)
    """Endpoints by public key, from a relay."""
    talks: set[tuple[str, str]] = field(default_factory=set)
    """Overlay addresses that talk through a relay."""
    carried: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Bytes from and to a member, by public key, from a relay."""


def read(text: str, now: float) -> Report:
    """Parse a report."""
    report = Report()
    for line in text.splitlines()[:MOST_LINES]:
        _read(report, line.split(), now)
    return report


def _read(report: Report, words: list[str], now: float) -> None:
    match words:
        case ["at", *addresses]:
            found = [ip for one in addresses[:MOST_ADDRESSES] if (ip := _own(one))]
            report.addresses = tuple(dict.fromkeys(found))
        case ["mapped", port, seconds] if _port(port) is not None and NUMBER.fullmatch(seconds):
            report.mapped = int(port), min(int(seconds), LONGEST_LEASE)
        case ["home", number, count] if NUMBER.fullmatch(number) and NUMBER.fullmatch(count):
            report.home = int(number), int(count)
        case ["pair", pair, round_, said, *rest] if _fits(pair, round_, said):
            report.pairs.append(_pair(int(pair), int(round_), said, rest, now))
        case _:
            _read_state(report, words)
            _read_prefixes(report, words)
            _read_relay(report, words)


def _read_state(report: Report, words: list[str]) -> None:
    match words:
        case ["measured", pair, *rest] if NUMBER.fullmatch(pair):
            if (fit := MEASURED.fullmatch(" ".join(rest))) is not None:
                report.measured[int(pair)] = _measured(fit)
        case ["awake"]:
            report.is_awake = True
        case ["able"]:
            report.unable = ""
        case ["unable", why] if why in UNABLE:
            report.unable = why


def _read_prefixes(report: Report, words: list[str]) -> None:
    match words:
        case ["lan", *texts]:
            report.lans = _prefixes(texts)
        case ["lacks", *programs]:
            report.lacks = tuple(sorted(LACKED.intersection(programs)))
        case ["announce", *texts]:
            report.announced = _prefixes(texts[:MOST_ANNOUNCED])
        case ["shadowed", *texts]:
            report.shadowed = _prefixes(texts)


def _prefixes(texts: list[str]) -> tuple[str, ...]:
    found = [prefix for one in texts[:MOST_PREFIXES] if (prefix := _prefix(one))]
    return tuple(dict.fromkeys(found))


def _read_relay(report: Report, words: list[str]) -> None:
    match words:
        case ["talk", source, target] if _is_ip(source) and _is_ip(target):
            report.talks.add((str(ip_address(source)), str(ip_address(target))))
        case ["sight", key, at] if KEY.fullmatch(key) and (endpoint := checked_endpoint(at)):
            report.sightings[key] = endpoint
        case ["carried", key, *_] if KEY.fullmatch(key) and (
            fit := BYTES.fullmatch(" ".join(words[2:]))
        ):
            report.carried[key] = int(fit[1]), int(fit[2])


def _measured(fit: re.Match[str]) -> Measured:
    loss, age = (None if one == "-" else int(one) for one in fit.group(1, 2))
    return Measured(loss, age, int(fit[3]), int(fit[4]))


def _fits(pair: str, round_: str, said: str) -> bool:
    return bool(
        NUMBER.fullmatch(pair) and NUMBER.fullmatch(round_) and said in get_args(Said) and said
    )


def _pair(pair: int, round_: int, said: str, rest: list[str], now: float) -> PairReport:
    endpoint, rtt, used = [*rest, "", "", ""][:3]
    evidence = Evidence(
        said,  # type: ignore[arg-type]  # checked by _fits
        round_,
        now,
        checked_endpoint(endpoint),
        float(rtt) if MILLISECONDS.fullmatch(rtt) else None,
    )
    return PairReport(pair, evidence, used == "used")


def checked_endpoint(text: str) -> str:
    """Return the canonical address and port; empty if nothing can be sent there."""
    try:
        host, port = split_endpoint(text)
        ip = ip_address(host)
    except ValueError:
        return ""
    is_fit = 0 < port <= HIGHEST_PORT and _is_unicast(ip)
    return join_endpoint(str(ip), port) if is_fit else ""


def _own(text: str) -> str:
    """Return the canonical address that a member may offer of itself, else an empty string.

    A public IPv4 address is not believed: relays see it, if it is the member's.
    """
    try:
        ip = ip_address(text)
    except ValueError:
        return ""
    if not _is_unicast(ip) or ip.is_link_local:
        return ""
    return str(ip)


def _is_unicast(ip: IPv4Address | IPv6Address) -> bool:
    is_odd = ip.is_multicast or ip.is_unspecified or ip.is_loopback
    return not (is_odd or getattr(ip, "scope_id", None) or str(ip) == "255.255.255.255")


def _port(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) and int(text) <= HIGHEST_PORT else None


def _is_ip(text: str) -> bool:
    try:
        return getattr(ip_address(text), "scope_id", None) is None
    except ValueError:
        return False


def _prefix(text: str) -> str:
    """Return the canonical prefix, an empty string if it is invalid."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Told:
    """What one end is told about a pair."""

    pair: int
    public_key: str
    address: str
    link: str
    round: int
    delay: int
    candidates: tuple[Candidate, ...]
    carried: tuple[tuple[str, str], ...] = ()
    """Further prefixes of the other end, each with the address to send from."""

    def text(self) -> str:
        if not self.carried:
            return self.line()
        prefixes = ",".join(f"{prefix}={source}" for prefix, source in self.carried)
        # On a line of its own, which agents that know nothing of it leave out.
        return f"carry {self.pair} {prefixes}\n{self.line()}"

    def line(self) -> str:
        ways = ",".join(f"{one.kind}={one.endpoint}" for one in self.candidates)
        words = (
            self.pair, self.public_key, self.address, self.link, self.round, self.delay, ways
        )  # fmt: skip
        return " ".join(["pair", *map(str, words)])


def lines(told: Iterable[Told]) -> Iterator[str]:
    return (one.text() for one in sorted(told, key=lambda each: each.pair))
