"""Paths between the members of a network, described for people."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from networks.overlay.engine import ways
from networks.overlay.models import Member, Network, Pair, WayMeasures
from networks.overlay.rules.direct_paths import load_ends, to_pair

# Above this number of pairs a page shows those that were used last.
MOST_SHOWN = 200
# Agents report each minute.
FRESH = timedelta(minutes=3)
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
    loss: int | None
    """Percent of probes; the larger of what both ends measure."""
    handshake: datetime | None
    sent: tuple[int, int] | None
    """Bytes that each end has sent on this way."""
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
    ids = {one for row in rows for one in (row.low_id, row.high_id)}
    known, measures = load_ends(ids), WayMeasures.objects.in_bulk(ids)
    return [_way(row, known.ends, measures) for row in rows]


def _way(row: Pair, ends: Any, measures: Mapping[int, WayMeasures]) -> Way:
    pair = to_pair(row)
    offered = ways.candidates(ends[row.high_id], ends[row.low_id])
    is_direct = row.state == Pair.State.DIRECT
    measured = _measured(row, measures) if is_direct else []
    trips = [one["rtt"] for one in measured if one["rtt"] is not None]
    if not measured:
        trips = [one.rtt for one in (pair.low, pair.high) if one.rtt is not None]
    losses = [one["loss"] for one in measured if one["loss"] is not None]
    ages = [one["at"] for one in measured if one["at"] is not None]
    return Way(
        pair=row,
        kind=ways.way_of(pair.low.endpoint, offered) if is_direct else "",
        endpoints=(pair.high.endpoint, pair.low.endpoint) if is_direct else ("", ""),
        round_trip=min(trips) if trips and is_direct else None,
        loss=max(losses, default=None),
        handshake=max(ages, default=None),
        sent=_sent(row, measured),
        sentence=_sentence(row),
    )


def _measured(row: Pair, measures: Mapping[int, WayMeasures]) -> list[dict[str, Any]]:
    """Return what both ends measured last, if they did lately."""
    found, after = [], timezone.now() - FRESH
    for node in (row.low_id, row.high_id):
        said = measures.get(node)
        one = said.pairs.get(str(row.pk)) if said is not None and said.at > after else None
        if said is not None and one is not None:
            age = one["handshake_age"]
            at = None if age is None else said.at - timedelta(seconds=age)
            found.append(one | {"node": node, "at": at})
    return found


def _sent(row: Pair, measured: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Return the bytes that both have sent: by the word of the sender, else of the other."""
    if not measured:
        return None
    low = next((one for one in measured if one["node"] == row.low_id), None)
    high = next((one for one in measured if one["node"] == row.high_id), None)
    by_low = low["sent"] if low else measured[0]["received"]
    by_high = high["sent"] if high else measured[0]["received"]
    return by_low, by_high


def ways_between(node_ids: Collection[int]) -> dict[tuple[int, int], str]:
    """Return "direct" or "relay" for the pairs of these nodes that talk, in both orders."""
    rows = Pair.objects.filter(low__in=node_ids, high__in=node_ids)
    found: dict[tuple[int, int], str] = {}
    for low, high, state in rows.values_list("low", "high", "state"):
        said = "direct" if state == Pair.State.DIRECT else "relay"
        found[low, high] = found[high, low] = said
    return found


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
