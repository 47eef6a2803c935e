"""Benchmark of flatness: ``python -m benchmarks.flatness [minutes]`` (by default 30).

A hundred agents poll, a dashboard is loaded again every five seconds, and twenty programs hear the
events. Printed are memory and descriptors of every part at the beginning and at the end, and the
tables that have more rows.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from contextlib import suppress
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
PARTS = ("web", "worker", "beat", "redis")
DASHBOARD = ("/admin/", "/api/v1/monitoring/dashboard/", "/admin/devices/device/")


def state(at: Stage) -> dict[str, tuple[int, int]]:
    """Return MiB and open descriptors of each part."""
    found = {}
    for part in PARTS:
        pids = family(at.processes[part].pid)
        open_files = 0
        for pid in pids:
            with suppress(OSError):
                open_files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        found[part] = (sum(proportional(pid) for pid in pids), open_files)
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
    try:
        time.sleep(60 * minutes * WARM_PART)
        first, counted = state(at), rows()
        time.sleep(60 * minutes * (1 - WARM_PART))
        last, grown = state(at), rows()
    finally:
        over.set()
        for one in threads:
            one.join()
    print(f"{minutes:g} minutes, measured from {60 * minutes * WARM_PART:.0f} s on")
    print(f"{'':10}{'MiB':>14}{'descriptors':>18}")
    for part in PARTS:
        (memory, files), (memory_2, files_2) = first[part], last[part]
        print(f"{part:10}{memory:6d} -> {memory_2:<6d}{files:8d} -> {files_2}")
    print("tables with more rows:")
    for table, number in grown.items():
        if number > counted[table]:
            print(f"  {table}: {counted[table]} -> {number}")


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
