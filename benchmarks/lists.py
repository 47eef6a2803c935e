"""Benchmark of device lists: a page should cost the same for any fleet.

``python -m benchmarks.lists [largest]`` grows a fleet tenfold at a time (to 100,000) on
PostGIS and requests pages of 100 devices through the full Django stack: CPU milliseconds of
Python and PostgreSQL, and the number of queries.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.fleet import mac
from benchmarks.stage import Stage, stage

SMALLEST = 1000
RUNS = 40


def grow(organization: Any, first: int, last: int) -> None:
    from controller.base.secrets import digest
    from controller.configs.models import Config
    from controller.devices.models import Device, Presence

    for start in range(first, last, 5000):
        devices = Device.objects.bulk_create(
            [
                Device(organization=organization, name=f"bench-{n:06}", mac_address=mac(n),
                       key=f"{n:032x}", key_digest=digest(f"{n:032x}"))
                for n in range(start, min(last, start + 5000))
            ]
        )  # fmt: skip
        Presence.objects.bulk_create([Presence(device=one) for one in devices])
        Config.objects.bulk_create([Config(device=one) for one in devices])


def measure(at: Stage, name: str, ask: Callable[[], Any]) -> None:
    from django.db import connection

    queries: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    ask()
    with connection.execute_wrapper(note):
        ask()
    python, postgres = time.process_time(), at.cpu("postgres")
    for _ in range(RUNS):
        ask()
    spent = [time.process_time() - python, at.cpu("postgres") - postgres]
    milliseconds = [1000 * one / RUNS for one in spent]
    sys.stdout.write(
        f"{name:36}{milliseconds[0]:10.2f}{milliseconds[1]:12.2f}{len(queries):10}\n"
    )
    sys.stdout.flush()


def main() -> None:
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with stage() as at:
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection
        from django.test import Client

        from controller.accounts.models import Organization, User
        from controller.accounts.rules import issue_token

        call_command("migrate", verbosity=0)
        organization = Organization.objects.create(name="bench", slug="bench")
        admin = User.objects.create_superuser("admin", "admin@example.org", "a password")
        token = issue_token(admin, name="benchmark")
        client = Client(headers={"Authorization": f"Bearer {token}"})

        def page(number: int) -> Any:
            answer = client.get(
                f"/api/v1/controller/device/?page_size=100&page={number}",
                SERVER_NAME="localhost",
            )
            assert len(answer.json()["results"]) == 100

        sys.stdout.write(f"{'':36}{'Python ms':>10}{'database ms':>12}{'queries':>10}\n")
        count, size = 0, SMALLEST
        while size <= largest:
            grow(organization, count, size)
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
            count = size
            middle = size // 200
            measure(at, f"{size} devices, page 1", lambda: page(1))
            measure(at, f"{size} devices, page {middle}", lambda: page(middle))  # noqa: B023
            size *= 10


if __name__ == "__main__":
    main()
