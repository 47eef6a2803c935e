"""The unmodified balena-sdk from npm against the portal."""

import fcntl
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token
from supervisor_proxy.models import Supervisor, SupervisorBatch
from tests import factories
from tests.fleet.balena import BalenaSupervisor
from tests.programs import works

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not works("npm", "--version"), reason="needs node and npm"),
]
# The newest version for Node 20.
SDK = "balena-sdk@22.4.9"
GO = {"Data": "OK", "Error": None}
Call = Callable[..., Any]


@pytest.fixture(scope="session")
def installed() -> Path:
    """Install the SDK into a folder that is kept between runs, as it is large."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "muster" / SDK
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache / "done").exists():
            subprocess.run(
                ["npm", "install", "--prefix", cache, "--ignore-scripts", "--no-audit",
                 "--no-fund", "--silent", SDK],
                check=True,
            )  # fmt: skip
            (cache / "done").touch()
    return cache


@pytest.fixture
def row(balena: BalenaSupervisor, organization: Organization) -> Supervisor:
    return factories.supervisor(balena, organization)


@pytest.fixture
def sdk(installed: Path, live_server: Any, admin: User, tmp_path: Path) -> Call:
    token = issue_token(admin, name="sdk")

    def run(*calls: tuple[Any, ...]) -> list[dict[str, Any]]:
        given = {"url": live_server.url, "token": token, "calls": calls}
        done = subprocess.run(
            ["node", Path(__file__).with_name("client.mjs"), installed, tmp_path],
            input=json.dumps(given), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    return run


@pytest.mark.parametrize("name", ["pk", "uuid"])
def test_every_call_of_a_device_by_number_and_by_uuid(
    sdk: Call, balena: BalenaSupervisor, row: Supervisor, name: str
) -> None:
    device = getattr(row, name)
    calls = {
        "ping": None,
        "identify": None,
        "restartApplication": "OK",
        "reboot": GO,
        "shutdown": None,
        "purge": None,
        "update": None,
    }
    results = sdk(*(("device", method, device) for method in calls))
    assert results == [{"value": wanted} for wanted in calls.values()], results
    assert balena.paths == [
        ("GET", "/ping"), ("POST", "/v1/blink"), ("POST", "/v1/restart"), ("POST", "/v1/reboot"),
        ("POST", "/v1/shutdown"), ("POST", "/v1/purge"), ("POST", "/v1/update"),
    ]  # fmt: skip


def test_the_state_and_services_of_a_device(
    sdk: Call, balena: BalenaSupervisor, row: Supervisor
) -> None:
    for device in (row.pk, row.uuid):
        state, *services = sdk(
            ("device", "getSupervisorState", device),
            ("device", "stopService", device, 555),
            ("device", "startService", device, 555),
            ("device", "restartService", device, 555),
        )
        assert state["value"]["supervisor_version"] == "19.0.5"
        assert not [one for one in services if "error" in one]
        assert balena.requests[-1].data == {"appId": 42, "imageId": 555}
        assert balena.paths[-1] == ("POST", "/v2/applications/42/restart-service")


def test_locks_are_its_own_kind_of_error_and_are_overridden(
    sdk: Call, balena: BalenaSupervisor, row: Supervisor
) -> None:
    balena.locked = True
    locked = sdk(
        ("device", "restartApplication", row.pk),
        ("device", "reboot", row.uuid),
        ("device", "shutdown", row.pk),
        ("device", "purge", row.pk),
        ("device", "stopService", row.pk, 555),
        ("application", "purge", 42),
    )
    assert {one.get("error") for one in locked} == {"BalenaSupervisorLockedError"}, locked
    assert sdk(("device", "reboot", row.pk, {"force": True})) == [{"value": GO}]


def test_devices_of_an_application_and_the_portals_errors_in_words(
    sdk: Call, run: Any, balena: BalenaSupervisor, row: Supervisor
) -> None:
    one, short, unknown = sdk(
        ("application", "reboot", 42),
        ("device", "ping", row.uuid[:7]),
        ("device", "ping", 999_999),
    )
    assert one == {"value": None}
    assert "error" not in short
    assert unknown["error"] == "BalenaDeviceNotFound"
    factories.supervisor(run("18.1.0"), row.device.organization)
    assert sdk(("application", "reboot", 42)) == [{"value": None}]
    assert SupervisorBatch.objects.counted().get().succeeded == 2
    Supervisor.objects.filter(pk=row.pk).update(port=9)
    (away,) = sdk(("device", "reboot", row.pk))
    assert away["status"] == 503
    assert "nothing was done there" in away["message"]
