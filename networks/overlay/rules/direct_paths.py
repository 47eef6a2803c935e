"""Direct paths between members: their pairs, states and instructions.

The rows change by reports and by time. A pair exists only while both are active members of
one network whose policy lets something through between them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from controller.base.database import update_columns
from controller.base.secrets import digest
from networks.overlay.engine import policies, ways, ways_lines
from networks.overlay.engine.topology import link_address
from networks.overlay.engine.ways import End, Evidence
from networks.overlay.models import Member, Network, Node, Pair, Sighting
from networks.overlay.rules import subnets
from networks.overlay.rules.direct_path_signals import wake

# Pairs of one member at once: each costs it a probe and a keepalive.
MOST_PAIRS = 64
HASH_DIGITS = 16
AT_ONCE = 500
SEVERAL = 2
OF_ENDS = (
    "address", "public_key", "port", "endpoint", "is_relay", "key_mode", "offers", "reported_at",
)  # fmt: skip


@dataclass(frozen=True)
class Ends:
    """Facts about some nodes, by id."""

    nodes: Mapping[int, Node]
    ends: Mapping[int, End]


def load_ends(ids: Collection[int]) -> Ends:
    nodes = Node.objects.filter(pk__in=ids).only(*OF_ENDS).in_bulk()
    now = timezone.now()
    seen: defaultdict[int, list[str]] = defaultdict(list)
    after = now - timedelta(seconds=ways.SIGHTED_SECONDS)
    for node, endpoint in (
        Sighting.objects.filter(node__in=ids, at__gt=after)
        .order_by("relay")
        .values_list("node", "endpoint")
    ):
        seen[node].append(endpoint)
    return Ends(nodes, {pk: _end(row, tuple(seen[pk]), now) for pk, row in nodes.items()})


def _end(row: Node, seen: tuple[str, ...], now: datetime) -> End:
    offers = row.offers
    is_mapped = offers.get("mapped_until", 0) > now.timestamp()
    return End(
        port=row.ports[1],
        fixed=row.endpoint,
        sightings=seen,
        addresses=tuple(offers.get("addresses", ())),
        mapped_port=offers.get("mapped_port", 0) if is_mapped else 0,
        unable=_unable(row, now),
    )


def is_silent(row: Node, now: datetime) -> bool:
    """Return whether the node's agent has not reported for a while."""
    age = (now - row.reported_at).total_seconds() if row.reported_at else None
    return age is None or age > ways.SILENT_SECONDS


def _unable(row: Node, now: datetime) -> str:
    if row.key_mode == Node.KeyMode.STATIC:
        return "static"
    if is_silent(row, now):
        return "silent"
    return str(row.offers.get("unable", ""))


# --- states


def to_pair(row: Pair) -> ways.Pair:
    return ways.Pair(
        state=cast(ways.State, row.state),
        round=row.round,
        started=_seconds(row.started) or 0.0,
        since=_seconds(row.since) or 0.0,
        tries=row.tries,
        next_try=_seconds(row.next_try),
        used=row.used.timestamp(),
        reason=row.reason,
        signature=row.signature,
        low=Evidence(**row.low_evidence),
        high=Evidence(**row.high_evidence),
    )


def _store(row: Pair, pair: ways.Pair) -> None:
    row.state, row.round, row.tries = pair.state, pair.round, pair.tries
    row.started, row.since = _moment(pair.started), _moment(pair.since)
    row.next_try, row.due_at = _moment(pair.next_try), _moment(ways.due_at(pair))
    row.reason, row.signature = pair.reason, pair.signature


STORED = (
    "state", "round", "tries", "started", "since", "next_try", "due_at", "reason", "signature",
)  # fmt: skip


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at else None


