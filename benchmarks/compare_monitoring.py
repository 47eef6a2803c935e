"""Comparison with OpenWISP Monitoring 1.3: ``python -m benchmarks.compare_monitoring [reports]``.

OpenWISP Monitoring is installed from PyPI into a folder beside the project's, and served by
gunicorn with a Celery worker and InfluxDB 1.x (Debian's package ``influxdb``); Muster by its own
web server. Both have PostgreSQL and Redis. The same devices send the same reports as their agent
does, the original ten times fewer, and then one device's charts are read. CPU is that of all
processes of a side: web, worker, database, InfluxDB; Redis is shared, and counted for
whoever is measured.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.monitoring import PAYLOAD, grown
from benchmarks.stage import ROOT, Stage, as_postgres, listens, postgres_tools, stage, wait_for
from tests.fleet.ports import free_port

PACKAGES = (
    "openwisp-monitoring==1.3",
    "openwisp-controller==1.3.2",
    "gunicorn==27.*",
    "django-redis==6.*",
    "psycopg[binary]==3.3.*",
)
# Outside of the project: its packages are no part of it.
THEIR_BIN = Path(os.environ.get("BENCH_OPENWISP", ROOT.parent / "openwisp-monitoring")) / "bin"
SETTINGS = "benchmarks.openwisp.monitoring"
DEVICES = 20
FEWER = 10
READS = 10
# Of each kind, so that all of them lie in eight hours.
MOST_ROUNDS = 40
QUEUES = ("celery", "config", "network", "monitoring", "monitoring_checks")
INFLUXDB = """
reporting-disabled = true
bind-address = "127.0.0.1:{inner}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""


@dataclass
class Side:
    """One of the two systems, with its processes and the ids and keys of its devices."""

    at: Stage
    port: int
    processes: tuple[str, ...]
    devices: list[tuple[str, str]]
    finished: Callable[[], bool]

    def cpu(self) -> float:
        return sum(self.at.cpu(name) for name in (*self.processes, "postgres", "redis"))


def install() -> None:
    if not (THEIR_BIN / "gunicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", THEIR_BIN.parent], check=True)
        subprocess.run([THEIR_BIN / "pip", "install", "-q", *PACKAGES], check=True)


def start_influxdb(at: Stage) -> int:
    folder, port = at.folder / "influxdb", free_port()
    folder.mkdir()
    file = folder / "influxdb.conf"
    file.write_text(INFLUXDB.format(folder=folder, port=port, inner=free_port()))
    at.run("influxdb", "influxd", "-config", file)
    wait_for("InfluxDB", lambda: listens(port))
    return port


