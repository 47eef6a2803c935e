"""Crashes the database of a portal in the middle of its work: ``python -m tests.live.database_away``.

A program of its own, since it sets the environment of a whole portal.
"""

import os
import sys
import time
from typing import Any

import httpx

from benchmarks.stage import Stage, family, stage

AWAY_SECONDS = 60.0
RECOVERED_SECONDS = 240.0
ROWS = 600
UNAVAILABLE = 503


def wait_for(what: str, happened: Any, seconds: float = RECOVERED_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"{what}: not within {seconds} seconds"
        time.sleep(0.2)


def begin(user: Any, slug: str) -> Any:
    """Begin the import of a table; return it once a part is written."""
    from controller.accounts.rules import table_imports

    lines = [f"quay {number},{slug},outdoor,5,60" for number in range(ROWS)]
    data = "\n".join(["name,organization,type,longitude,latitude", *lines]).encode()
    row = table_imports.start(user, target="geo.location", name="quays.csv", data=data)
    wait_for("the preview", lambda: has(row, "ready"), 600)
    table_imports.confirm(row)
    wait_for("the first rows", lambda: has(row, "writing") and row.done > 0, 600)
    return row


def has(row: Any, state: str) -> bool:
    row.refresh_from_db()
    return bool(row.state == state)


def go_without(client: httpx.Client) -> None:
    """See for a minute what the portal says while it has no database."""
    end = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < end:
        answer = client.get("/api/v1/controller/device/")
        assert answer.status_code == UNAVAILABLE, answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == UNAVAILABLE
        time.sleep(2)


def drill(at: Stage) -> None:
    from django.db import connections

    from controller.accounts.models import Organization, User
    from controller.accounts.rules import issue_token
    from geo.models import Location

    user = User.objects.create_superuser("root", "root@example.org", "a good password")
    Organization.objects.create(name="Acme", slug="acme")
    token = issue_token(user, name="drill")
    at.start_web()
    at.start_worker()
    at.start_beat()
    programs = {name: at.processes[name].pid for name in ("web", "worker", "beat")}
    with httpx.Client(
        base_url=at.url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
        trust_env=False,
    ) as client:

        def status(path: str) -> int:
            return client.get(path).status_code

        row = begin(user, "acme")
        at.crash_postgres()
        connections.close_all()
        go_without(client)
        at.start_postgres()
        wait_for("lists", lambda: status("/api/v1/controller/device/") == 200)
        wait_for("health", lambda: status("/health/ready") == 200)
        wait_for("the import", lambda: has(row, "done"), 600)
    assert Location.objects.count() == ROWS
    assert row.found["counts"] == {"new": ROWS}
    for name, pid in programs.items():
        assert family(pid), f"{name} has ended"
        assert at.processes[name].poll() is None, f"{name} has ended"


def main() -> None:
    os.environ |= {"MUSTER_RECONCILE_SECONDS": "2"}
    with stage() as at:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        drill(at)
    sys.stdout.write("all of it ended as it was asked for\n")


if __name__ == "__main__":
    main()
