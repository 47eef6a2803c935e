"""Differences between plans."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from networks.overlay.engine.topology import NOTHING, Name, Peer, Plan

T = TypeVar("T")

# Parts of a plan that are compared as a whole.
OTHERS = (
    "address", "port", "hostname", "prefix", "direct", "relays", "ranges", "resolver",
    "resolvers", "zone_names", "routes", "subnets",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changes:
    """Difference between two plans of a node."""

    peers_added: tuple[Peer, ...] = ()
    peers_removed: tuple[Peer, ...] = ()
    names_added: tuple[Name, ...] = ()
    names_removed: tuple[Name, ...] = ()
    others: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(
            self.peers_added or self.peers_removed or self.names_added or self.names_removed
            or self.others
        )  # fmt: skip


def diff(old: Plan | None, new: Plan | None) -> Changes:
    return _diff(old or NOTHING, new or NOTHING, {})


def changed(old: Mapping[int, Plan], new: Mapping[int, Plan]) -> dict[int, Changes]:
    """Return the changes by node. Nodes without changes are left out."""
    known: dict[tuple[int, int], tuple[tuple[Name, ...], tuple[Name, ...]]] = {}
    found = {
        node: _diff(old.get(node, NOTHING), new.get(node, NOTHING), known)
        for node in old.keys() | new.keys()
    }
    return {node: changes for node, changes in found.items() if changes}


def _diff(
    old: Plan,
    new: Plan,
    known: dict[tuple[int, int], tuple[tuple[Name, ...], tuple[Name, ...]]],
) -> Changes:
    peers_added, peers_removed = _apart(old.peers, new.peers)
    added: list[Name] = []
    removed: list[Name] = []
    for before, after in _matched(old.hosts, new.hosts):
        # Blocks are shared by all members of a network, so their differences are computed once.
        at = (id(before), id(after))
        if at not in known:
            known[at] = _apart(before, after)
        added += known[at][0]
        removed += known[at][1]
    others = tuple(name for name in OTHERS if getattr(old, name) != getattr(new, name))
    stay = set(added) & set(removed)
    return Changes(
        peers_added,
        peers_removed,
        tuple(one for one in added if one not in stay),
        tuple(one for one in removed if one not in stay),
        others,
    )


def _matched(
    old: Collection[tuple[Name, ...]], new: Collection[tuple[Name, ...]]
) -> Iterator[tuple[tuple[Name, ...], tuple[Name, ...]]]:
    """Pair up the blocks that differ between two plans."""
    before = {id(one) for one in old}
    after = {id(one) for one in new}
    gone = [one for one in old if id(one) not in after]
    come = [one for one in new if id(one) not in before]
    length = max(len(gone), len(come))
    empty: tuple[Name, ...] = ()
    gone += [empty] * (length - len(gone))
    come += [empty] * (length - len(come))
    return zip(gone, come, strict=True)


def _apart(old: tuple[T, ...], new: tuple[T, ...]) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Return the items only in `new` and the items only in `old`."""
    if old == new:
        return (), ()
    before, after = set(old), set(new)
    return (
        tuple(one for one in new if one not in before),
        tuple(one for one in old if one not in after),
    )
