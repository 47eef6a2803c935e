"""Benchmark of logins and lists: ``python -m benchmarks.accounts [devices]``.

Each figure is shown next to that of FreeSDN on a machine of the same kind (2 cores, 2
workers). The run also measures the cost of FreeSDN's password hash (Argon2id, 64 MiB, three
passes): it bounds the sign-ins per core of any server that uses it.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from argon2 import PasswordHasher

from benchmarks.fleet import mac
from benchmarks.stage import Stage, stage, wrk

PASSWORD = "correct horse battery staple"
SECONDS = 6
# Requests per second with one, eight and sixteen clients.
ORIGINAL = {"sign-in, 1 client": 3.6, "sign-in, 8 clients": 3.8, "25 of the devices": 53.0}


def seed(count: int) -> str:
    """Create a portal with `count` devices. Returns an operator's access token."""
    from controller.accounts.models import Membership, Organization, User
    from controller.accounts.rules import sessions
    from controller.base.secrets import digest
    from controller.devices.models import Device, Presence

    organization = Organization.objects.create(name="bench", slug="bench")
    user = User.objects.create_user("bench", "bench@example.org", PASSWORD)
    Membership.objects.create(user=user, organization=organization, role="org_admin")
    devices = Device.objects.bulk_create(
        Device(
            organization=organization,
            name=f"bench-{number:06}",
            mac_address=mac(number),
            key=f"{number:032x}",
            key_digest=digest(f"{number:032x}"),
        )
        for number in range(count)
    )
    Presence.objects.bulk_create(Presence(device=device) for device in devices)
    return sessions.open_session(user).access


def sign_ins(url: str, clients: int) -> float:
    """Return the number of successful sign-ins per second."""
    until = time.monotonic() + SECONDS
    body = json.dumps({"login": "bench@example.org", "password": PASSWORD})

    def client(_: int) -> int:
        done = 0
        with httpx.Client(headers={"Content-Type": "application/json"}, timeout=30) as http:
            while time.monotonic() < until:
                answer = http.post(f"{url}/api/v1/auth/login", content=body)
                assert answer.status_code == 200, answer.text
                done += 1
        return done

    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        done = sum(pool.map(client, range(clients)))
    return done / (time.monotonic() - began)


def hashes() -> float:
    """Return how many Argon2id hashes one core verifies per second."""
    hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
    stored = hasher.hash(PASSWORD)
    began, done = time.monotonic(), 0
    while time.monotonic() - began < 2:
        hasher.verify(stored, PASSWORD)
        done += 1
    return done / (time.monotonic() - began)


def measure(on: Stage, count: int) -> dict[str, Any]:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    token = seed(count)
    on.start_web()
    script = f'wrk.headers["Authorization"] = "Bearer {token}"\n'
    url = f"{on.url}/api/v1/devices/?per_page=25"
    wrk(url, connections=4, seconds=2, script=script)
    before = on.cpu("web")
    listed = wrk(url, connections=16, seconds=SECONDS, script=script)
    assert not listed["bad"], listed
    each = (on.cpu("web") - before) / listed["requests"] * 1000
    return {
        "sign-in, 1 client": sign_ins(on.url, 1),
        "sign-in, 8 clients": sign_ins(on.url, 8),
        "25 of the devices": listed["per_second"],
        "CPU ms of a list": each,
        "the original's hash": hashes(),
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with stage() as on:
        found = measure(on, count)
    print(f"{'':24}{'a second':>10}{'original':>10}{'ratio':>8}")
    for name, figure in found.items():
        known = ORIGINAL.get(name)
        beside = f"{known:10.1f}{figure / known:7.1f}x" if known else ""
        print(f"{name:24}{figure:10.1f}{beside}")


if __name__ == "__main__":
    main()
