"""Neighbors of a rule that is created or moved, and whether they shadow it."""

from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache

from controller.base.errors import Refused
from networks.gateways.drivers.contract import Gateway as Connection
from networks.gateways.engine.features import Feature, positions
from networks.gateways.models import Change
from networks.gateways.rules.diff import KEPT_SECONDS
from networks.gateways.rules.visits import visit

# Rules on each side that are shown, and those above that are looked at.
SHOWN, MOST = 2, 100
NEW = "{new}"


@dataclass(frozen=True)
class Surroundings:
    """Neighbors of a rule in order; ``warning`` names what keeps traffic from the rule."""

    rules: list[dict[str, Any]] = field(default_factory=list)
    warning: str = ""


def cached_surroundings(change: Change, *, fresh: bool = False) -> Surroundings:
    """Return the neighbors of a pending change's rule, as read a moment ago.

    Empty if the gateway cannot be read. ``fresh`` reads it again.
    """
    if not change.what.is_ordered or change.state not in {Change.State.DRAFT, *Change.WAITING}:
        return Surroundings()
    key = f"around:{change.pk}:{change.version}"
    found: Surroundings | None = None if fresh else cache.get(key)
    if found is None:
        try:
            found = surroundings(change)
        except Refused:
            # The comparison on the same page gives the reason.
            found = Surroundings()
        cache.set(key, found, KEPT_SECONDS)
    return found


def surroundings(change: Change) -> Surroundings:
    """Read the neighbors at the position that a change gives its rule."""
    feature = change.what
    if not feature.is_ordered or change.operation == "delete":
        return Surroundings()
    wanted = feature.values(change.payload)
    with visit(change.gateway) as device:
        ids = device.ordered(feature, change.target_id, wanted)
        target = change.target_id or NEW
        place = wanted.get(positions.NAME) or ("" if target in ids else feature.begins)
        order = positions.arranged(ids, target, place) if place else ids
        if not order:
            return Surroundings()
        at = order.index(target)
        held = device.read(feature, target) if target in ids else {}
        own = {**(held or {}), **wanted}
        near = [*order[max(at - SHOWN, 0) : at], target, *order[at + 1 : at + 1 + SHOWN]]
        rows = [(one, own if one == target else device.read(feature, one)) for one in near]
        above = order[:at][-MOST:]
        return Surroundings(
            [
                {"target_id": one, "values": row or {}, "is_this": one == target}
                for one, row in rows
            ],
            _unreachable(device, feature, above, own),
        )


def _unreachable(
    device: Connection, feature: Feature, above: list[str], own: dict[str, str]
) -> str:
    for one in above if feature.final else []:
        row = device.read(feature, one) or {}
        is_same = all(
            feature.means(n, row.get(n, "")) == feature.means(n, own.get(n, ""))
            for n in feature.chain
        )
        if is_same and positions.ends_all(
            feature.final, feature.chain, feature.everything, row
        ):
            name = next(
                (row[n] for n in ("comment", "descr", "description", "name") if row.get(n)), ""
            )
            return f"Nothing reaches it there: {one} above it{f' ({name})' if name else ''} ends everything."
    return ""
