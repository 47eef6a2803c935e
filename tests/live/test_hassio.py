"""Home Assistant through a running portal: client, backups of gigabytes."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import clients
from tests.fleet.hassio import HassioSupervisor
from tests.fleet.http import BLOCK, Large, Supervisors
from tests.live.conftest import Portal, eventually

pytestmark = [pytest.mark.live, pytest.mark.once]
# Memory was first measured with MUSTER_BACKUP_BYTES=2147483648.
SIZE = int(os.environ.get("MUSTER_BACKUP_BYTES") or 256 * 1024 * 1024)
FLAT = 96 * 1024 * 1024


@pytest.fixture(scope="module")
def python() -> Path:
    return clients.python("aiohasupervisor")


@pytest.fixture
def home(applied: Portal) -> Iterator[Callable[[str], tuple[HassioSupervisor, str]]]:
    """Start a stand-in of this version. Returns it with its base URL in the portal."""
    made: list[Supervisors] = []
    rows: list[str] = []

    def home(version: str) -> tuple[HassioSupervisor, str]:
        device = HassioSupervisor(version)
        made.append(Supervisors(device).__enter__())
        owner = applied.devices()[len(made) - 1]["id"]
        body = {"device": owner, "flavor": "hassio", "address": device.host,
                "port": device.port, "key": device.key}  # fmt: skip
        answer = applied.api.post("supervisor/", json=body)
        assert answer.status_code == 201, answer.text
        rows.append(answer.json()["id"])
        return device, f"{applied.url}/api/v1/controller/device/{owner}/hassio"

    yield home
    for row in rows:
        applied.api.delete(f"supervisor/{row}/")
    for running in made:
        running.__exit__()


def test_the_unmodified_client_makes_its_main_calls(
    applied: Portal, home: Any, python: Path
) -> None:
    device, url = home("2026.08.0")
    token = applied.api.headers["authorization"].split()[1]
    script = Path(__file__).parents[1] / "dialects/hassio/client.py"
    done = subprocess.run(
        [python, script, url, token], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("no add-on") == "SupervisorNotFoundError: Addon nope does not exist"
    assert {name: said for name, said in found.items() if not said.startswith("ok")} == {}
    assert (device.hostname, device.stdin, device.addons["core_ssh"]) == (
        "garage",
        b"hi",
        "stopped",
    )
    assert device.uploaded == b"x" * 5000
    eventually("the backup is made by a worker", lambda: len(device.backups) == 2)


def memory(portal: Portal) -> dict[str, int]:
    """Return the peak memory of each portal process in bytes."""
    most = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            told = dict(line.split(":", 1) for line in status.read_text().splitlines())
            environment = status.with_name("environ").read_bytes()
        except OSError:
            continue
        if f"MUSTER_DATA_DIR={portal.folder}\0".encode() in environment and "VmHWM" in told:
            most[status.parent.name] = int(told["VmHWM"].split()[0]) * 1024
    return most


@pytest.mark.parametrize("version", ["195", "2026.08.0"])
def test_a_backup_goes_up_and_down_with_flat_memory(
    applied: Portal, home: Any, version: str, record_property: Any
) -> None:
    device, url = home(version)
    device.download_size = SIZE
    large = Large(SIZE)
    before = memory(applied)
    up = applied.api.post(
        f"{url}/snapshots/new/upload", content=large.blocks(), timeout=600,
        headers={"Content-Type": "application/tar", "Content-Length": str(SIZE)},
    )  # fmt: skip
    assert up.status_code == 200, up.text
    (sent,) = [one for one in device.requests if one.path.endswith("upload")]
    assert sent.size >= SIZE
    if device.is_old:
        assert sent.digest == large.digest
    down, size = hashlib.sha256(), 0
    with applied.api.stream(
        "GET", f"{url}/snapshots/{up.json()['data']['slug']}/download", timeout=600
    ) as answer:
        assert answer.headers["content-length"] == str(SIZE)
        for part in answer.iter_bytes(len(BLOCK)):
            size += len(part)
            down.update(part)
    assert (size, down.hexdigest()) == (SIZE, large.digest)
    assert before, "no process of the portal is seen"
    after = memory(applied)
    grown = max(after[pid] - before[pid] for pid in before if pid in after)
    record_property("memory_grown", grown)
    assert grown < FLAT, f"{grown} bytes more"


@pytest.fixture
def added_on(applied: Portal) -> Iterator[tuple[HassioSupervisor, str, int]]:
    """Start a device with a connected add-on. Returns stand-in, base URL and pid."""
    device = HassioSupervisor()
    owner = applied.detail(3)
    environment = os.environ | {
        "MUSTER_URL": applied.url, "MUSTER_KEY": owner["key"], "SUPERVISOR_TOKEN": device.key,
        "MUSTER_SUPERVISOR": f"{device.host}:{device.port}",
    }  # fmt: skip
    url = f"{applied.url}/api/v1/controller/device/{owner['id']}/hassio"
    with Supervisors(device):
        environment["MUSTER_SUPERVISOR"] = f"{device.host}:{device.port}"
        agent = Path(__file__).parents[2] / "agents/hassio/agent.py"
        program = subprocess.Popen([sys.executable, agent], env=environment)
        try:
            eventually("it is there", lambda: applied.api.get(f"{url}/info").status_code == 200)
            yield device, url, program.pid
        finally:
            program.terminate()
            program.wait()
    rows = applied.api.get(f"supervisor/?device={owner['id']}").json()["results"]
    applied.api.delete(f"supervisor/{rows[0]['id']}/")


def test_the_unmodified_client_reaches_a_device_whose_add_on_dialled_the_portal(
    applied: Portal, added_on: Any, python: Path
) -> None:
    device, url, _ = added_on
    token = applied.api.headers["authorization"].split()[1]
    script = Path(__file__).parents[1] / "dialects/hassio/client.py"

    done = subprocess.run(
        [python, script, url, token], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    assert found.pop("no add-on") == "SupervisorNotFoundError: Addon nope does not exist"
    assert {name: said for name, said in found.items() if not said.startswith("ok")} == {}
    assert (device.hostname, device.stdin) == ("garage", b"hi")
    assert device.uploaded == b"x" * 5000
    eventually("the backup is made by a worker", lambda: len(device.backups) >= 2)


def most_of(pid: int) -> int:
    told = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", told)[0]) * 1024


def test_backups_and_logs_go_through_the_add_on_part_by_part(
    applied: Portal, added_on: Any, record_property: Any
) -> None:
    device, url, pid = added_on
    size = SIZE // 4
    device.download_size, large = size, Large(size)
    before, own = memory(applied), most_of(pid)
    up = applied.api.post(
        f"{url}/backups/new/upload", content=large.blocks(), timeout=600,
        headers={"Content-Type": "application/tar", "Content-Length": str(size)},
    )  # fmt: skip
    assert up.status_code == 200, up.text
    (sent,) = [one for one in device.requests if one.path.endswith("upload")]
    assert sent.size > size
    down, come = hashlib.sha256(), 0
    where = f"{url}/backups/{up.json()['data']['slug']}/download"
    with applied.api.stream("GET", where, timeout=600) as answer:
        for part in answer.iter_bytes(len(BLOCK)):
            come += len(part)
            down.update(part)
    assert (come, down.hexdigest()) == (size, large.digest)
    after = memory(applied)
    grown = max(after[one] - before[one] for one in before if one in after)
    record_property("memory_grown", grown)
    record_property("add_on_grown", most_of(pid) - own)
    assert max(grown, most_of(pid) - own) < FLAT
    with applied.api.stream("GET", f"{url}/core/logs/follow", timeout=60) as answer:
        assert list(answer.iter_lines()) == ["one", "two"]


def test_an_add_on_that_has_gone_is_away_and_comes_back(applied: Portal, added_on: Any) -> None:
    _, url, pid = added_on
    os.kill(pid, signal.SIGTERM)

    def code() -> Any:
        answer = applied.api.get(f"{url}/info")
        return answer.status_code == 503 and answer.json()["error_key"]

    assert eventually("it is away", code) == "offline"
