"""What a change comes to: when it was staged, now, and as it is to be; and what would be done."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.base.errors import Refused
from networks.drivers.gateways.contract import Gateway as Connection
from networks.engine.features import differs
from networks.models import Change
from networks.rules.gateways import connect

Rows = dict[str, str] | None


@dataclass(frozen=True)
class Difference:
    """One value: when the change was staged, now, and as it is to be."""

    name: str
    base: str | None
    live: str | None
    desired: str | None


def differences(change: Change) -> tuple[list[Difference], bool]:
    """What a change comes to, and whether the gateway is not as it was at staging."""
    live = change.before
    if change.operation != "create" and change.target_id:
        with connect(change.gateway) as device:
            live = _live(change, device)
    return compared(change, live), drifted(change, live)


def _live(change: Change, device: Connection) -> Rows:
    if change.operation == "create" or not change.target_id:
        return change.before
    return device.read(change.what, change.target_id)


def compared(change: Change, live: Rows) -> list[Difference]:
    wanted, base = change.wanted, change.before or {}
    held = live or {}
    names = base if change.operation == "delete" else wanted
    return [
        Difference(name, base.get(name), held.get(name), wanted.get(name))
        for name in sorted({*names, *differs(base, held), *differs(held, base)})
    ]


def drifted(change: Change, live: Rows) -> bool:
    if change.before is None:
        return False
    return live is None or bool(differs(change.before, live) or differs(live, change.before))


@dataclass(frozen=True)
class Compared:
    """A change beside what its gateway holds; ``trouble`` is why that is not known."""

    change: Change
    differences: list[Difference]
    drift: bool
    trouble: str = ""


def compare_all(parts: Sequence[Change]) -> list[Compared]:
    """Each of them, in their order; every gateway is asked over one connection."""
    found: dict[object, Compared] = {}
    for gateway in {one.gateway_id: one.gateway for one in parts}.values():
        mine = [one for one in parts if one.gateway_id == gateway.pk]
        try:
            with connect(gateway) as device:
                for change in mine:
                    live = _live(change, device)
                    rows, drift = compared(change, live), drifted(change, live)
                    found[change.pk] = Compared(change, rows, drift)
        except Refused as error:
            text = f"What it holds now is not known: {error}"
            for change in mine:
                rows = compared(change, change.before)
                found.setdefault(change.pk, Compared(change, rows, drift=False, trouble=text))
    return [found[one.pk] for one in parts]
