"""The portal as users run it: script/server with web, worker, beat and Redis."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.chromium import chromium
from tests.fleet.ports import free_port
from tests.fleet.ssh import Fleet, SshDevice

__all__ = ["chromium"]

ROOT = Path(__file__).parents[2]
START_SECONDS = 900
PATIENCE_SECONDS = 120


def eventually(
    what: str, happened: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS
) -> Any:
    """Wait until the condition is truthy, and return its value."""
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.05)
    return found


@dataclass
class Portal:
    url: str
    folder: Path
    fleet: Fleet
    password: str = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    api: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        answer = httpx.post(
            f"{self.url}/api/v1/users/token/",
            data={"username": "admin", "password": self.password},
        )
        self.api = httpx.Client(
            base_url=f"{self.url}/api/v1/controller/",
            headers={"Authorization": f"Bearer {answer.json()['token']}"},
            timeout=30,
        )

    def devices(self) -> list[dict[str, Any]]:
        """Return the fleet's devices in the order of its folders."""
        rows: list[dict[str, Any]] = self.api.get("device/?page_size=100").json()["results"]
        return [row for row in rows[::-1] if row["name"].endswith("-gateway")]

    def statuses(self) -> list[str]:
        return [row["config"]["status"] for row in self.devices()]

    def detail(self, number: int) -> dict[str, Any]:
        row: dict[str, Any] = self.api.get(f"device/{self.devices()[number]['id']}/").json()
        return row

    def patch(self, number: int, config: dict[str, Any]) -> None:
        """Change one device's configuration."""
        url = f"device/{self.devices()[number]['id']}/"
        answer = self.api.patch(url, json={"config": {"config": config}})
        assert answer.status_code == 200, answer.text

    def template(self, name: str) -> dict[str, Any]:
        rows = self.api.get("template/").json()["results"]
        return next(row for row in rows if row["name"] == name)

    def all_applied(self) -> bool:
        return set(self.statuses()) == {"applied"}

    def file(self, number: int, path: str) -> Path:
        return self.device(number).root / path

    def device(self, number: int) -> SshDevice:
        return self.fleet.devices[number]

    def shell(self, code: str) -> str:
        return manage(self.environment, "shell", "-v", "0", "-c", code)


def manage(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "manage.py", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def database(folder: Path) -> Iterator[str]:
    """Create a database for the portal, separate from that of the tests."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgis:"):
        yield f"spatialite:///{folder}/muster.sqlite3"
        return
    name = f"live_{os.getpid()}_{folder.name}"
    server = url.replace("postgis:", "postgresql:")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield url.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order these tests: they share one demo, so each depends on earlier ones."""
    places = [at for at, item in enumerate(items) if item.get_closest_marker("live")]
    for at, item in zip(places, sorted((items[at] for at in places), key=place), strict=True):
        items[at] = item


def place(item: pytest.Item) -> tuple[str, int, list[int]]:
    """Return file, line and parameters of a test."""
    path, line, _ = item.location
    given = getattr(item, "callspec", None)
    return path, line or 0, list(given.indices.values()) if given else []


@pytest.fixture(scope="package")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("portal")
    databases = database(folder)
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": next(databases),
        "MUSTER_DATA_DIR": str(folder),
        "MUSTER_POLL_SECONDS": "2",
        "MUSTER_RECONCILE_SECONDS": "1",
        "MUSTER_CONFIRM_SECONDS": "3",
        # No rate limits: tests poll and log in more often than people.
        "MUSTER_REQUESTS_PER_MINUTE": "0",
        "MUSTER_REQUESTS_PER_SECOND": "0",
        "MUSTER_SIGN_INS_PER_MINUTE": "0",
        "MUSTER_TOKENS_PER_MINUTE": "0",
    }
    for name in ("REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "MUSTER_ENCRYPTION_KEYS"):
        environment.pop(name)
    output = folder / "server.log"
    with output.open("w") as out:
        server = subprocess.Popen(
            [ROOT / "script/server", "--port", str(port)],
            env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    fleet = None
    try:
        eventually(
            "script/server is ready", lambda: is_ready(server, output), seconds=START_SECONDS
        )
        (password,) = re.findall(r"with the password (\S+)", output.read_text())
        secrets = re.findall(r"export (\w+)=(\S+)", (folder / "secrets.env").read_text())
        fleet = Fleet(5, folder / "fleet")
        for device in fleet.devices:
            device.take_over()
        yield Portal(
            f"http://127.0.0.1:{port}", folder, fleet, password, environment | dict(secrets)
        )
    finally:
        if fleet is not None:
            fleet.stop()
        server.send_signal(signal.SIGTERM)
        server.wait()
        next(databases, None)


def is_ready(server: subprocess.Popen[bytes], output: Path) -> bool:
    assert server.poll() is None, output.read_text()
    return "stops everything" in output.read_text()


@pytest.fixture
def applied(portal: Portal) -> Portal:
    """Return the portal with every device online and applied."""
    for device in portal.fleet.devices:
        if not device.running:
            device.start()
    eventually("all devices are applied", portal.all_applied)
    return portal
