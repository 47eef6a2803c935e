"""Benchmark of direct ways: many members, some of which move each minute.

    python -m benchmarks.overlay_ways [members] [moves a minute] [seconds]

Each member holds a question at the portal, as its agent does, and has direct ways to ten
others. A relay reports members at new addresses. Measured are the seconds until the partners of
one that moved are told, the CPU time of the web server, and the messages of a member.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks.stage import Stage, stage

PARTNERS = 10
SETTLING_SECONDS = 25
CALM_SECONDS = 2


@dataclass
class Member:
    """A member as the portal sees it."""

    pk: int
    key: str
    token: str
    seen: str = ""
    endpoints: dict[int, str] = field(default_factory=dict)
    """By pair, where it was told to send."""
    messages: int = 0


@dataclass
class World:
    port: int
    members: dict[int, Member]
    relay: str
    ends: dict[int, tuple[int, int]]
    """Ids of both members by pair."""
    waited: list[float] = field(default_factory=list)
    moved: dict[str, float] = field(default_factory=dict)
    """When a relay has reported a new endpoint."""

    async def ask(self, token: str, query: str = "", **data: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = urlencode(data)
        writer.write(
            f"POST /api/join/ways/{query} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Device {token}\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        head, _, text = answer.partition("\r\n\r\n")
        return int(head.split()[1]), text

    async def live(self, member: Member) -> None:
        """Hold questions, and confirm each way that the portal names."""
        while True:
            status, text = await self.ask(member.token, "?wait=1", seen=member.seen)
            if status == 200:
                await self.take(member, text)
            elif status != 204:
                print("answered", status, text[:200])
                await asyncio.sleep(1)

    async def take(self, member: Member, text: str) -> None:
        member.messages += 1
        member.seen = text.split()[1]
        lines = []
        for words in (line.split() for line in text.splitlines() if line.startswith("pair ")):
            pair, endpoint = int(words[1]), words[7].partition("=")[2]
            if member.endpoints.get(pair) != endpoint:
                member.endpoints[pair] = endpoint
                if endpoint in self.moved:
                    self.waited.append(time.monotonic() - self.moved[endpoint])
            lines.append(f"pair {pair} {words[5]} direct {endpoint} 1.0 used")
        await self.ask(member.token, report="able\n" + "\n".join(lines), seen=member.seen)
        member.messages += 1

    async def move(self, member: Member, number: int) -> None:
        endpoint = f"9.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}:20000"
        self.moved[endpoint] = time.monotonic()
        await self.ask(self.relay, report=f"sight {member.key} {endpoint}")


def populate(port: int, count: int) -> World:
    from django.utils import timezone

    from controller.accounts.models import User
    from networks.overlay.engine.keys import wireguard_pair
    from networks.overlay.models import Member as MemberRow
    from networks.overlay.models import Node, Pair, Sighting
    from networks.overlay.rules import agent_tokens, create_network
    from networks.overlay.rules.plans import new_node, relay

    owner = User.objects.create_superuser("admin", "admin@example.org", "a password")
    network, hub, now = create_network(owner, name="robots"), relay(), timezone.now()
    nodes = Node.objects.bulk_create(
        new_node(wireguard_pair()[1], owner=owner, name=f"robot-{n}", reported_at=now)
        for n in range(count)
    )
    MemberRow.objects.bulk_create(MemberRow(network=network, node=one) for one in nodes)
    Sighting.objects.bulk_create(
        Sighting(node=one, relay=hub, endpoint=f"8.8.{n // 256}.{n % 256}:20000", at=now)
        for n, one in enumerate(nodes)
    )
    rows = {
        tuple(sorted((nodes[n].pk, nodes[(n + step) % count].pk)))
        for n in range(count)
        for step in range(1, PARTNERS // 2 + 1)
    }
    pairs = Pair.objects.bulk_create(
        Pair(low_id=low, high_id=high, used=now, due_at=now) for low, high in sorted(rows)
    )
    members = {
        one.pk: Member(one.pk, one.public_key, agent_tokens.token_of(one)) for one in nodes
    }
    ends = {one.pk: (one.low_id, one.high_id) for one in pairs}
    return World(port, members, agent_tokens.token_of(hub), ends)


async def measure(made: Stage, world: World, moves: float, seconds: float) -> None:
    lives = [asyncio.create_task(world.live(one)) for one in world.members.values()]
    await asyncio.sleep(SETTLING_SECONDS)
    for one in world.members.values():
        one.messages = 0
    spent, began, number = made.cpu("web"), time.monotonic(), 0
    while time.monotonic() - began < seconds:
        number += 1
        mover = random.choice(list(world.members.values()))
        await world.move(mover, number)
        await asyncio.sleep(60 / moves)
    await asyncio.sleep(CALM_SECONDS)
    passed = time.monotonic() - began
    cpu = made.cpu("web") - spent
    for one in lives:
        one.cancel()
    waited = sorted(world.waited)
    messages = statistics.mean(one.messages for one in world.members.values())
    print(f"moves                  {number} in {passed:.0f} s, of {len(world.members)} members")
    print(f"partners told          {len(waited)} of {number * PARTNERS}")
    print(f"told after             median {statistics.median(waited):.2f} s, "
          f"99 % {waited[int(len(waited) * 0.99)]:.2f} s, at most {waited[-1]:.2f} s")  # fmt: skip
    print(f"CPU of the web server  {100 * cpu / passed:.0f} % of one core")
    print(f"messages of a member   {60 * messages / passed:.1f} a minute")


def main() -> None:
    given = dict(enumerate(int(one) for one in sys.argv[1:]))
    members, moves, seconds = given.get(0, 1000), given.get(1, 50), given.get(2, 60)
    os.environ["ALLOWED_HOSTS"] = "*"
    with stage() as made:
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        made.start_web()
        made.start_worker(1)
        made.start_beat()
        world = populate(made.port, members)
        connection.close()
        asyncio.run(measure(made, world, moves, seconds))


if __name__ == "__main__":
    main()
