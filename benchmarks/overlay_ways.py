"""Benchmark of direct ways: many members, some of which move each minute.

    python -m benchmarks.overlay_ways [members] [moves a minute] [seconds]

A relay in a network namespace runs WireGuard and the real agent against the real portal. Each
member is a WireGuard session with the relay's observing interface, a held question at the
portal, and direct ways to ten others. One that moves sends a keepalive from another address;
its ways are right again when both ends of each have confirmed the new address. Measured are
these seconds, the CPU time of portal and relay, and the messages of a member.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.handshakes import Initiator, Radio, bound
from benchmarks.stage import Stage, cpu_of, family, stage
from tests.fleet.namespaces import entered, run, tried, why_not
from tests.fleet.nat import Machine, NatLab, until
from tests.fleet.overlay import NEEDED

PARTNERS = 10
SETTLING_SECONDS = 25
CALM_SECONDS = 10
ALLOWED_SECONDS = 10
# As the agent does.
DELAY_SECONDS = 0.3
REPORT_SECONDS = 60
KEEPALIVE_SECONDS = 25
HANDSHAKE_SECONDS = 120
PORT = 20000
PARTS = ("web", "postgres", "redis", "worker", "beat")


@dataclass
class Member:
    """A member as portal and relay see it."""

    pk: int
    key: str
    token: str
    radio: Radio
    seen: str = ""
    rounds: dict[int, tuple[str, str]] = field(default_factory=dict)
    """By pair, in which round it sends where."""
    messages: int = 0
    octets: int = 0


@dataclass
class Move:
    began: float
    waiting: set[tuple[int, int]]
    """Ends, as pair and member, that have not confirmed it yet."""


@dataclass
class World:
    port: int
    members: dict[int, Member]
    relay: Machine
    crowd: str
    partners: dict[int, dict[int, int]] = field(default_factory=dict)
    """Pairs by member, with the other end."""
    moves: dict[int, Move] = field(default_factory=dict)
    """The last of each member, until it is over."""
    taken: list[float] = field(default_factory=list)
    addresses: int = 0

    def new_socket(self) -> object:
        self.addresses += 1
        number = self.addresses
        address = f"198.18.{number // 250 % 250}.{number % 250 + 1}"
        with entered(self.crowd):
            return bound(address, PORT + number // 62500)

    async def ask(self, member: Member, query: str = "", **data: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = urlencode(data)
        writer.write(
            f"POST /api/join/ways/{query} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Device {member.token}\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        member.messages += 1
        member.octets += len(body) + len(answer)
        head, _, text = answer.partition("\r\n\r\n")
        return int(head.split()[1]), text

    async def live(self, member: Member) -> None:
        """Hold questions, and follow what the portal says."""
        while True:
            status, text = await self.ask(member, "?wait=1", seen=member.seen)
            if status == 200:
                await self.take(member, text)
            elif status != 204:
                print("answered", status, text[:200])
                await asyncio.sleep(1)

    async def take(self, member: Member, text: str) -> None:
        member.seen = text.split()[1]
        lines = (line.split() for line in text.splitlines() if line.startswith("pair "))
        told = {int(words[1]): (words[5], words[7].partition("=")[2]) for words in lines}
        is_new = told != member.rounds
        member.rounds = told
        if is_new:
            await asyncio.sleep(DELAY_SECONDS)
            await self.report(member)

    async def report(self, member: Member) -> None:
        lines = [
            f"pair {pair} {number} direct {endpoint} 1.0 used"
            for pair, (number, endpoint) in member.rounds.items()
        ]
        said = dict(member.rounds)
        status, text = await self.ask(
            member, report="\n".join(["at", "able", *lines]), seen=member.seen
        )
        self.confirm(member, said)
        if status == 200:
            await self.take(member, text)

    async def report_for_ever(self, member: Member) -> None:
        await asyncio.sleep(random.uniform(0, REPORT_SECONDS))
        while True:
            await self.report(member)
            await asyncio.sleep(REPORT_SECONDS)

    def confirm(self, member: Member, said: dict[int, tuple[str, str]]) -> None:
        now = time.monotonic()
        for pair, (_, endpoint) in said.items():
            other = self.partners[member.pk][pair]
            own, theirs = self.moves.get(member.pk), self.moves.get(other)
            if theirs is not None and endpoint == self.endpoint(other):
                self.note(theirs, (pair, member.pk), now)
            if own is not None:
                self.note(own, (pair, member.pk), now)

    def note(self, move: Move, end: tuple[int, int], now: float) -> None:
        if end in move.waiting:
            move.waiting.discard(end)
            if not move.waiting:
                self.taken.append(now - move.began)

    def endpoint(self, pk: int) -> str:
        socket = self.members[pk].radio.socket
        assert socket is not None
        host, port = socket.getsockname()
        return f"{host}:{port}"

    def move(self, member: Member) -> None:
        member.radio.move(self.new_socket())  # type: ignore[arg-type]
        ends = {(pair, one) for pair, other in self.partners[member.pk].items()
                for one in (member.pk, other)}  # fmt: skip
        self.moves[member.pk] = Move(time.monotonic(), ends)

    async def keep_alive(self) -> None:
        """Send what WireGuard sends by itself."""
        rows, number = list(self.members.values()), 0
        while True:
            began = time.monotonic()
            for one in rows:
                one.radio.hear()
            for _ in range(max(len(rows) // KEEPALIVE_SECONDS, 1)):
                one = rows[number % len(rows)].radio
                number += 1
                if began - one.shaken > HANDSHAKE_SECONDS - KEEPALIVE_SECONDS:
                    one.shake()
                else:
                    one.keep_alive()
            await asyncio.sleep(1)

    def shake_hands(self) -> None:
        rows = [one.radio for one in self.members.values()]
        while missing := [one for one in rows if not one.shaken]:
            for one in missing[:100]:
                one.shake()
                time.sleep(0.005)
            for one in rows:
                one.hear()

    def load_pairs(self) -> None:
        from networks.overlay.models import Pair

        self.partners = {pk: {} for pk in self.members}
        for pk, low, high in Pair.objects.values_list("pk", "low", "high"):
            self.partners[low][pk], self.partners[high][pk] = high, low


def populate(lab: NatLab, port: int, count: int) -> World:
    from django.utils import timezone

    from controller.accounts.models import User
    from networks.overlay.engine.keys import wireguard_pair
    from networks.overlay.models import Member as MemberRow
    from networks.overlay.models import Node
    from networks.overlay.rules import agent_tokens, create_network
    from networks.overlay.rules.plans import new_node, relay

    owner = User.objects.create_superuser("admin", "admin@example.org", "a password")
    network, hub = create_network(owner, name="robots"), relay()
    machine = lab.relay()
    Node.objects.filter(pk=hub.pk).update(endpoint=f"{lab.public(machine)}:51820", port=51820)
    hub.refresh_from_db()
    keys = [wireguard_pair() for _ in range(count)]
    nodes = Node.objects.bulk_create(
        new_node(public, owner=owner, name=f"robot-{n}", reported_at=timezone.now())
        for n, (_, public) in enumerate(keys)
    )
    MemberRow.objects.bulk_create(MemberRow(network=network, node=one) for one in nodes)
    crowd = lab.new_space("crowd")
    lab.plug(crowd, "198.51.100.200")
    run("ip", "-n", crowd, "route", "add", "local", "198.18.0.0/15", "dev", "lo")
    run("ip", "-n", machine.space, "route", "add", "198.18.0.0/15", "via", "198.51.100.200")
    target = (lab.public(machine), hub.ports[1])
    members = {
        one.pk: Member(one.pk, one.public_key, agent_tokens.token_of(one),
                       Radio(Initiator(private, hub.public_key, one.pk), target))
        for one, (private, _) in zip(nodes, keys, strict=True)
    }  # fmt: skip
    world = World(port, members, machine, crowd)
    for member in members.values():
        member.radio.move(world.new_socket())  # type: ignore[arg-type]
    machine.serve(hub, lab.serve("127.0.0.1", port))
    world.shake_hands()
    return world


def start_directly(world: World) -> None:
    """Let the relay see all members, and have all pairs direct."""
    from django.utils import timezone

    from networks.overlay.models import Node, Pair, Sighting
    from networks.overlay.rules import direct_paths

    world.relay.start_agent()
    count = len(world.members)
    until(lambda: Sighting.objects.count() == count)
    now = timezone.now()
    Node.objects.update(reported_at=now)
    ids = sorted(world.members)
    rows = {
        tuple(sorted((ids[n], ids[(n + step) % count])))
        for n in range(count)
        for step in range(1, PARTNERS // 2 + 1)
    }
    Pair.objects.bulk_create(
        Pair(low_id=low, high_id=high, used=now, due_at=now) for low, high in sorted(rows)
    )
    direct_paths.advance_due()
    said = {"said": "direct", "round": 1, "at": now.timestamp(), "endpoint": "", "rtt": 1.0}
    pairs = list(Pair.objects.values_list("pk", flat=True))
    Pair.objects.update(low_evidence=said, high_evidence=said)
    direct_paths.advance(pairs)
    assert not Pair.objects.exclude(state=Pair.State.DIRECT).exists()
    world.load_pairs()


def spent(made: Stage, world: World) -> dict[str, float]:
    found = {name: made.cpu(name) for name in PARTS}
    assert world.relay.agent is not None
    agent = set(family(world.relay.agent.pid))
    found["relay's agent"] = sum(cpu_of(pid) for pid in agent)
    inside = tried("ip", "netns", "pids", world.relay.space).stdout.split()
    names = {int(pid): Path(f"/proc/{pid}/comm") for pid in inside}
    found["relay's WireGuard (in user space)"] = sum(
        cpu_of(pid) for pid, comm in names.items() if "wireguard" in comm.read_text()
    )
    return found


async def measure(made: Stage, world: World, moves: float, seconds: float) -> None:
    rows = list(world.members.values())
    tasks = [asyncio.create_task(world.keep_alive())]
    for one in rows:
        tasks.append(asyncio.create_task(world.live(one)))
        tasks.append(asyncio.create_task(world.report_for_ever(one)))
    await asyncio.sleep(SETTLING_SECONDS)
    calm = await stretch(made, world, seconds / 2)
    table("nobody moves", calm, seconds / 2)
    began, number = time.monotonic(), 0
    before = await stretch(made, world, 0)
    while time.monotonic() - began < seconds:
        number += 1
        world.move(random.choice(rows))
        await asyncio.sleep(60 / moves)
    busy = await stretch(made, world, CALM_SECONDS, before["at"])
    passed = time.monotonic() - began
    for one in tasks:
        one.cancel()
    table(f"{number} moves", busy, passed)
    taken = sorted(world.taken)
    late = sum(1 for one in taken if one > ALLOWED_SECONDS)
    print(f"ways right again       {len(taken)} of {number} moves (others moved twice)")
    if taken:
        print(f"after                  median {statistics.median(taken):.2f} s, "
              f"99 % {taken[int(len(taken) * 0.99)]:.2f} s, at most {taken[-1]:.2f} s; "
              f"{late} after more than {ALLOWED_SECONDS} s")  # fmt: skip


async def stretch(
    made: Stage, world: World, seconds: float, before: dict[str, float] | None = None
) -> dict[str, dict[str, float]]:
    """Return what is used in these seconds, or since `before`."""
    rows = list(world.members.values())
    if before is None:
        before = spent(made, world)
        for one in rows:
            one.messages = one.octets = 0
    await asyncio.sleep(seconds)
    after = spent(made, world)
    used = {name: after[name] - before[name] for name in after}
    sums = {
        "messages": statistics.mean(one.messages for one in rows),
        "octets": statistics.mean(one.octets for one in rows),
    }
    return {"at": before, "used": used, "sums": sums}


def table(title: str, found: dict[str, dict[str, float]], passed: float) -> None:
    print(f"--- {title}, {passed:.0f} s")
    for name, one in found["used"].items():
        print(f"CPU of {name:35} {100 * one / passed:5.1f} % of one core")
    print(f"messages of a member   {60 * found['sums']['messages'] / passed:.1f} a minute, "
          f"{60 * found['sums']['octets'] / passed / 1000:.1f} kB")  # fmt: skip


def main() -> None:
    if reason := why_not(*NEEDED):
        sys.exit(reason)
    given = dict(enumerate(int(one) for one in sys.argv[1:]))
    members, moves, seconds = given.get(0, 1000), given.get(1, 50), given.get(2, 60)
    os.environ["ALLOWED_HOSTS"] = "*"
    with stage() as made, tempfile.TemporaryDirectory() as folder, NatLab(Path(folder)) as lab:
        import django

        django.setup()
        from django.apps import apps
        from django.conf import settings
        from django.core.management import call_command
        from django.db import connection

        # Tables as they are now: their history takes a minute to go through.
        settings.MIGRATION_MODULES = dict.fromkeys(one.label for one in apps.get_app_configs())
        call_command("migrate", run_syncdb=True, verbosity=0)
        made.start_web()
        made.start_worker(1)
        made.start_beat()
        world = populate(lab, made.port, members)
        start_directly(world)
        connection.close()
        asyncio.run(measure(made, world, moves, seconds))


if __name__ == "__main__":
    main()
