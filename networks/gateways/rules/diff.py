"""Three-way diff of a change: staged base, live state, desired state."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from controller.base.errors import Refused
from networks.gateways.engine.features.titles import field_label
from networks.gateways.models import Change, Gateway
from networks.gateways.rules.visits import visit

KEPT_SECONDS = 30
THREADS = 20
Rows = dict[str, str] | None


@dataclass(frozen=True)
class Difference:
    """One value of the diff: at staging, live, and desired."""

    name: str
    base: str | None
    live: str | None
    desired: str | None

    @property
    def label(self) -> str:
        return field_label(self.name)


def differences(change: Change) -> tuple[list[Difference], bool]:
    """Return the diff against the live gateway, and whether it has drifted."""
    live = change.before
    if _is_there(change):
        with visit(change.gateway) as device:
            live = device.read(change.what, change.target_id)
    return compared(change, live), drifted(change, live)


def _is_there(change: Change) -> bool:
    """Return whether the change's object can be read; a new one only once it exists."""
    return bool(change.target_id) and not change.what.action


def compared(change: Change, live: Rows) -> list[Difference]:
    wanted, base = change.wanted, change.before or {}
    held, differs = live or {}, change.what.differs
    names = base if change.operation == "delete" else wanted
    return [
        Difference(name, base.get(name), held.get(name), wanted.get(name))
        for name in sorted({*names, *differs(base, held), *differs(held, base)})
    ]


def drifted(change: Change, live: Rows) -> bool:
    if change.before is None:
        return False
    differs = change.what.differs
    return live is None or bool(differs(change.before, live) or differs(live, change.before))


@dataclass(frozen=True)
class Compared:
    """Diff of a change; ``trouble`` is the reason if the live state is unknown."""

    change: Change
    differences: list[Difference]
    drift: bool
    trouble: str = ""


def compare_all(parts: Sequence[Change], *, fresh: bool = False) -> list[Compared]:
    """Return the diffs in order.

    Gateways are read in parallel and cached for KEPT_SECONDS. ``fresh`` bypasses the cache.
    """
    names = {one.pk: f"live:{one.pk}:{one.version}" for one in parts}
    known = {names[one.pk]: (one.before, "") for one in parts if not _is_there(one)}
    known |= {} if fresh else cache.get_many(names.values())
    missing = [one for one in parts if names[one.pk] not in known]
    by_gateway = {one.gateway_id: one.gateway for one in missing}
    # Threads only do network I/O and no database queries.
    with ThreadPoolExecutor(THREADS) as pool:
        asked = pool.map(
            lambda gateway: _looked_up(
                gateway, [one for one in missing if one.gateway_id == gateway.pk]
            ),
            by_gateway.values(),
        )
        fetched = {names[pk]: live for found in asked for pk, live in found.items()}
    # Gateways have no change notification, so live values are cached for a while.
    cache.set_many(fetched, KEPT_SECONDS)
    return [_compared(one, *{**known, **fetched}[names[one.pk]]) for one in parts]


def _looked_up(gateway: Gateway, parts: Sequence[Change]) -> dict[Any, tuple[Rows, str]]:
    """Read the live values of each change over one connection, or why it failed."""
    found: dict[Any, tuple[Rows, str]] = {}
    try:
        with visit(gateway) as device:
            for change in parts:
                found[change.pk] = device.read(change.what, change.target_id), ""
    except Refused as error:
        text = f"The current values are unknown: {error}"
        for change in parts:
            found.setdefault(change.pk, (change.before, text))
    return found


def _compared(change: Change, live: Rows, trouble: str) -> Compared:
    drift = not trouble and drifted(change, live)
    return Compared(change, compared(change, live), drift, trouble)
