"""Comparison with OpenWISP 1.3.2: ``python -m benchmarks.compare_openwisp``.

OpenWISP is installed from PyPI into ``var/openwisp`` and served by gunicorn with two
workers and persistent database connections, its best setting; Muster by script/server's web
server with two workers. Both use a database in the same PostgreSQL with the same fleet
(1,000 devices, or the given number), and are measured in turn over fresh connections.
Absolute rates depend on other load on the machine; CPU milliseconds per request, of web
processes and PostgreSQL together, are stable. Pushes over SSH are measured with up to 100
devices only: with more, OpenWISP's worker first has a task of three seconds for each
device.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.portal import connected, motd, rotate, seed
from benchmarks.stage import (
    ROOT,
    Stage,
    as_postgres,
    listens,
    postgres_tools,
    stage,
    wait_for,
    wrk,
)
from tests.fleet.ports import free_port

PACKAGES = (
    "openwisp-controller==1.3.2",
    "gunicorn==27.*",
    "django-redis==6.*",
    "psycopg[binary]==3.3.*",
)
THEIR_BIN = ROOT / "var/openwisp/bin"
SETTINGS = "benchmarks.openwisp.settings"
OUR_PUSHES, THEIR_PUSHES = 50, 10
PATIENCE = 1200
# Timeout of a template change; OpenWISP stores nothing before its end.
CHANGE_SECONDS = 240
FEW = 100


@dataclass
class Side:
    """One of the two systems, with its address and the ids of its rows."""

    at: Stage
    url: str
    web: str
    worker: str
    devices: list[list[str]]
    token: str
    template: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def install() -> None:
    if not (THEIR_BIN / "gunicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", THEIR_BIN.parent], check=True)
        subprocess.run([THEIR_BIN / "pip", "install", "-q", *PACKAGES], check=True)


def theirs(at: Stage, count: int) -> Side:
    """Return OpenWISP with its database, fleet and web server."""
    environment = os.environ | {
        "BENCH_FOLDER": str(at.folder),
        "DJANGO_SETTINGS_MODULE": SETTINGS,
    }
    as_postgres(postgres_tools() / "createdb", "-h", at.folder, "-U", "muster", "openwisp")
    as_postgres(
        "psql",
        "-q",
        "-h",
        at.folder,
        "-U",
        "muster",
        "-c",
        "CREATE EXTENSION postgis",
        "openwisp",
    )

    def run(*words: str) -> str:
        command = [THEIR_BIN / "python", "-m", *words]
        done = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run("django", "migrate", "-v", "0")
    rows = json.loads(run("benchmarks.openwisp.seed", str(count)).splitlines()[-1])
    port = free_port()
    os.environ["BENCH_FOLDER"] = str(at.folder)
    at.run("gunicorn", THEIR_BIN / "gunicorn", "-w", "2", "-k", "sync", "-b", f"127.0.0.1:{port}",
           "benchmarks.openwisp.wsgi")  # fmt: skip
    wait_for("gunicorn", lambda: listens(port))
    return Side(at, f"http://127.0.0.1:{port}", "gunicorn", "their-worker", rows["devices"],
                rows["token"], rows["template"])  # fmt: skip


def ours(at: Stage, count: int) -> Side:
    from django.core.management import call_command
    from django.db.models import F

    from controller.configs.models import Config
    from controller.configs.rules.agent_cache import publish_checksums
    from geo.models import DeviceLocation, Location

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    devices, token, template = seed(count)
    locations = Location.objects.bulk_create(
        [
            Location(organization=template.organization, name=f"site-{number:05}",
                     type="outdoor", geometry=point(number))
            for number in range(count // 5)
        ],
        batch_size=500,
    )  # fmt: skip
    DeviceLocation.objects.bulk_create(
        [
            DeviceLocation(device=device, location=locations[number // 5])
            for number, device in enumerate(devices[: 5 * len(locations)])
        ],
        batch_size=500,
    )
    # As in OpenWISP's fleet, every device is up to date and has polled before.
    Config.objects.update(applied=F("desired"), served=F("desired"))
    publish_checksums(Config.objects.values_list("pk", flat=True))
    at.start_web()
    return Side(at, at.url, "web", "worker", [[row.pk.hex, row.key, ""] for row in devices],
                token, str(template.pk))  # fmt: skip


def point(number: int) -> Any:
    from django.contrib.gis.geos import Point

    return Point(number % 360 - 180, number % 170 - 85, srid=4326)


@dataclass
class Measured:
    per_second: float
    cpu_ms: float


class Table:
    def __init__(self) -> None:
        say(
            f"{'':26}{'Muster/s':>10}{'original/s':>12}{'ratio':>8}{'CPU ms':>9}{'original':>10}{'ratio':>8}"
        )

    def add(self, name: str, mine: Measured | None, other: Measured | None) -> None:
        if mine is None or other is None:
            return
        by_cpu = f"{other.cpu_ms / mine.cpu_ms:7.1f}x" if mine.cpu_ms and other.cpu_ms else ""
        say(
            f"{name:26}{mine.per_second:10.1f}{other.per_second:12.1f}"
            f"{mine.per_second / other.per_second:7.1f}x{mine.cpu_ms:9.2f}{other.cpu_ms:10.2f}{by_cpu}"
        )


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


# --- requests

Script = Callable[[Side], str]


def agents(verb: str) -> Script:
    return lambda side: posting_or_getting(side, verb)


def posting_or_getting(side: Side, verb: str) -> str:
    """Return a wrk script: an agent's request by each device, from its address."""
    rows = ",\n".join(
        f'{{"/controller/{verb}/{pk}/?key={key}", "key={key}&status=applied", "{address}"}}'
        for pk, key, address in side.devices
    )
    method = "POST" if verb == "report-status" else "GET"
    body = "row[2]" if method == "POST" else "nil"
    return (
        f"local rows = {{\n{rows}\n}}\nlocal at = 0\n"
        "request = function()\n  at = at % #rows + 1\n  local row = rows[at]\n"
        '  local headers = {["Connection"] = "close", ["X-Forwarded-For"] = row[3],\n'
        '    ["Content-Type"] = "application/x-www-form-urlencoded"}\n'
        f'  return wrk.format("{method}", row[1], headers, {body})\nend\n'
    )


