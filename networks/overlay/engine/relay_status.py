"""Presence of members, derived from the relay's WireGuard status and pings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# Fields of `wg show <interface> dump`: key, preshared key, endpoint, allowed IPs, handshake,
# rx, tx, keepalive.
DUMP_FIELDS = 8
NONE = "(none)"


@dataclass(frozen=True, slots=True)
class Seen:
    """Status of one member as reported by the relay."""

    endpoint: str = ""
    handshake: int = 0
    """Unix time."""
    received: int = 0
    """Bytes since the creation of the relay's interface."""
    latency: float | None = None
    """Round-trip time in milliseconds; None without a reply."""


def read(text: str) -> tuple[dict[str, Seen], dict[str, float]]:
    """Parse the script's output: members by public key, and latencies by address."""
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
    """Decide on presence by the best evidence: ping reply, heartbeat, traffic.

    A handshake is no evidence: after a peer dies, its handshake stays recent for minutes,
    and an idle peer's is old.
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
    """Combine peers and latencies by overlay address, for the addresses in `keys`."""
    found = {}
    for address, key in keys.items():
        peer = peers.get(key, Seen())
        found[address] = Seen(
            peer.endpoint, peer.handshake, peer.received, latencies.get(address)
        )
    return found
