"""Benchmark of flatness: ``python -m benchmarks.flatness [minutes]`` (by default 30).

A hundred agents poll, a dashboard is loaded again every five seconds, and twenty programs hear the
events. Printed are memory and descriptors of every part, once the start is over and five times
until the end, the kinds of descriptors that are more, and the tables that have more rows.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from benchmarks.portal import seed
from benchmarks.stage import Stage, family, proportional, stage
from benchmarks.waiting import PASSWORD, browser

AGENTS, STREAMS = 100, 20
POLL_SECONDS, RELOAD_SECONDS = 5.0, 5.0
# What is filled once, after the start, is no growth: processes have seen all of it by then.
WARM_PART = 0.2
SAMPLES = 5
PARTS = ("web", "worker", "beat", "redis")
DASHBOARD = ("/admin/", "/api/v1/monitoring/dashboard/", "/admin/devices/device/")


def kinds_of_descriptors(pids: list[int]) -> Counter[str]:
    """Return how many descriptors these processes hold, by kind: socket, anon_inode or a path."""
    found: Counter[str] = Counter()
    for pid in pids:
        with suppress(OSError):
            for one in Path(f"/proc/{pid}/fd").iterdir():
                found[str(one.readlink()).partition(":")[0]] += 1
    return found


@dataclass
class State:
    memory: int
    """In MiB, without files that are shared with other programs of the machine."""
    descriptors: Counter[str]


def states(at: Stage) -> dict[str, State]:
    found = {}
    for part in PARTS:
        pids = family(at.processes[part].pid)
        memory = sum(proportional(pid, "Pss_Anon") for pid in pids)
        found[part] = State(memory, kinds_of_descriptors(pids))
    return found


def rows() -> dict[str, int]:
    from django.apps import apps

    return {
        model._meta.db_table: model._base_manager.count()
        for model in apps.get_models()
        if model._meta.managed
    }


async def agents(at: Stage, devices: list[Any], over: threading.Event) -> None:
    async with httpx.AsyncClient(base_url=at.url, timeout=60, trust_env=False) as client:

        async def poll(number: int, device: Any) -> None:
            await asyncio.sleep(POLL_SECONDS * number / len(devices))
            while not over.is_set():
                await client.get(f"/controller/checksum/{device.pk.hex}/?key={device.key}")
                await asyncio.sleep(POLL_SECONDS)

        await asyncio.gather(*(poll(at_, one) for at_, one in enumerate(devices)))


def dashboard(at: Stage, over: threading.Event) -> None:
    with browser(at) as client:
        while not over.wait(RELOAD_SECONDS):
            for path in DASHBOARD:
                client.get(path)


def stream(at: Stage, token: str, over: threading.Event) -> None:
    url = f"ws{at.url.removeprefix('http')}/api/v1/ws/events"
    while not over.is_set():
        with suppress(WebSocketException, OSError), connect(url, proxy=None) as events:
            events.send(json.dumps({"type": "auth", "token": token}))
            while not over.is_set():
                with suppress(TimeoutError):
                    events.recv(timeout=1)


def measure(at: Stage, minutes: float) -> None:
    devices, _, _ = seed(AGENTS)
    from controller.accounts.models import User
    from controller.accounts.rules import issue_token

    user = User.objects.create_superuser("other", "other@example.org", PASSWORD)
    token = issue_token(user, name="flat")
    at.start_web()
    at.start_worker()
    at.start_beat()
    over = threading.Event()
    threads = [
        threading.Thread(target=lambda: asyncio.run(agents(at, devices, over))),
        threading.Thread(target=dashboard, args=(at, over)),
        *(threading.Thread(target=stream, args=(at, token, over)) for _ in range(STREAMS)),
    ]
    for one in threads:
        one.start()
    series, counted = [], {}
    try:
        time.sleep(60 * minutes * WARM_PART)
        counted = rows()
        series = [states(at)]
        for _ in range(SAMPLES):
            time.sleep(60 * minutes * (1 - WARM_PART) / SAMPLES)
            series.append(states(at))
        grown = rows()
    finally:
        over.set()
        for one in threads:
            one.join()
    print(f"{minutes:g} minutes, measured from {60 * minutes * WARM_PART:.0f} s on")
    report(series)
    print("tables with more rows:")
    for table, number in grown.items():
        if number > counted[table]:
            print(f"  {table}: {counted[table]} -> {number}")


def report(series: list[dict[str, State]]) -> None:
    for part in PARTS:
        row = [one[part] for one in series]
        print(f"{part:8} MiB", *(f"{one.memory:4d}" for one in row))
        print(f"{'':8} fds", *(f"{one.descriptors.total():4d}" for one in row))
        if more := row[-1].descriptors - row[0].descriptors:
            print(
                f"{'':12} more:", ", ".join(f"{kind} {count}" for kind, count in more.items())
            )


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    os.environ |= {"MUSTER_POLL_SECONDS": "30"}
    with stage() as at:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        measure(at, minutes)


if __name__ == "__main__":
    main()
