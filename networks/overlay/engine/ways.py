"""Ways between two members: the addresses that each tries, and the state of the pair.

Pure, with the time as an argument. Traffic goes through the relay until both ends have
proven a direct way; what one end reports is evidence of that end alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Literal

Address = IPv4Address | IPv6Address
Kind = Literal["lan", "v6", "fixed", "mapped", "observed"]
Nat = Literal["open", "keeps", "shifts", "symmetric", "blocked"]
State = Literal["idle", "trying", "direct", "relay"]
Said = Literal["", "trying", "direct", "failed", "relay"]

MOST_CANDIDATES = 8
LOWEST_MAPPED_PORT = 1024
SIGHTED_SECONDS = 300.0
"""A relay's sighting is renewed by the keepalive of 25 seconds."""
ROUND_SECONDS = 20.0
# Longer than a router remembers a packet without an answer (30 seconds): a port that is
# taken by a stranger's packet only gets free in silence.
PAUSES = (35.0, 35.0, 60.0, 300.0, 1800.0)
UNUSED_SECONDS = 900.0
STABLE_SECONDS = 10.0
SILENT_SECONDS = 60.0
# Longer than an idle agent takes to look at an answer.
SECOND_MILLISECONDS = 1500
LOCAL_PREFIX, GLOBAL_UNICAST = 48, IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class Candidate:
    kind: Kind
    endpoint: str


@dataclass(frozen=True, slots=True)
class End:
    """What is known of one member."""

    port: int
    """Port of its interface for direct ways."""
    fixed: str = ""
    """Public host:port, as configured."""
    sightings: tuple[str, ...] = ()
    """host:port as relays see it, one for each relay, in a fixed order."""
    addresses: tuple[str, ...] = ()
    """Its own addresses, by its own word."""
    mapped_port: int = 0
    unable: str = ""
    """Why it has no direct ways at all: static, silent, nft."""

    @property
    def outside(self) -> frozenset[str]:
        """Return the addresses that relays see."""
        return frozenset(host for host, _ in map(split_endpoint, self.sightings))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last report of one end about the pair."""

    said: Said = ""
    round: int = 0
    at: float = 0.0
    endpoint: str = ""
    rtt: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """State of two members, the one with the lower id first."""

    state: State = "idle"
    round: int = 0
    started: float = 0.0
    """Begin of the round."""
    since: float = 0.0
    """Time of the last change of the state."""
    tries: int = 0
    next_try: float | None = None
    used: float = 0.0
    reason: str = ""
    signature: str = ""
    """The candidates of both ends in this round."""
    low: Evidence = field(default_factory=Evidence)
    high: Evidence = field(default_factory=Evidence)

    @property
    def is_told(self) -> bool:
        """Return whether the ends are told of each other."""
        return self.state in {"trying", "direct"}


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Return host and port. Raises ValueError."""
    host, _, port = endpoint.rpartition(":")
    return host.strip("[]"), int(port)


def join_endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def nat_of(end: End) -> Nat:
    """Return what the sightings say about the router of a member."""
    if end.fixed:
        return "open"
    if not end.sightings:
        return "blocked"
    seen = [split_endpoint(one) for one in end.sightings]
    if any(host in end.addresses for host, _ in seen):
        return "open"
    hosts: dict[str, set[int]] = {}
    for host, port in seen:
        hosts.setdefault(host, set()).add(port)
    if any(len(ports) > 1 for ports in hosts.values()):
        return "symmetric"
    return "keeps" if seen[0][1] == end.port else "shifts"


def candidates(other: End, me: End) -> tuple[Candidate, ...]:
    """Return the endpoints at which `me` tries to reach `other`, the best first."""
    found: dict[str, Candidate] = {}
    for one in _all(other, me):
        found.setdefault(one.endpoint, one)
    return tuple(found.values())[:MOST_CANDIDATES]


def _all(other: End, me: End) -> Iterator[Candidate]:
    local, far = _by_place(other, me)
    yield from (Candidate("lan", join_endpoint(one, other.port)) for one in local)
    if other.fixed:
        yield Candidate("fixed", other.fixed)
    yield from (Candidate("v6", join_endpoint(one, other.port)) for one in far)
    if other.mapped_port >= LOWEST_MAPPED_PORT:
        # The address is the one that relays see: behind two routers, the first one's claim is wrong.
        for host in sorted(other.outside):
            yield Candidate("mapped", join_endpoint(host, other.mapped_port))
    yield from (Candidate("observed", one) for one in other.sightings)


def _by_place(other: End, me: End) -> tuple[list[str], list[str]]:
    """Split addresses of `other` into those of a common network, and global IPv6 ones.

    Private addresses are for members that relays see at the same address: nobody else could
    use them, or should know them.
    """
    together = bool(other.outside & me.outside)
    mine = {_site(ip) for one in me.addresses if (ip := ip_address(one)).version == 6}  # noqa: PLR2004 - the protocol's number
    local: list[str] = []
    far: list[str] = []
    for one in other.addresses:
        ip = ip_address(one)
        if isinstance(ip, IPv6Address) and ip in GLOBAL_UNICAST:
            (local if _site(ip) in mine else far).append(one)
        elif together and not ip.is_global:
            local.append(one)
    return local, far


def _site(ip: Address) -> int:
    return int(ip) >> (128 - LOCAL_PREFIX)


def obstacle(low: End, high: End) -> str:
    """Return the reason why a pair is not tried, empty if it can be."""
    for side, end in (("low", low), ("high", high)):
        if end.unable:
            return f"{end.unable}:{side}"
    for side, one, other in (("low", low, high), ("high", high, low)):
        if nat_of(one) == "blocked" and not _elsewhere(one, other):
            return f"udp:{side}"
    both = nat_of(low), nat_of(high)
    if both == ("symmetric", "symmetric") and not (
        _elsewhere(low, high) or _elsewhere(high, low)
    ):
        return "symmetric"
    return ""


