"""How the members of a network reach each other, in words for people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from networks.overlay.engine import ways
from networks.overlay.models import Member, Network, Pair
from networks.overlay.rules.direct_paths import load_ends, to_pair

# Above this number of pairs a page shows those that were used last.
MOST_SHOWN = 200
TITLES = {
    "lan": "in the same network",
    "v6": "over IPv6",
    "fixed": "at its public address",
    "mapped": "by a mapped port",
    "observed": "through its router",
}


@dataclass(frozen=True)
class Way:
    """One pair; ``kind`` is that of the address which the first member sends to."""

    pair: Pair
    kind: str
    endpoints: tuple[str, str]
    round_trip: float | None
    sentence: str

    @property
    def title(self) -> str:
        if self.pair.state == Pair.State.DIRECT:
            return f"Direct, {TITLES[self.kind]}"
        return str(self.pair.get_state_display())


def pairs_of(network: Network) -> QuerySet[Pair]:
    """Return the pairs whose members are both active in the network."""
    nodes = Member.objects.active().filter(network=network).values("node")
    return (
        Pair.objects.filter(low__in=nodes, high__in=nodes)
        .select_related("low", "high")
        .defer("low__private_key", "high__private_key")
        .order_by("-used", "pk")
    )


def describe(rows: list[Pair]) -> list[Way]:
    """Return how these pairs reach each other, in a fixed number of queries."""
    known = load_ends({one for row in rows for one in (row.low_id, row.high_id)})
    return [_way(row, known.ends) for row in rows]


def _way(row: Pair, ends: Any) -> Way:
    pair = to_pair(row)
    offered = ways.candidates(ends[row.high_id], ends[row.low_id])
    trips = [one.rtt for one in (pair.low, pair.high) if one.rtt is not None]
    is_direct = row.state == Pair.State.DIRECT
    return Way(
        pair=row,
        kind=ways.way_of(pair.low.endpoint, offered) if is_direct else "",
        endpoints=(pair.high.endpoint, pair.low.endpoint) if is_direct else ("", ""),
        round_trip=min(trips) if trips and is_direct else None,
        sentence=_sentence(row),
    )


def _sentence(row: Pair) -> str:
    names = row.low.name, row.high.name
    text = ways.sentence(row.reason, *names)
    if row.state == Pair.State.TRYING:
        return "Both are sending to each other; the relay carries their traffic meanwhile."
    if row.next_try is None:
        return text
    return f"{text} The next try is at {_clock(row.next_try)} UTC."


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M:%S")
