"""The unmodified balena-cli and the SDKs of npm and PyPI against the portal."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token
from controller.devices.models import Device
from supervisor_proxy.models import Supervisor, SupervisorBatch
from supervisor_proxy.rules.presence import record_presence
from tests import clients, factories
from tests.fleet.balena import BalenaSupervisor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
GO = {"Data": "OK", "Error": None}
Call = Callable[..., Any]
HERE = Path(__file__).parent


@pytest.fixture
def row(balena: BalenaSupervisor, organization: Organization) -> Supervisor:
    return factories.supervisor(balena, organization)


@pytest.fixture
def token(admin: User) -> str:
    return issue_token(admin, name="client")


def outcomes(command: list[Any], given: Any, **environment: str) -> list[dict[str, Any]]:
    """Run a program with this as JSON on stdin. Returns the JSON that it writes."""
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=False,
        env=os.environ | environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def sdk(live_server: Any, token: str, tmp_path: Path) -> Call:
    command = [clients.node(), HERE / "client.mjs", clients.folder(), tmp_path]
    return lambda *calls: outcomes(
        command, {"url": live_server.url, "token": token, "calls": calls}
    )


@pytest.fixture
def pysdk(live_server: Any, token: str) -> Call:
    command = [clients.python("balena"), HERE / "pysdk.py", live_server.url, token]
    return lambda *calls: outcomes(command, calls)


@pytest.fixture
def cli(live_server: Any, tmp_path: Path) -> Call:
    command = [clients.node(), HERE / "cli.cjs", clients.folder()]
    # It asks its maker for nothing.
    environment = dict.fromkeys(
        ("BALENARC_NO_SENTRY", "BALENARC_NO_ANALYTICS", "BALENARC_UNSUPPORTED", "NO_COLOR"), "1"
    ) | {
        "BALENARC_API_URL": live_server.url,
        "BALENARC_DATA_DIRECTORY": str(tmp_path),
        "HOME": str(tmp_path),
    }
    return lambda *commands: outcomes(
        command, [command.split() for command in commands], **environment
    )


@pytest.fixture
def online(row: Supervisor) -> Supervisor:
    record_presence(row.device)
    return row


def test_the_command_line_knows_its_user_and_lists_devices_and_fleets(
    cli: Call, token: str, online: Supervisor
) -> None:
    uuid = online.uuid
    login, whoami, devices, device, fleets, fleet = cli(
        f"login --token {token}", "whoami", "device list --json", f"device {uuid}",
        "fleet list --json", "fleet muster/app-42",
    )  # fmt: skip
    done = (login, whoami, devices, device, fleets, fleet)
    assert {one["code"] for one in done} == {0}, done
    assert "Successfully logged in" in login["stdout"]
    assert "USERNAME" in whoami["stdout"]
    (listed,) = json.loads(devices["stdout"])
    assert (listed["uuid"], listed["fleet"], listed["is_online"]) == (
        uuid,
        "muster/app-42",
        True,
    )
    assert "muster/app-42" in device["stdout"]
    (counted,) = json.loads(fleets["stdout"])
    assert (counted["slug"], counted["device_count"], counted["online_devices"]) == (
        "muster/app-42", 1, 1,
    )  # fmt: skip
    assert "app-42" in fleet["stdout"]


def test_the_command_line_acts_on_a_device(
    cli: Call, token: str, balena: BalenaSupervisor, online: Supervisor
) -> None:
    uuid = online.uuid
    done = cli(
        f"login --token {token}", f"device identify {uuid}", f"device restart {uuid}",
        f"device restart {uuid} --service main", f"device stop-service {uuid} main",
        f"device start-service {uuid} main", f"device purge {uuid}",
        f"device local-mode {uuid} --status", f"device rename {uuid} garage",
        f"device note by-the-door --device {uuid}", "fleet restart muster/app-42",
        "fleet purge muster/app-42", f"device reboot {uuid}", f"device shutdown {uuid}",
    )  # fmt: skip
    assert {one["code"] for one in done} == {0}, done
    assert done[7]["stdout"].strip() == "false"
    acted = [path for method, path in balena.paths if method == "POST"]
    assert acted == [
        "/v1/blink", "/v1/restart", "/v2/applications/42/restart-service",
        "/v2/applications/42/stop-service", "/v2/applications/42/start-service", "/v1/purge",
        "/v1/restart", "/v1/purge", "/v1/reboot", "/v1/shutdown",
    ]  # fmt: skip
    device = Device.objects.get()
    assert (device.name, device.notes) == ("garage", "by-the-door")


def test_the_command_line_is_told_what_there_is_not(
    cli: Call, token: str, online: Supervisor
) -> None:
    _, service, releases, logs, unknown = cli(
        f"login --token {token}", f"device restart {online.uuid} --service nothing",
        "release list muster/app-42", f"device logs {online.uuid}", f"device {'ab' * 16}",
    )  # fmt: skip
    assert {one["code"] for one in (service, releases, logs, unknown)} == {1}
    assert "This portal has no release" in releases["stderr"]
    assert "not found" in unknown["stderr"].lower()


def test_the_sdk_of_python_makes_its_calls(
    pysdk: Call, balena: BalenaSupervisor, online: Supervisor
) -> None:
    uuid = online.uuid
    calls: dict[str, Any] = {
        "device.ping": None, "device.identify": None, "device.restart_application": None,
        "device.purge": None, "device.update": None, "device.reboot": None,
    }  # fmt: skip
    me, signed_in, row, rows, state, is_online, name, *done = pysdk(
        ["auth.whoami"], ["auth.is_logged_in"], ["device.get", uuid], ["device.get_all"],
        ["device.get_supervisor_state", uuid], ["device.is_online", uuid],
        ["device.get_name", uuid], ["device.start_service", uuid, 555],
        ["device.stop_service", uuid, 555], ["device.restart_service", uuid, 555],
        *([call, uuid] for call in calls),
    )  # fmt: skip
    assert not [one for one in done if "error" in one], done
    assert signed_in == {"value": True}
    assert me["value"]
    assert (row["value"]["uuid"], len(rows["value"])) == (uuid, 1)
    assert state["value"]["supervisor_version"] == "19.0.5"
    assert (is_online["value"], name["value"]) == (True, online.device.name)
    assert [path for method, path in balena.paths if path not in {"/v1/device"}] == [
        "/v2/applications/42/start-service", "/v2/applications/42/stop-service",
        "/v2/applications/42/restart-service", "/ping", "/v1/blink", "/v1/restart", "/v1/purge",
        "/v1/update", "/v1/reboot",
    ]  # fmt: skip


def test_the_sdk_of_npm_looks_up_services_releases_and_presence(
    sdk: Call, online: Supervisor
) -> None:
    uuid = online.uuid
    wanted = (
        "isOnline", "getName", "getStatus", "getProgress", "getApplicationName", "hasDeviceUrl",
        "isTrackingApplicationRelease", "getWithServiceDetails", "isInLocalMode", "has",
    )  # fmt: skip
    found = dict(zip(wanted, sdk(*(("device", name, uuid) for name in wanted)), strict=True))
    details = found.pop("getWithServiceDetails")["value"]
    (service,) = details["current_services_by_app"]["muster/app-42"]["main"]
    assert (service["image_id"], service["commit"]) == (555, "abc")
    assert {name: one.get("value", one) for name, one in found.items()} == {
        "isOnline": True, "getName": online.device.name, "getStatus": "idle",
        "getProgress": None, "getApplicationName": "app-42", "hasDeviceUrl": False,
        "isTrackingApplicationRelease": True, "isInLocalMode": False, "has": True,
    }  # fmt: skip


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
    one, unknown = sdk(
        ("application", "reboot", 42),
        ("device", "ping", 999_999),
    )
    assert one == {"value": None}
    assert unknown["error"] == "BalenaDeviceNotFound"
    factories.supervisor(run("18.1.0"), row.device.organization)
    assert sdk(("application", "reboot", 42)) == [{"value": None}]
    assert SupervisorBatch.objects.counted().get().succeeded == 2
    Supervisor.objects.filter(pk=row.pk).update(port=9)
    (away,) = sdk(("device", "reboot", row.pk))
    assert away["status"] == 503
    assert "nothing was done there" in away["message"]