def _elsewhere(one: End, other: End) -> bool:
    """Return whether `one` has an address for `other` that needs no hole in its router."""
    return any(each.kind != "observed" for each in candidates(one, other))


def signature_of(low: End, high: End) -> str:
    lines = (*candidates(low, high), None, *candidates(high, low))
    return " ".join(one.endpoint if one else "/" for one in lines)


def delay_of(pair: Pair, *, is_low: bool) -> int:
    """Return the milliseconds that an end waits before it sends.

    A router that lets strangers into itself must have sent first, or the stranger's packet
    takes its port. Which one that is nobody knows: after a failure the ends take turns.
    """
    if not pair.tries:
        return 0
    is_first = (pair.tries % 2 == 1) == is_low
    return 0 if is_first else SECOND_MILLISECONDS


def step(pair: Pair, low: End, high: End, now: float) -> Pair:
    """Return the state of a pair from the evidence of its ends."""
    why = obstacle(low, high)
    # Ends that reach each other need no portal, and may have lost it for a while.
    if why and not (pair.state == "direct" and why.startswith("silent")):
        return _settle(pair, "relay", now, reason=why, next_try=None)
    signature = signature_of(low, high)
    if pair.state == "idle" or signature != pair.signature:
        return _begin(replace(pair, tries=0), signature, now)
    match pair.state:
        case "trying":
            return _trying(pair, low, high, now)
        case "direct":
            return _direct(pair, now)
        case _:
            is_due = pair.next_try is None or pair.next_try <= now
            return _begin(pair, signature, now) if is_due else pair


def is_over(pair: Pair, now: float) -> bool:
    """Return whether nobody uses the pair any more."""
    return now - pair.used > UNUSED_SECONDS


def due_at(pair: Pair) -> float | None:
    """Return when the pair has to be looked at without any report."""
    match pair.state:
        case "trying":
            return pair.started + ROUND_SECONDS
        case "relay" if pair.next_try is not None:
            return pair.next_try
        case _:
            return pair.used + UNUSED_SECONDS + 1


def _begin(pair: Pair, signature: str, now: float) -> Pair:
    return replace(
        pair, state="trying", round=pair.round + 1, started=now, since=now, reason="",
        signature=signature, next_try=None,
    )  # fmt: skip


def _current(pair: Pair) -> tuple[Said, Said]:
    """Return what both ends say about the current round."""
    low, high = pair.low, pair.high
    return (
        low.said if low.round == pair.round else "",
        high.said if high.round == pair.round else "",
    )


def _trying(pair: Pair, low: End, high: End, now: float) -> Pair:
    said = _current(pair)
    if said == ("direct", "direct"):
        return _settle(pair, "direct", now)
    is_over_time = now - pair.started >= ROUND_SECONDS
    if is_over_time or all(one == "failed" for one in said):
        return _fail(pair, _failure(low, high), now)
    return pair


def _failure(low: End, high: End) -> str:
    for side, end in (("low", low), ("high", high)):
        if nat_of(end) == "symmetric":
            return f"hard:{side}"
    for side, end in (("low", low), ("high", high)):
        if nat_of(end) == "shifts":
            return f"shifts:{side}"
    return "tried"


def _direct(pair: Pair, now: float) -> Pair:
    if not {"failed", "relay"} & set(_current(pair)):
        # A way that has been good for a while starts its next trouble without a history.
        is_stable = pair.tries and now - pair.since >= STABLE_SECONDS
        return replace(pair, tries=0) if is_stable else pair
    if now - pair.since >= STABLE_SECONDS:
        return _begin(replace(pair, tries=0), pair.signature, now)
    return _fail(pair, "lost", now)


def _fail(pair: Pair, reason: str, now: float) -> Pair:
    pause = PAUSES[min(pair.tries, len(PAUSES) - 1)]
    return replace(
        _settle(pair, "relay", now, reason=reason, next_try=now + pause), tries=pair.tries + 1
    )


def _settle(
    pair: Pair, state: State, now: float, *, reason: str = "", next_try: float | None = None
) -> Pair:
    since = pair.since if pair.state == state else now
    return replace(pair, state=state, since=since, reason=reason, next_try=next_try)


SENTENCES = {
    "static": "{one} has a fixed configuration, which knows the relay alone.",
    "silent": "The agent of {one} does not report to the portal.",
    "nft": "{one} has no nftables, so only the relay can enforce the policy for it.",
    "udp": "No relay sees {one} on its port for direct ways: a firewall blocks UDP, or "
           "the relay's port is closed.",
    "symmetric": "The routers of both give every connection another port (symmetric NAT).",
    "hard": "The router of {one} gives every connection another port (symmetric NAT), and "
            "that of {other} lets only answers in. A port mapping at one of them helps.",
    "shifts": "No packet came through. The router of {one} changes its port, perhaps for every "
              "connection (symmetric NAT): a second relay would tell.",
    "tried": "Both sent to all addresses of the other, and no packet came through.",
    "lost": "The direct way broke soon after it was found.",
    "policy": "The policy allows no traffic between them.",
}  # fmt: skip


def sentence(reason: str, low: str, high: str) -> str:
    """Return the reason as a sentence with the members' names."""
    code, _, side = reason.partition(":")
    one, other = (high, low) if side == "high" else (low, high)
    return SENTENCES.get(code, "").format(one=one, other=other)


def way_of(endpoint: str, offered: Iterable[Candidate]) -> str:
    """Return the kind of the candidate at an endpoint; "observed" for one that was learned."""
    return next((one.kind for one in offered if one.endpoint == endpoint), "observed")
