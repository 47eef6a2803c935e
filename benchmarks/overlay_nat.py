"""Which pairs of routers let overlay members reach each other directly, and how soon.

    python -m benchmarks.overlay_nat [kind …]

Two members behind a router of each kind, in network namespaces with nftables, run the real
agent against the real portal. Each pair starts to talk through the relay, and the table says
which way it finds, after how many seconds, and the longest silence of its pings meanwhile.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stage import stage
from tests.fleet.namespaces import why_not
from tests.fleet.nat import Machine, NatLab, until
from tests.fleet.overlay import NEEDED

# Names of columns, with the routers from the member outwards.
KINDS: dict[str, tuple[str, ...]] = {
    "open": (),
    "cone": ("cone",),
    "address": ("address",),
    "port": ("port",),
    "accept": ("accept",),
    "symmetric": ("symmetric",),
    "port+port": ("port", "port"),
    "port+symmetric": ("port", "symmetric"),
    "blocked": ("blocked",),
}
# Pairs behind one router of a carrier, by whether they are behind routers of their own.
CARRIERS = {
    "one carrier, no hairpin": True,
    "one carrier, hairpin": True,
    "one carrier, 100.64/10": False,
}
HARD = {"symmetric", "port+symmetric"}
ANYBODY = {"open", "cone", "address"}
AT_ONCE = 3
# A pair with a router that lets strangers into itself may need its second turn.
PATIENCE, PATIENCE_TURNS, PATIENCE_BLOCKED = 20.0, 150.0, 6.0


@dataclass
class Cell:
    way: str
    seconds: float
    silence: float
    reason: str


def is_possible(one: str, other: str) -> bool:
    """Return whether the theory allows a direct way without a port mapping."""
    both = {one, other}
    if "blocked" in both or both == {"accept"}:
        return False
    return not both & HARD or bool(both & ANYBODY)


class Portal:
    """The portal of the stage, with one network and one relay."""

    def __init__(self, lab: NatLab, port: int) -> None:
        from controller.accounts.models import User
        from networks.overlay.models import Node
        from networks.overlay.rules import create_network
        from networks.overlay.rules.join_codes import create_code, join_code
        from networks.overlay.rules.plans import relay

        owner = User.objects.create_superuser("admin", "admin@example.org", "a password")
        self.lab, self.url = lab, lab.serve("127.0.0.1", port)
        self.network = create_network(owner, name="robots")
        self.hub = lab.relay()
        Node.objects.filter(pk=relay().pk).update(
            endpoint=f"{lab.public(self.hub)}:51820", port=51820
        )
        self.code = join_code(create_code(self.network, by=owner), relay())

    def start(self, members: Iterable[Machine]) -> None:
        from networks.overlay.rules.plans import relay

        rows = list(members)
        for one in rows:
            one.client("join", self.url, self.code, one.name)
        self.hub.serve(relay(), self.url)
        self.hub.start_agent()
        for one in rows:
            one.client("pull")
            one.start_agent()


def measure(one: Machine, other: Machine, patience: float) -> Cell:
    from django.db import connection

    from networks.overlay.engine.ways import sentence
    from networks.overlay.models import Node, Pair

    low, high = sorted(
        Node.objects.filter(name__in=[one.name, other.name]), key=lambda node: node.pk
    )
    target = str(next(node.address for node in (low, high) if node.name == other.name))
    began = time.monotonic()
    traffic = one.pinging(target)

    def pair() -> Any:
        return Pair.objects.filter(low=low, high=high).first()

    def is_settled() -> bool:
        row = pair()
        is_impossible = row is not None and row.state == "relay" and not row.next_try
        return is_impossible or (row is not None and row.state == "direct")

    with suppress(AssertionError):
        until(is_settled, patience)
    seconds = time.monotonic() - began
    time.sleep(1)
    row, silence = pair(), traffic.longest_silence()
    connection.close()
    if row is None or row.state != "direct":
        why = (
            sentence(row.reason, low.name, high.name)
            if row
            else "the relay hears nothing of one of them"
        )
        return Cell("relay", seconds, silence, why)
    return Cell("direct", seconds, silence, "")


def table(kinds: list[str]) -> dict[tuple[str, str], Cell]:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    found: dict[tuple[str, str], Cell] = {}
    with tempfile.TemporaryDirectory() as folder, NatLab(Path(folder)) as lab:
        portal = Portal(lab, int(os.environ["PORT_OF_WEB"]))
        ends = {
            (kind, side): lab.member(f"{kind.replace('+', '-')}-{side}", *KINDS[kind])
            for kind in kinds
            for side in "ab"
        }
        carried = {title: customers(lab, title) for title in CARRIERS}
        portal.start([*ends.values(), *itertools.chain(*carried.values())])
        open_hairpin(lab, *carried["one carrier, hairpin"])
        time.sleep(10)
        todo = list(itertools.combinations_with_replacement(kinds, 2))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            cells = [pool.submit(measure, ends[one, "a"], ends[other, "b"], patience(one, other))
                     for one, other in todo]  # fmt: skip
            for names, cell in zip(todo, cells, strict=True):
                found[names] = cell.result()
                print(line(names, found[names]), flush=True)
            rows = {
                title: pool.submit(measure, *both, PATIENCE) for title, both in carried.items()
            }
            for title, cell in rows.items():
                print(line((title,), cell.result()), flush=True)
    return found


def customers(lab: NatLab, title: str) -> tuple[Machine, Machine]:
    """Return two customers of one carrier."""
    carrier = lab.carrier()
    number = list(CARRIERS).index(title)
    names = [f"customer-{number}-{side}" for side in "ab"]
    one, other = (lab.customer(name, carrier, has_router=CARRIERS[title]) for name in names)
    return one, other


def open_hairpin(lab: NatLab, one: Machine, other: Machine) -> None:
    from networks.overlay.models import Node

    ports = {each: Node.objects.get(name=each.name).ports[1] for each in (one, other)}
    lab.hairpin(lab.outermost[one.name], ports)


def patience(one: str, other: str) -> float:
    if "blocked" in {one, other}:
        return PATIENCE_BLOCKED
    return PATIENCE_TURNS if "accept" in {one, other} else PATIENCE


def line(names: tuple[str, ...], cell: Cell) -> str:
    expected = is_possible(*names) if len(names) > 1 else names[0] != "one carrier, no hairpin"  # type: ignore[call-arg]
    is_expected = (cell.way == "direct") == expected
    mark = "" if is_expected else "   UNEXPECTED"
    pair = " and ".join(names)
    return (
        f"{pair:32} {cell.way:7} {cell.seconds:5.1f} s   silence {cell.silence:4.2f} s"
        f"{mark}   {cell.reason}"
    )


def main() -> None:
    if reason := why_not(*NEEDED):
        sys.exit(reason)
    kinds = sys.argv[1:] or list(KINDS)
    os.environ |= {"ALLOWED_HOSTS": "*", "MUSTER_JOINS_PER_MINUTE": "0"}
    with stage() as made:
        os.environ["PORT_OF_WEB"] = str(made.port)
        made.start_web()
        made.start_worker(1)
        made.start_beat()
        table(kinds)


if __name__ == "__main__":
    main()