def theirs(at: Stage) -> Side:
    """Return OpenWISP Monitoring with its database, InfluxDB, web server and worker."""
    influxdb, port = start_influxdb(at), free_port()
    os.environ |= {
        "BENCH_FOLDER": str(at.folder), "BENCH_OPENWISP_SETTINGS": SETTINGS,
        "BENCH_INFLUXDB_PORT": str(influxdb),
    }  # fmt: skip
    reach = ("-h", str(at.folder), "-U", "muster")
    as_postgres(postgres_tools() / "createdb", *reach, "openwisp")
    as_postgres("psql", "-q", *reach, "-c", "CREATE EXTENSION postgis", "openwisp")
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS}

    def run(*words: str) -> str:
        done = subprocess.run(
            [THEIR_BIN / "python", "-m", *words],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run("django", "migrate", "-v", "0")
    rows = json.loads(run("benchmarks.openwisp.seed", str(DEVICES)).splitlines()[-1])
    at.run("gunicorn", THEIR_BIN / "gunicorn", "-w", "2", "-k", "sync", "-b", f"127.0.0.1:{port}",
           "benchmarks.openwisp.wsgi")  # fmt: skip
    wait_for("gunicorn", lambda: listens(port))
    at.run("their-worker", THEIR_BIN / "celery", "-A", "benchmarks.openwisp.tasks", "worker",
           "-c", "2", "-Q", ",".join(QUEUES), "-l", "INFO")  # fmt: skip
    at.wait_for_worker("their-worker")
    return Side(at, port, ("gunicorn", "their-worker", "influxdb"),
                [(pk, key) for pk, key, _ in rows["devices"]], lambda: not waiting(at))  # fmt: skip


def waiting(at: Stage) -> bool:
    """Return whether their worker has anything to do yet."""
    keys = subprocess.run(
        ["redis-cli", "-s", at.folder / "redis.sock", "-n", "1", "exists", *QUEUES, "unacked"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return keys.strip() not in {"0", "(integer) 0"}


def ours(at: Stage) -> Side:
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.portal import seed

    call_command("migrate", verbosity=0)
    devices, _, _ = seed(DEVICES)
    at.start_web()
    # What arrives is in the database before it is answered: nothing is left to a worker.
    return Side(at, at.port, ("web",), [(row.pk.hex, row.key) for row in devices], lambda: True)


def ask(side: Side, method: str, path: str, body: bytes | None = None) -> bytes:
    """Send one request over a connection of its own, as agents do."""
    connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=120)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    assert answer.status == 200, (answer.status, content[:500])
    return content


def send(side: Side, rounds: int, *, since: int = 0, at_once: int = 1) -> None:
    """Let every device send a report for each five minutes of the past, the oldest first."""
    for number in range(since, since + rounds):
        body = json.loads(PAYLOAD.read_text())
        content = grown(body, number)
        moment = datetime.fromtimestamp(START + 300 * number, UTC)
        when = moment.strftime("%d-%m-%Y_%H:%M:%S.000000")
        paths = [
            f"/api/v1/monitoring/device/{pk}/?key={key}&time={when}&current=true"
            for pk, key in side.devices
        ]
        with ThreadPoolExecutor(at_once) as pool:
            list(
                pool.map(lambda path, content=content: ask(side, "POST", path, content), paths)
            )
    deadline = time.monotonic() + 600
    while not side.finished() and time.monotonic() < deadline:
        time.sleep(0.5)


def spent(side: Side, work: Callable[[], None]) -> tuple[float, float]:
    """Return the CPU seconds of a side for some work, and how long it took."""
    before, began = side.cpu(), time.monotonic()
    work()
    return side.cpu() - before, time.monotonic() - began


def read(side: Side, range_: str) -> None:
    pk, key = side.devices[0]
    for _ in range(READS):
        found = json.loads(
            ask(side, "GET", f"/api/v1/monitoring/device/{pk}/?key={key}&time={range_}")
        )
        assert found["charts"]


def say(name: str, mine: float, other: float) -> None:
    sys.stdout.write(f"{name:44}{mine:10.2f}{other:12.2f}{other / mine:9.0f}x\n")
    sys.stdout.flush()


def compare(mine: Side, other: Side, reports: int) -> None:
    sys.stdout.write(f"{'CPU ms':44}{'Muster':>10}{'original':>12}{'ratio':>10}\n")
    rounds = min(max(reports // DEVICES, FEWER), MOST_ROUNDS)
    fewer = rounds // FEWER
    size = len(grown(json.loads(PAYLOAD.read_text()), 1))
    for side in (mine, other):
        send(side, 1)  # makes the rows of metrics, charts and series
    since = 1
    for at_once in (1, DEVICES):
        results = []
        for side, count in ((mine, rounds), (other, fewer)):
            work = partial(send, side, count, since=since, at_once=at_once)
            results.append(1000 * spent(side, work)[0] / (count * DEVICES))
        say(f"report of {size:,} bytes, {at_once} at once", *results)
        since += rounds
    for range_ in ("1d", "30d"):
        times = []
        for side in (mine, other):
            read(side, range_)
            seconds, took = spent(side, partial(read, side, range_))
            times.append((1000 * seconds / READS, 1000 * took / READS))
        say(f"all charts of a device, {range_}", times[0][0], times[1][0])
        say("the same, as time", times[0][1], times[1][1])


# All of the reports lie within the shortest range that is read.
START = int(time.time()) // 300 * 300 - 8 * 3600


def main() -> None:
    reports = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    install()
    with stage() as at:
        mine = ours(at)
        compare(mine, theirs(at), reports)


if __name__ == "__main__":
    main()
