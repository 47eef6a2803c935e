"""Benchmark of waiting: ``python -m benchmarks.waiting [silent] [seconds] [rows]``.

Measured are the 99th percentiles of an agent's poll, ``/health``, the sign-in page and an API list,
as other callers see them: idle, while one user asks silent gateways, supervisors and members of
networks (by default 200) at the full rate limit, while 50 followers of logs come and leave without
a word, and while a worker previews and writes the largest table that may be imported.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx

from benchmarks.portal import seed
from benchmarks.stage import Stage, stage

FOLLOWERS = 50
FOLLOWED_SECONDS = 2.0
CALLERS = 24
# The rate limit of one user.
REQUESTS_PER_SECOND = 10
PASSWORD = "a good password"
Ask = Callable[[httpx.Client, int], httpx.Response]


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


def seed_silent(
    devices: list[Any], owner: Any, port: int, count: int
) -> tuple[list[str], list[str]]:
    """Create what never answers; return the paths that wait for it, and those that follow logs.

    Half of it are gateways; a quarter are supervisors, and a quarter networks whose members are
    looked at.
    """
    from networks.gateways.models import Gateway
    from networks.overlay.rules import create_network
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
        for number in range(count // 2)
    )
    for device in devices:
        add_supervisor(
            device=device, flavor="hassio", address="127.0.0.1", port=port, key="k" * 32
        )
    meshes = [create_network(owner, name=f"mesh {number}") for number in range(count // 4)]
    base = "/api/v1/controller/device"
    waits = [f"/api/v1/gateways/{one.pk}/live/openwrt.dns.override/" for one in gateways]
    waits += [f"{base}/{one.pk}/hassio/info" for one in devices[: count // 4]]
    waits += [f"/api/network/{one.pk}?refresh_devices=1" for one in meshes]
    follows = [f"{base}/{one.pk}/hassio/core/logs/follow" for one in devices[:FOLLOWERS]]
    return waits, follows


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


@contextmanager
def callers(
    at: Stage, token: str, paths: list[str], count: int, timeout: float
) -> Iterator[Counter[int]]:
    """Have so many callers ask these paths at the full rate limit. Yields their statuses."""
    statuses: Counter[int] = Counter()
    over = threading.Event()
    headers = {"Authorization": f"Bearer {token}"}

    def ask(number: int) -> None:
        with httpx.Client(base_url=at.url, headers=headers, trust_env=False) as client:
            turn = number
            while not over.is_set():
                try:
                    answer = client.get(paths[turn % len(paths)], timeout=timeout)
                    statuses[answer.status_code] += 1
                except httpx.HTTPError:
                    statuses[0] += 1
                turn += count
                over.wait(count / REQUESTS_PER_SECOND)

    with ThreadPoolExecutor(count) as pool:
        asking = [pool.submit(ask, number) for number in range(count)]
        time.sleep(3)
        yield statuses
        over.set()
        for one in asking:
            one.result()


@contextmanager
def browser(at: Stage) -> Iterator[httpx.Client]:
    """Sign in to the admin, as who imports a table."""
    with httpx.Client(
        base_url=at.url, timeout=120, trust_env=False, follow_redirects=True
    ) as client:
        client.get("/admin/login/")
        client.post(
            "/admin/login/",
            data={"username": "other", "password": PASSWORD, "next": "/admin/",
                  "csrfmiddlewaretoken": client.cookies["csrftoken"]},
            headers={"Referer": at.url},
        )  # fmt: skip
        yield client


def upload(at: Stage, client: httpx.Client, slug: str, count: int) -> str:
    """Upload a table of devices. Returns the address of its page."""
    rows = "\n".join(
        f"import-{number},02:{number >> 16 & 255:02X}:{number >> 8 & 255:02X}:{number & 255:02X}:00:01,"
        f"{slug},10.9.{number >> 8}.{number & 255}"
        for number in range(count)
    )
    table = f"name,mac_address,organization,management_ip\n{rows}\n".encode()
    answer = client.post(
        "/admin/devices/device/import/",
        data={"csrfmiddlewaretoken": client.cookies["csrftoken"]},
        files={"import_file": ("largest.csv", table)},
        headers={"Referer": at.url},
    )
    assert "/import/" in answer.url.path, answer.text[:500]
    return answer.url.path


def wait_for_import(client: httpx.Client, page: str, word: str) -> None:
    deadline = time.monotonic() + 1800
    while word not in (text := client.get(f"{page}progress/").text):
        assert time.monotonic() < deadline, text
        time.sleep(1)


def measure(at: Stage, silent: int, seconds: float, rows: int) -> None:
    devices, token, _ = seed(max(FOLLOWERS, silent // 4))
    from controller.accounts.models import User
    from controller.accounts.rules import issue_token

    with ExitStack() as ends:
        other = User.objects.create_superuser("other", "other@example.org", PASSWORD)
        waits, logs = seed_silent(devices, other, silent_server(ends), silent)
        at.start_web()
        at.start_worker()
        reader = {"Authorization": f"Bearer {issue_token(other, name='other')}"}
        paths = {
            "agent's poll": f"/controller/checksum/{devices[0].pk.hex}/?key={devices[0].key}",
            "/health": "/health",
            "sign-in page": "/admin/login/",
            "API list": "/api/v1/controller/device/",
        }
        percentiles(at, reader, paths, 3)
        found = {"idle": percentiles(at, reader, paths, seconds)}
        memory, told = at.memory("web"), []
        with callers(at, token, waits, CALLERS, 60) as statuses:
            found["silent"] = percentiles(at, reader, paths, seconds)
        told.append(f"answers of silent targets: {dict(statuses)}")
        with callers(at, token, logs, FOLLOWERS, FOLLOWED_SECONDS) as statuses:
            found["leaving"] = percentiles(at, reader, paths, seconds)
        told.append(f"answers to followers: {dict(statuses)} (0: left)")
        with browser(at) as client:
            page = upload(at, client, devices[0].organization.slug, rows)
            found["preview"] = percentiles(at, reader, paths, seconds)
            wait_for_import(client, page, "/confirm/")
            form = re.search(
                r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(page).text
            )
            assert form
            client.post(
                f"{page}confirm/", data={"csrfmiddlewaretoken": form[1]},
                headers={"Referer": at.url},
            )  # fmt: skip
            found["import"] = percentiles(at, reader, paths, seconds)
        told.append(f"web memory {at.memory('web') - memory:+d} MiB")
    report(found, told)


def report(found: dict[str, dict[str, float]], told: list[str]) -> None:
    idle = found["idle"]
    print(f"{'p99, ms':16}" + "".join(f"{name:>18}" for name in found))
    for name, value in idle.items():
        cells = (f"{one[name]:9.1f} {one[name] / value:6.1f}x" for one in found.values())
        print(f"{name:16}" + "".join(f"{cell:>18}" for cell in cells))
    print("\n".join(told))


def main() -> None:
    silent = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
    os.environ |= {"MUSTER_LOCAL_GATEWAYS": "1", "MUSTER_SUPERVISOR_NETWORKS": "127.0.0.0/8",
                   "MUSTER_GATEWAY_NETWORKS": "127.0.0.0/8"}  # fmt: skip
    with stage() as at:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        measure(at, silent, seconds, rows)


if __name__ == "__main__":
    main()
