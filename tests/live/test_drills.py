"""Each part of the portal is killed in the middle of its work: the end is right without anybody's help.

Pushes to all devices, a command for all, the import of a table and a change of a gateway are under
way together. Whatever dies, all of it ends as it was asked for, within ``SECONDS``, and nothing
is done twice; meanwhile the health of the portal tells the truth.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests import factories
from tests.live.conftest import Portal, eventually
from tests.live.test_main_job import processes

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        os.environ.get("DATABASE_URL", "").startswith("postgis:"),
        reason="it is tried on SQLite, where all of it waits for one writer",
    ),
]
SECONDS = 240
ROWS = 120
# How a part is found among the processes.
PARTS: dict[str, tuple[str, ...]] = {
    "worker": ("celery", "worker"),
    "beat": ("celery", "beat"),
    "web": ("granian",),
    "redis": (),
}
numbers = count(1)


@dataclass
class Work:
    """Work of several kinds that was begun together."""

    portal: Portal
    name: str
    batch: str = ""
    change: str = ""

    @property
    def v1(self) -> str:
        return f"{self.portal.url}/api/v1"

    def begin(self) -> None:
        portal = self.portal
        template = portal.template("Welcome")
        portal.shell(IMPORT.format(name=self.name, rows=ROWS))
        self.change = self.stage()
        self.wait_for_preview()
        answer = portal.api.patch(
            f"template/{template['id']}/",
            json={"config": factories.a_file(f"{self.name} on {{{{ name }}}}\n")},
        )
        assert answer.status_code == 200, answer.text
        devices = portal.devices()
        asked = {
            "organization": devices[0]["organization"], "type": "custom",
            "input": {"command": f'echo {self.name} >>"$MUSTER_ROOT/var/{self.name}"; sleep 2'},
            "devices": [one["id"] for one in devices],
        }  # fmt: skip
        made = portal.api.post("command-batch/", json=asked)
        assert made.status_code == 201, made.text
        self.batch = made.json()["id"]
        applied = portal.api.post(
            f"{self.v1}/gateway-vpn/changes/{self.change}/apply",
            json={"force": True, "not_before": None},
        )
        assert applied.status_code < 500, applied.text

    def stage(self) -> str:
        api = self.portal.api
        found = api.get(f"{self.v1}/gateways/?search=mikrotik").json()["items"]
        staged = api.post(
            f"{self.v1}/gateway-mikrotik-dns/{found[0]['id']}/changes/mikrotik.dns.static"
            "?operation=create",
            json={"payload": {"name": f"{self.name}.example.org", "address": "192.0.2.7"}},
        )
        assert staged.status_code == 201, staged.text
        return str(staged.json()["id"])

    def wait_for_preview(self) -> None:
        eventually("the table is previewed", lambda: self.imported() == "ready 0")
        self.portal.shell(CONFIRM.format(name=self.name))

    def imported(self) -> str:
        return self.portal.shell(IMPORTED.format(name=self.name)).strip()

    def ends(self) -> None:
        """Wait for the end of everything, and see that it is right."""
        portal = self.portal
        eventually(
            "each device has the new file",
            lambda: all(
                portal.file(number, "etc/motd").read_text().startswith(self.name)
                for number in range(5)
            ),
            seconds=SECONDS,
        )
        eventually("the portal shows it applied", portal.all_applied, seconds=SECONDS)
        eventually("no command is open", self.commands_ended, seconds=SECONDS)
        for number in range(5):
            log = portal.file(number, f"var/{self.name}")
            assert not log.exists() or log.read_text() == f"{self.name}\n", "it ran twice"
        eventually(
            "the table is imported",
            lambda: self.imported() == f"done {ROWS}",
            seconds=SECONDS,
        )
        eventually("the change is applied", self.applied, seconds=SECONDS)
        eventually(
            "the portal is ready",
            lambda: portal.api.get(f"{portal.url}/health/ready").status_code == 200,
            seconds=SECONDS,
        )

    def commands_ended(self) -> bool:
        shown = self.portal.api.get(f"command-batch/{self.batch}/").json()
        return bool(shown["done"] == shown["total"])

    def applied(self) -> bool:
        shown = self.portal.api.get(f"{self.v1}/gateway-vpn/changes/{self.change}").json()
        return bool(shown["status"] == "applied")


IMPORT = """
from controller.accounts.models import Organization, User
from controller.accounts.rules import table_imports
slug = Organization.objects.order_by("created").first().slug
lines = [f"{name} {{n}},{{slug}},outdoor,5,60" for n in range({rows})]
data = chr(10).join(["name,organization,type,longitude,latitude", *lines]).encode()
root = User.objects.filter(is_superuser=True).order_by("date_joined").first()
table_imports.start(root, target="geo.location", name="{name}", data=data)
"""
CONFIRM = """
from controller.accounts.models import TableImport
from controller.accounts.rules import table_imports
table_imports.confirm(TableImport.objects.get(name="{name}"))
"""
IMPORTED = """
from controller.accounts.models import TableImport
from geo.models import Location
row = TableImport.objects.get(name="{name}")
print(row.state, Location.objects.filter(name__startswith="{name} ").count())
"""


@pytest.fixture
def work(applied: Portal) -> Work:
    return Work(applied, f"drill{next(numbers)}")


def running(portal: Portal, part: str) -> list[int]:
    """Return the pids of a part of the portal."""
    if part != "redis":
        return processes(portal, *PARTS[part])
    # Redis writes its title over its environment: it is found by the socket that workers use.
    worker = next(iter(processes(portal, *PARTS["beat"])), None)
    if worker is None:
        return []
    environment = Path(f"/proc/{worker}/environ").read_bytes().decode().split("\0")
    (socket,) = (
        one.removeprefix("REDIS_URL=unix://")
        for one in environment
        if one.startswith("REDIS_URL=")
    )
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = command.read_bytes().decode()
            if "redis-server" in line and socket in line:
                found.append(int(command.parent.name))
    return found


def kill(portal: Portal, part: str) -> None:
    found = running(portal, part)
    assert found, f"{part} does not run"
    for pid in found:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("part", PARTS)
def test_whatever_dies_in_the_middle_the_end_is_right(work: Work, part: str) -> None:
    work.begin()
    kill(work.portal, part)
    came_back: Callable[[], bool] = lambda: bool(running(work.portal, part))  # noqa: E731
    eventually(f"{part} is back", came_back, seconds=SECONDS)
    eventually("the portal answers", lambda: answers(work.portal), seconds=SECONDS)
    work.ends()


def answers(portal: Portal) -> bool:
    try:
        return portal.api.get("device/").status_code == 200
    except httpx.HTTPError:
        return False
