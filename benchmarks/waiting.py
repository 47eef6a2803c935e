"""Benchmark of waiting: ``python -m benchmarks.waiting [silent] [seconds]``.

One user asks silent gateways (by default 200) and follows logs of silent supervisors at the full
rate limit. Meanwhile other callers measure an agent's poll, ``/health``, the sign-in page and
an API list. Printed are the 99th percentiles, idle and under that load, and their ratio.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx

from benchmarks.portal import seed
from benchmarks.stage import Stage, stage

FOLLOWERS = 50
FOLLOWED_SECONDS = 2.0
CALLERS = 24
# The rate limit of one user.
REQUESTS_PER_SECOND = 10


def silent_server(ends: ExitStack) -> int:
    """Accept connections for ever and never answer; return the port."""
    server = ends.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                held.append(server.accept()[0])
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    return int(server.getsockname()[1])


def seed_silent(devices: list[Any], port: int, count: int) -> tuple[list[str], list[str]]:
    """Create gateways and supervisors at a silent port; return the paths that wait for them."""
    from networks.gateways.models import Gateway
    from supervisor_proxy.rules.supervisors import add_supervisor

    organization = devices[0].organization
    gateways = Gateway.objects.bulk_create(
        Gateway(
            organization=organization,
            name=f"silent-{number}",
            vendor="openwrt",
            url=f"http://127.0.0.1:{port}",
            key="root",
            secret="x",
        )
        for number in range(count)
    )
    for device in devices[:FOLLOWERS]:
        add_supervisor(
            device=device, flavor="hassio", address="127.0.0.1", port=port, key="k" * 32
        )
    return (
        [f"/api/v1/gateways/{one.pk}/live/openwrt.dns.override/" for one in gateways],
        [
            f"/api/v1/controller/device/{one.pk}/hassio/core/logs/follow"
            for one in devices[:FOLLOWERS]
        ],
    )


def percentiles(
    at: Stage, headers: dict[str, str], paths: dict[str, str], seconds: float
) -> dict[str, float]:
    """Return the 99th percentile of each path in milliseconds, asked in turn."""
    times: dict[str, list[float]] = {name: [] for name in paths}
    end = time.monotonic() + seconds
    with httpx.Client(base_url=at.url, headers=headers, timeout=60, trust_env=False) as client:
        while time.monotonic() < end:
            for name, path in paths.items():
                began = time.monotonic()
                answer = client.get(path)
                times[name].append(1000 * (time.monotonic() - began))
                assert answer.status_code == 200, (path, answer.status_code)
    return {name: statistics.quantiles(found, n=100)[98] for name, found in times.items()}


def waiters(
    at: Stage, token: str, live: list[str], logs: list[str], over: threading.Event
) -> Counter[int]:
    """Ask silent machines until ``over``; a follower leaves without a word. Returns statuses."""
    statuses: Counter[int] = Counter()
    headers = {"Authorization": f"Bearer {token}"}

    def ask(number: int) -> None:
        with httpx.Client(base_url=at.url, headers=headers, trust_env=False) as client:
            while not over.is_set():
                follows = number % 2
                path = (logs if follows else live)[number % len(logs if follows else live)]
                try:
                    timeout = FOLLOWED_SECONDS if follows else 60
                    statuses[client.get(path, timeout=timeout).status_code] += 1
                except httpx.HTTPError:
                    statuses[0] += 1
                over.wait(CALLERS / REQUESTS_PER_SECOND)

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(ask, range(CALLERS)))
    return statuses


def measure(at: Stage, silent: int, seconds: float) -> None:
    devices, token, _ = seed(FOLLOWERS)
    from controller.accounts.models import User
    from controller.accounts.rules import issue_token

    with ExitStack() as ends:
        live, logs = seed_silent(devices, silent_server(ends), silent)
        at.start_web()
        other = User.objects.create_superuser("other", "other@example.org", "a good password")
        reader = {"Authorization": f"Bearer {issue_token(other, name='other')}"}
        paths = {
            "agent's poll": f"/controller/checksum/{devices[0].pk.hex}/?key={devices[0].key}",
            "/health": "/health",
            "sign-in page": "/admin/login/",
            "API list": "/api/v1/controller/device/",
        }
        percentiles(at, reader, paths, 3)
        idle = percentiles(at, reader, paths, seconds)
        memory = at.memory("web")
        over = threading.Event()
        found: list[Counter[int]] = []
        asking = threading.Thread(
            target=lambda: found.append(waiters(at, token, live, logs, over))
        )
        asking.start()
        time.sleep(3)
        loaded = percentiles(at, reader, paths, seconds)
        grown = at.memory("web") - memory
        over.set()
        asking.join()
    print(f"{'p99, ms':16}{'idle':>10}{'loaded':>10}{'ratio':>8}")
    for name, value in idle.items():
        print(f"{name:16}{value:10.1f}{loaded[name]:10.1f}{loaded[name] / value:7.1f}x")
    print(f"answers to the waiting caller: {dict(found[0])}; web memory {grown:+d} MiB")


def main() -> None:
    silent = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0
    os.environ |= {"MUSTER_LOCAL_GATEWAYS": "1", "MUSTER_SUPERVISOR_NETWORKS": "127.0.0.0/8"}
    with stage() as at:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        measure(at, silent, seconds)


if __name__ == "__main__":
    main()
