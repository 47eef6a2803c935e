"""A fleet that does not exist: ``python -m benchmarks.fleet_100k [agents] [minutes]``.

100,000 agents poll every five minutes, each over a connection of its own and from its address;
one in a hundred is silent, one poll in a hundred is followed by a status report, and every
tenth agent sends monitoring samples. After some minutes the web server is away for ten seconds,
and then all agents come back within one minute. Every ten seconds it prints what that cost:
requests, errors and delays, CPU and memory of each program, and the rows that wait.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.portal import seed
from benchmarks.stage import Stage, stage

POLL_SECONDS = 300
RECONNECT_SECONDS = 60
AWAY_SECONDS = 10
EVERY_SECONDS = 10
PROGRAMS = ("web", "worker", "beat", "postgres", "redis")
SAMPLES = Path(__file__).parents[1] / "tests/contract/monitoring_payloads/1_small_ap.json"
SILENT, REPORTING, MEASURED = 100, 100, 10
TICK = 0.02


@dataclass
class Seen:
    """Answers of the last seconds."""

    delays: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)

    def error(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1


@dataclass
class Agent:
    pk: str
    key: str


class Fleet:
    """Agents that poll in an order of their own, and what they saw."""

    def __init__(self, at: Stage, agents: list[Agent]) -> None:
        self.at, self.seen = at, Seen()
        self.agents = [one for number, one in enumerate(agents) if number % SILENT]
        random.Random(1).shuffle(self.agents)
        self.samples = SAMPLES.read_bytes()
        self.next = 0
        self.running: set[asyncio.Task[None]] = set()

    async def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> None:
        began = time.perf_counter()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.at.port)
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            status = (await asyncio.wait_for(reader.read(4096), 20))[9:12]
            writer.close()
        except (OSError, TimeoutError) as error:
            self.seen.error(type(error).__name__)
            return
        if status != b"200":
            self.seen.error(status.decode() or "closed")
        elif method == "GET":
            self.seen.delays.append(time.perf_counter() - began)

    async def turn(self, number: int) -> None:
        """Let one agent poll, and report or measure if it is its turn."""
        one = self.agents[number % len(self.agents)]
        await self.ask("GET", f"/controller/checksum/{one.pk}/?key={one.key}")
        if number % REPORTING == 0:
            body = f"key={one.key}&status=applied".encode()
            form = "application/x-www-form-urlencoded"
            await self.ask("POST", f"/controller/report-status/{one.pk}/", body, form)
        if number % MEASURED == 0:
            now = datetime.now(UTC).strftime("%d-%m-%Y_%H:%M:%S.%f")
            path = f"/api/v1/monitoring/device/{one.pk}/?key={one.key}&time={now}"
            await self.ask("POST", path, self.samples, "application/json")

    async def poll(self, per_second: float, seconds: float) -> None:
        """Send this many polls a second, whether or not they are answered."""
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while sent < passed * per_second:
                task = asyncio.create_task(self.turn(self.next))
                self.running.add(task)
                task.add_done_callback(self.running.discard)
                self.next += 1
                sent += 1
            await asyncio.sleep(TICK)

    async def watch(self, name: str, over: asyncio.Event) -> None:
        """Print a line every few seconds, until it is over."""
        before = {one: self.at.cpu(one) for one in PROGRAMS}
        while not over.is_set():
            began = time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), EVERY_SECONDS)
            passed = time.monotonic() - began
            now = {one: self.at.cpu(one) for one in PROGRAMS}
            seen, self.seen = self.seen, Seen()
            waiting = await asyncio.to_thread(rows_that_wait)
            print(line(name, seen, passed, {p: now[p] - before[p] for p in PROGRAMS}, self.at,
                       waiting), flush=True)  # fmt: skip
            before = now


def rows_that_wait() -> dict[str, int]:
    from django.db import connection

    from controller.base.leases import QUEUES
    from controller.base.redis import broker_client
    from controller.configs.models import Config

    found = {name: queue.due().count() for name, queue in QUEUES.items()}
    found["stale"] = Config.objects.stale().count()
    found["messages"] = sum(
        int(broker_client().llen(name))
        for name in ("default", "push", "poll", "render")  # type: ignore[arg-type]
    )
    connection.close()
    return {name: number for name, number in found.items() if number}


def line(
    name: str, seen: Seen, passed: float, cpu: dict[str, float], at: Stage, waiting: Any
) -> str:
    delays = sorted(seen.delays) or [0.0]
    p50, p99 = (1000 * delays[int(len(delays) * part)] for part in (0.5, 0.99))
    shares = " ".join(f"{one} {100 * cpu[one] / passed:.0f} %" for one in PROGRAMS)
    memory = " ".join(f"{one} {at.memory(one)}" for one in ("web", "worker", "redis"))
    return (
        f"{name:10} {len(seen.delays) / passed:6.0f} polls/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"errors {seen.errors or 0}; CPU {shares}; MiB {memory}; waits {waiting or 0}"
    )


async def phase(fleet: Fleet, name: str, per_second: float, seconds: float) -> None:
    over = asyncio.Event()
    watcher = asyncio.create_task(fleet.watch(name, over))
    await fleet.poll(per_second, seconds)
    await asyncio.gather(*fleet.running)
    over.set()
    await watcher


async def run(at: Stage, fleet: Fleet, minutes: float) -> None:
    count = len(fleet.agents)
    # The first poll of each agent, from which its answer is cached.
    await phase(fleet, "first", count / RECONNECT_SECONDS, RECONNECT_SECONDS)
    await phase(fleet, "steady", count / POLL_SECONDS, 60 * minutes)
    at.stop("web")
    print(f"the web server is away for {AWAY_SECONDS} seconds", flush=True)
    await asyncio.sleep(AWAY_SECONDS)
    at.start_web()
    await phase(fleet, "reconnect", count / RECONNECT_SECONDS, RECONNECT_SECONDS)
    await phase(fleet, "steady", count / POLL_SECONDS, 60)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    json.loads(SAMPLES.read_bytes())
    with stage() as at:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        began = time.monotonic()
        devices, _, _ = seed(count)
        print(f"{count} devices rendered in {time.monotonic() - began:.0f} s", flush=True)
        from django.db.models import F

        from controller.configs.models import Config
        from controller.configs.rules.agent_cache import publish_checksums

        Config.objects.update(applied=F("desired"), served=F("desired"), status="applied")
        ids = list(Config.objects.values_list("pk", flat=True))
        for first in range(0, len(ids), 5000):
            publish_checksums(ids[first : first + 5000])
        at.start_web()
        at.start_worker()
        at.start_beat()
        agents = [Agent(row.pk.hex, row.key) for row in devices]
        asyncio.run(run(at, Fleet(at, agents), minutes))


if __name__ == "__main__":
    main()