def pages(path: str) -> Script:
    def script(side: Side) -> str:
        last = max(1, len(side.devices) // 100)
        return rotate([f"{path}&page={n}" for n in range(1, last + 1)], side.token)

    return script


def details(side: Side) -> str:
    return rotate(
        [f"/api/v1/controller/device/{as_uuid(row[0])}/" for row in side.devices], side.token
    )


def as_uuid(text: str) -> str:
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def features(side: Side) -> str:
    return rotate(["/api/v1/controller/location/geojson/?page_size=100"], side.token)


REQUESTS: tuple[tuple[str, Script], ...] = (
    ("checksum poll", agents("checksum")),
    ("config download", agents("download-config")),
    ("report-status", agents("report-status")),
    ("device list, 100 rows", pages("/api/v1/controller/device/?page_size=100")),
    ("device detail", details),
    ("GeoJSON, 100 features", features),
)


def by_wrk(side: Side, name: str, script: Script) -> Measured:
    lua = script(side)
    # Polls arrive in bursts: devices do not wait for each other.
    connections = 64 if name == "checksum poll" else 4
    # Warm up: one request per device, to fill the caches of both systems.
    wrk(side.url, seconds=4, script=lua, connections=connections)
    before = side.at.cpu(side.web) + side.at.cpu("postgres")
    run = wrk(side.url, script=lua, connections=connections)
    assert not run["bad"], f"{side.url}: {run}"
    spent = side.at.cpu(side.web) + side.at.cpu("postgres") - before
    return Measured(run["per_second"], 1000 * spent / run["requests"])


# --- template change


def our_checksums(_: Side) -> set[tuple[Any, ...]]:
    from controller.configs.models import Config

    return set(Config.objects.values_list("pk", "desired"))


def their_checksums(side: Side) -> set[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(
        host=str(side.at.folder), user="muster", dbname="openwisp"
    ) as database:
        return set(database.execute("SELECT id, checksum_db FROM config_config").fetchall())


def template_change(
    side: Side, checksums: Callable[[Side], set[tuple[Any, ...]]]
) -> Measured | None:
    """Measure a template change. Returns None on timeout."""
    import httpx

    from benchmarks.fleet import TEMPLATES

    before = checksums(side)
    cpu = side.at.cpu(side.worker) + side.at.cpu(side.web) + side.at.cpu("postgres")
    began = time.monotonic()
    config = TEMPLATES["system-base"] | {"general": {"timezone": "UTC"}}
    path = f"{side.url}/api/v1/controller/template/{side.template}/"
    httpx.patch(
        path, headers=side.bearer, json={"config": config}, timeout=60
    ).raise_for_status()
    first = seconds = 0.0
    while (left := before & (now := checksums(side))) and seconds < CHANGE_SECONDS:
        time.sleep(0.2)
        seconds = time.monotonic() - began
        if now - before and not first:
            first = seconds
    done = len(before) - len(left)
    say(
        f"  {side.web}: {done} of {len(before)} in {seconds:.1f} s, the first after {first:.1f} s"
    )
    spent = side.at.cpu(side.worker) + side.at.cpu(side.web) + side.at.cpu("postgres") - cpu
    return Measured(done / seconds, 1000 * spent / done) if done else None


# --- pushes over SSH


@contextmanager
def our_fleet(side: Side) -> Iterator[Callable[[], Measured]]:
    """Provide devices for our pushes: files, hooks, confirmation."""
    from controller.accounts.models import Organization
    from controller.configs.models import Backend, Config
    from controller.configs.rules.templates import create_template, update_template
    from tests.fleet.ssh import Fleet

    organization = Organization.objects.create(name="ssh", slug="ssh")
    configs = Config.objects.filter(device__organization=organization)
    with Fleet(OUR_PUSHES, side.at.folder / "fleet") as fleet:
        connected(organization, fleet)
        template = create_template(
            organization=organization, name="motd", backend=Backend.OPENWRT, required=True,
            config=motd(0),
        )  # fmt: skip

        def push() -> Measured:
            cpu, began = side.at.cpu(side.worker), time.monotonic()
            update_template(template, config=motd(int(began)))
            while configs.stale().exists() or configs.exclude(status="applied").exists():
                assert time.monotonic() - began < PATIENCE
                time.sleep(0.05)
            seconds = time.monotonic() - began
            return Measured(
                OUR_PUSHES / seconds, 1000 * (side.at.cpu(side.worker) - cpu) / OUR_PUSHES
            )

        yield push


@contextmanager
def their_fleet(side: Side) -> Iterator[Callable[[], Measured]]:
    """Provide devices for OpenWISP's pushes: a signal to an agent that does nothing."""
    from tests.fleet.ssh import SshDevice

    agent = 'ForceCommand case "$SSH_ORIGINAL_COMMAND" in *--version*) echo openwisp-config 1.1.0;; esac'
    with SshDevice(side.at.folder / "their-device", options=[agent]) as device:
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS}
        facts = {"port": device.port, "username": device.username,
                 "key": device.private_key, "count": THEIR_PUSHES}  # fmt: skip
        subprocess.run(
            [THEIR_BIN / "python", "-m", "benchmarks.openwisp.connections"], cwd=ROOT,
            env=environment, input=json.dumps(facts), text=True, check=True,
        )  # fmt: skip

        def push() -> Measured:
            done = device.log.count("Accepted publickey")
            cpu, began = side.at.cpu(side.worker), time.monotonic()
            subprocess.run(
                [THEIR_BIN / "python", "-m", "benchmarks.openwisp.connections", "change"],
                cwd=ROOT, env=environment, check=True, input=json.dumps(facts), text=True,
            )  # fmt: skip
            while device.log.count("Accepted publickey") < done + THEIR_PUSHES:
                assert time.monotonic() - began < PATIENCE, device.log[-500:]
                time.sleep(0.1)
            seconds = time.monotonic() - began
            return Measured(
                THEIR_PUSHES / seconds, 1000 * (side.at.cpu(side.worker) - cpu) / THEIR_PUSHES
            )

        yield push


def start_workers(at: Stage) -> None:
    at.start_worker()
    at.run("their-worker", THEIR_BIN / "celery", "-A", "benchmarks.openwisp.tasks", "worker",
           "-c", "2", "-Q", "celery,config,network", "-l", "INFO")  # fmt: skip
    at.wait_for_worker("their-worker")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    install()
    with stage() as at:
        import django

        django.setup()
        mine, other = ours(at, count), theirs(at, count)
        table = Table()
        for name, script in REQUESTS:
            table.add(name, by_wrk(mine, name, script), by_wrk(other, name, script))
        memory = at.memory("web"), at.memory("gunicorn")
        start_workers(at)
        table.add("template change, devices",
                  template_change(mine, our_checksums), template_change(other, their_checksums))  # fmt: skip
        say(f"MiB of the largest process: web {memory[0]} and {memory[1]}, "
            f"worker {at.memory('worker')} and {at.memory('their-worker')}")  # fmt: skip
        if count <= FEW:
            pushes(at, mine, other, table)


def pushes(at: Stage, mine: Side, other: Side, table: Table) -> None:
    # The change leaves OpenWISP a queue of tasks, one per device, to work off first.
    at.stop("their-worker")
    subprocess.run(["redis-cli", "-s", at.folder / "redis.sock", "-n", "1", "flushdb"],
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    at.stop("worker")
    start_workers(at)
    with our_fleet(mine) as push:
        push()
        my_pushes = push()
    with their_fleet(other) as push:
        table.add("SSH push", my_pushes, push())


if __name__ == "__main__":
    main()
