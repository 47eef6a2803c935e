"""Whether members are there, from what the relay sees of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# `wg show <interface> dump`: key, preshared key, endpoint, allowed, handshake, rx, tx, keepalive.
DUMP_FIELDS = 8
NONE = "(none)"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the relay says of one member."""

    endpoint: str = ""
    handshake: int = 0
    """Seconds since the epoch."""
    received: int = 0
    """Bytes, since the relay's interface is there."""
    latency: float | None = None
    """Milliseconds until it answered; None if it did not."""


def read(text: str) -> tuple[dict[str, Seen], dict[str, float]]:
    """What the script said: members by their key, and latencies by address."""
    peers: dict[str, Seen] = {}
    latencies: dict[str, float] = {}
    for words in _lines(text):
        match words:
            case ["peer", key, _, endpoint, _, handshake, received, _, _]:
                peers[key] = Seen(
                    "" if endpoint == NONE else endpoint, int(handshake), int(received)
                )
            case ["pong", address, milliseconds]:
                latencies[address] = float(milliseconds)
    return peers, latencies


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        yield [kind, *rest.split()]


@dataclass(frozen=True, slots=True)
class Verdict:
    online: bool | None
    evidence: str


def verdict(
    *,
    asked: bool,
    answered: bool,
    heartbeat_age: float | None,
    heartbeat_patience: float,
    has_grown: bool,
) -> Verdict:
    """The best evidence there is, in this order: an answer, a heartbeat, traffic; else silence.

    A handshake is none: that of a dead peer stays young for minutes, and an idle one's is old.
    """
    if answered:
        return Verdict(online=True, evidence="probe")
    if heartbeat_age is not None and heartbeat_age <= heartbeat_patience:
        return Verdict(online=True, evidence="heartbeat")
    if has_grown:
        return Verdict(online=True, evidence="traffic")
    if asked:
        return Verdict(online=False, evidence="probe")
    if heartbeat_age is not None:
        return Verdict(online=False, evidence="heartbeat")
    return Verdict(online=None, evidence="")


def by_address(
    keys: Mapping[str, str], peers: Mapping[str, Seen], latencies: Mapping[str, float]
) -> dict[str, Seen]:
    """What was seen of each address whose key is known."""
    found = {}
    for address, key in keys.items():
        peer = peers.get(key, Seen())
        found[address] = Seen(
            peer.endpoint, peer.handshake, peer.received, latencies.get(address)
        )
    return found