def _moment(at: float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None


@transaction.atomic
def advance(ids: Collection[int]) -> int:
    """Update these pairs' states from their evidence.

    Returns the number of pairs whose ends are told something new.
    """
    rows = list(Pair.objects.filter(pk__in=ids).select_for_update().order_by("pk"))
    known = load_ends({one for row in rows for one in (row.low_id, row.high_id)})
    now = timezone.now().timestamp()
    changed, over, awake = [], [], set()
    for row in rows:
        before = to_pair(row)
        if ways.is_over(before, now):
            over.append(row.pk)
            awake |= {row.low_id, row.high_id}
            continue
        after = ways.step(before, known.ends[row.low_id], known.ends[row.high_id], now)
        if after != before or row.due_at != _moment(ways.due_at(after)):
            _store(row, after)
            changed.append(row)
        if (before.is_told, before.round) != (after.is_told, after.round):
            awake |= {row.low_id, row.high_id}
    update_columns(changed, *STORED)
    Pair.objects.filter(pk__in=over).delete()
    wake(awake)
    return len(awake)


def advance_due() -> int:
    """Advance the pairs that are due. Returns their number."""
    ids = list(Pair.objects.due(timezone.now()).order_by("due_at").values_list("pk", flat=True))
    for at in range(0, len(ids), AT_ONCE):
        advance(ids[at : at + AT_ONCE])
    return len(ids)


def reconsider(node_ids: Collection[int]) -> None:
    """Advance all pairs of these nodes, whose addresses or abilities have changed."""
    advance(list(Pair.objects.of_nodes(node_ids).values_list("pk", flat=True)))


def try_again(node_ids: Collection[int]) -> None:
    """Retry the failed pairs of these nodes at once: the nodes are back online."""
    waiting = Pair.objects.of_nodes(node_ids).filter(state=Pair.State.RELAY)
    waiting.exclude(next_try=None).update(next_try=timezone.now(), tries=0)
    reconsider(node_ids)


# --- which pairs exist


def note_talks(talks: Iterable[tuple[str, str]]) -> None:
    """Record pairs that exchange traffic through a relay; create those that may be direct."""
    spoken = {tuple(sorted(one)) for one in talks if one[0] != one[1]}
    ids = _nodes_at({one for pair in spoken for one in pair})
    pairs = {
        (min(ids[one], ids[other]), max(ids[one], ids[other]))
        for one, other in spoken
        if one in ids and other in ids and ids[one] != ids[other]
    }
    allowed = allowed_pairs(pairs)
    now = timezone.now()
    known = {
        (low, high): pk
        for pk, low, high in Pair.objects.of_nodes(ids.values()).values_list(
            "pk", "low", "high"
        )
    }
    Pair.objects.filter(pk__in=[known[one] for one in pairs & known.keys()]).update(used=now)
    _create(allowed - known.keys(), known, now)


def _nodes_at(addresses: set[str]) -> dict[str, int]:
    """Return the members at these overlay addresses, IPv6 or IPv4."""
    nodes = Node.objects.filter(address__in=addresses, is_relay=False)
    members = Member.objects.filter(ipv4_address__in=addresses, node__is_relay=False)
    by_address4 = members.values_list("ipv4_address", "node")
    known = dict(nodes.values_list("address", "pk")) | dict(by_address4)
    return known | subnets.nodes_behind(addresses - known.keys())


def _create(
    wanted: set[tuple[int, int]], known: Mapping[tuple[int, int], int], now: datetime
) -> None:
    count: defaultdict[int, int] = defaultdict(int)
    for pair in known:
        for one in pair:
            count[one] += 1
    made = []
    for low, high in sorted(wanted):
        if max(count[low], count[high]) < MOST_PAIRS:
            made.append(Pair(low_id=low, high_id=high, used=now, due_at=now))
            count[low] += 1
            count[high] += 1
    Pair.objects.bulk_create(made, ignore_conflicts=True)
    advance(
        Pair.objects.of_nodes({one.low_id for one in made})
        .filter(state=Pair.State.IDLE)
        .values_list("pk", flat=True)
    )


def allowed_pairs(pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the pairs that share a network whose policy allows any traffic."""
    ids = {one for pair in pairs for one in pair}
    members: defaultdict[int, dict[int, policies.Member]] = defaultdict(dict)
    rows = Member.objects.active().filter(node__in=ids).select_related("node")
    for row in rows.defer("node__private_key"):
        members[row.network_id][row.node_id] = policies.Member(
            row.node.name, str(row.node.address), frozenset(row.tags), row.ipv4_address or ""
        )
    parsed = {
        pk: policies.parse(policy)
        for pk, policy in Network.objects.filter(pk__in=members).values_list("pk", "policy")
    }
    return {
        (low, high)
        for low, high in pairs
        if any(
            low in inside and high in inside
            and policies.lets_through(parsed[network], inside[low], inside[high])
            for network, inside in members.items()
        )
    }  # fmt: skip


def forget_strangers(node_ids: Collection[int]) -> None:
    """Delete pairs of these nodes between ends that no longer share a network."""
    active = Member.objects.active()
    of_high_end = active.filter(node=OuterRef(OuterRef("high"))).values("network")
    shared = active.filter(node=OuterRef("low"), network__in=of_high_end)
    gone = Pair.objects.of_nodes(node_ids).exclude(Exists(shared))
    _forget(gone)


def forget_forbidden(network_ids: Collection[int]) -> None:
    """Delete pairs between which the policies no longer allow any traffic."""
    nodes = Member.objects.filter(network__in=network_ids).values("node")
    rows = Pair.objects.filter(low__in=nodes) | Pair.objects.filter(high__in=nodes)
    found = {(low, high): pk for pk, low, high in rows.values_list("pk", "low", "high")}
    kept = allowed_pairs(found)
    _forget(Pair.objects.filter(pk__in=[pk for one, pk in found.items() if one not in kept]))


def _forget(rows: Any) -> None:
    ends = {one for pair in rows.values_list("low", "high") for one in pair}
    rows.delete()
    wake(ends)


# --- what agents are told


def ways_text(node: Node) -> str:
    """Return the text for the node's agent: state of its configuration, and its pairs."""
    rows = [] if node.is_relay else list(Pair.objects.of_nodes([node.pk]).told().order_by("pk"))
    known = load_ends({one for row in rows for one in (row.low_id, row.high_id)})
    more = _carried(node, known.nodes)
    told = [_told(row, node, known, more) for row in rows]
    body = "".join(f"{line}\n" for line in ways_lines.lines(told))
    body = f"revision {node.revision}\n{_relays_line(node)}{body}"
    return f"ways {digest(body)[:HASH_DIGITS]}\n{body}"


def _relays_line(node: Node) -> str:
    """Return whether the node may send to any relay; empty if there is one.

    It may if all members of its networks are connected with all relays. Phones are not, and
    programs that know of one relay alone.
    """
    count = Node.objects.filter(is_relay=True).exclude(endpoint="").count()
    if count < SEVERAL or node.is_relay:
        return ""
    members = Member.objects.active().filter(network__in=node.memberships.values("network"))
    others = Node.objects.filter(pk__in=members.values("node"), is_relay=False)
    is_any = not others.exclude(relay_count=count).exists()
    return f"relays {'any' if is_any else 'first'}\n"


def _carried(node: Node, ids: Collection[int]) -> Mapping[int, list[tuple[str, str]]]:
    """Return what else a direct way to each of these nodes carries, and from which address."""
    found: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    if not ids:
        return found
    for other, prefix, source in subnets.reached_by(node, ids):
        found[other].append((prefix, source))
    rows = Member.objects.active().filter(node__in=[node.pk, *ids]).exclude(ipv4_address=None)
    values = list(rows.order_by("pk").values_list("network", "node", "ipv4_address"))
    own = {network: address for network, one, address in values if one == node.pk}
    for network, other, address in values:
        if other != node.pk and network in own:
            found[other].append((f"{address}/32", own[network]))
    return found


def _told(
    row: Pair, node: Node, known: Ends, more: Mapping[int, list[tuple[str, str]]]
) -> ways_lines.Told:
    is_low = row.low_id == node.pk
    other = known.nodes[row.high_id if is_low else row.low_id]
    return ways_lines.Told(
        pair=row.pk,
        public_key=other.public_key,
        address=str(other.address),
        link=link_address(str(other.address)),
        round=row.round,
        delay=ways.delay_of(to_pair(row), is_low=is_low),
        candidates=ways.candidates(known.ends[other.pk], known.ends[node.pk]),
        carried=tuple(more[other.pk]) if other.pk in more else (),
    )


def wait_seconds() -> int:
    """Return the seconds for which an agent's request may be held."""
    return int(settings.MUSTER_JOIN_POLL_SECONDS) * 2
