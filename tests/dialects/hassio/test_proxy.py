"""Proxy of Home Assistant supervisors of 2020 and today, by the paths of both."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from controller.accounts.models import User
from controller.accounts.rules import issue_token
from supervisor_proxy.models import SupervisorCall
from supervisor_proxy.rules import call_execution, call_queue
from tests import factories
from tests.fleet import http as fleet

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(api: Any, admin: User) -> Callable[..., Any]:
    def ask(row: Any, method: str, path: str, *, user: User | None = None, **more: Any) -> Any:
        url = f"/api/v1/controller/device/{row.device_id}/hassio/{path}"
        return getattr(api(user or admin), method)(url, **more)

    return ask


def test_the_names_of_2020_and_of_today_reach_both(ask: Any, home: Any) -> None:
    for version, core, backups in (("195", "homeassistant", "snapshots"),
                                   ("2026.08.0", "core", "backups")):  # fmt: skip
        device, row = home(version)
        for path in ("homeassistant/info", "core/info"):
            data = ask(row, "get", path).json()["data"]
            assert data["last_version"] == data["version_latest"] == device.core_latest
            assert device.paths[-1] == ("GET", f"/{core}/info")
        for asked in ("snapshots", "backups"):
            assert ask(row, "get", asked).json()["data"] == {asked: []}
            assert device.paths[-1] == ("GET", f"/{backups}")


def test_paths_as_the_documentation_of_2020_writes_them(ask: Any, home: Any) -> None:
    device, row = home("195")
    assert ask(row, "post", "host/service/ssh.service/stop").status_code == 200
    assert device.paths[-1] == ("POST", "/host/services/ssh.service/stop")
    _, today = home("2026.08.0")
    gone = ask(today, "post", "host/service/ssh.service/stop")
    assert (gone.status_code, gone.json()["error_key"]) == (501, "unsupported_by_device")
    wrong = ask(row, "get", "supervisor/repair")
    assert wrong.status_code == 405
    assert wrong.json()["message"] == "/supervisor/repair is called with POST."


def test_installed_add_ons_are_told_in_the_words_of_2020(ask: Any, home: Any) -> None:
    _, row = home("2026.08.0")
    addons = ask(row, "get", "addons").json()["data"]["addons"]
    assert addons
    assert {one["installed"] for one in addons} == {one["version"] for one in addons}
    assert {one["last_version"] for one in addons} == {one["version_latest"] for one in addons}


def test_removing_a_backup_is_said_as_the_device_knows_it(ask: Any, home: Any) -> None:
    for version, sent in (("195", ("POST", "/snapshots/ab/remove")),
                          ("2026.08.0", ("DELETE", "/backups/ab"))):  # fmt: skip
        for method, path in (("post", "snapshots/ab/remove"), ("delete", "backups/ab")):
            device, row = home(version)
            device.backups["ab"] = {"slug": "ab"}
            assert ask(row, method, path).json() == {"result": "ok", "data": {}}
            assert device.paths[-1] == sent
            assert not device.backups


def test_an_unknown_version_is_asked_for_first(ask: Any, home: Any) -> None:
    device, row = home("195", version="")
    assert ask(row, "get", "core/info").status_code == 200
    assert device.paths == [("GET", "/info"), ("GET", "/homeassistant/info")]
    row.refresh_from_db()
    assert (row.version, row.key_state) == ("195", "good")


def test_a_script_of_2020_sends_the_portals_token_in_its_old_header(
    client: Any, admin: User, home: Any
) -> None:
    _, row = home()
    url = f"/api/v1/controller/device/{row.device_id}/hassio/info"
    token = issue_token(admin, name="script")
    assert client.get(url, headers={"X-HASSIO-KEY": token}).json()["result"] == "ok"
    for headers in ({"X-HASSIO-KEY": "wrong"}, {}):
        refused = client.get(url, headers=headers)
        assert refused.status_code == 401
        assert refused.json()["result"] == "error"


def test_a_device_that_refuses_the_portals_token_does_not_sign_the_caller_out(
    ask: Any, home: Any
) -> None:
    device, row = home()
    device.key = "another"
    answer = ask(row, "get", "info")
    assert answer.status_code == 502
    assert answer.json()["error_key"] == "device_unauthorized"
    row.refresh_from_db()
    assert row.key_state == "invalid"


def test_a_system_that_is_not_ready_is_to_be_asked_again(ask: Any, home: Any) -> None:
    device, row = home()
    device.state = "shutdown"
    answer = ask(row, "get", "info")
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert answer.json()["result"] == "error"


def test_secrets_of_add_ons_are_masked_but_for_who_may_see_them(ask: Any, home: Any) -> None:
    _, row = home()
    viewer = factories.user(row.device.organization, "viewer")
    shown = ask(row, "get", "addons/core_ssh/info", user=viewer).json()["data"]["options"]
    assert shown == {"logins": [{"password": "********"}], "port": 22}
    shown = ask(row, "get", "addons/core_ssh/info").json()["data"]["options"]
    assert shown["logins"] == [{"password": "hunter2"}]
    assert "hunter2" not in "".join(call.answer for call in SupervisorCall.objects.all())


def test_logs_pictures_and_stdin_are_what_they_are(ask: Any, home: Any) -> None:
    for version in ("195", "2026.08.0"):
        device, row = home(version)
        logs = ask(row, "get", "core/logs?lines=5")
        assert logs.content == b"09:00:00 INFO started\n"
        assert logs["Content-Type"].startswith("text/plain")
        assert ask(row, "get", "addons/core_ssh/icon")["Content-Type"] == "image/png"
        assert ask(row, "get", "addons/nope/icon").status_code == 502
        ask(row, "post", "addons/core_ssh/stdin", data=b"restart\n",
            content_type="application/octet-stream")  # fmt: skip
        assert device.stdin == b"restart\n"


def test_what_takes_long_is_a_job_of_the_portal(ask: Any, home: Any) -> None:
    device, row = home()
    started = ask(row, "post", "core/update").json()
    job = started["data"]["job_id"]
    assert ask(row, "get", f"jobs/{job}").json()["data"]["done"] is False
    call_queue.run_due()
    shown = ask(row, "get", f"jobs/{job}").json()["data"]
    assert (shown["done"], shown["errors"]) == (True, [])
    assert device.core == device.core_latest
    failed = ask(row, "post", "core/update").json()["data"]["job_id"]
    call_queue.run_due()
    assert ask(row, "get", f"jobs/{failed}").json()["data"]["errors"]


def test_a_log_is_followed_line_by_line_and_its_reader_is_recorded(ask: Any, home: Any) -> None:
    device, row = home()
    for path in ("core/logs/follow", "addons/core_ssh/logs/follow"):
        answer = ask(row, "get", path)
        assert answer["Content-Type"].startswith("text/plain")
        assert list(answer.streaming_content) == [b"one\n", b"two\n"]
    assert device.requests[-1].headers["accept"] == "text/plain"
    assert {call.state for call in SupervisorCall.objects.filter(path__endswith="follow")} == {
        "succeeded"
    }
    viewer = factories.user(row.device.organization, "viewer")
    assert ask(row, "get", "core/logs/follow", user=viewer).status_code == 403
    _, old = home("195")
    assert ask(old, "get", "core/logs/follow").status_code == 501


def test_networks_and_mounts_are_written_and_no_password_is_recorded(
    ask: Any, home: Any
) -> None:
    device, row = home()
    mount = {"name": "nas", "type": "cifs", "server": "10.0.0.2", "share": "b",
             "usage": "backup", "username": "u", "password": "hunter2"}  # fmt: skip
    assert ask(row, "post", "mounts", data=mount, format="json").status_code == 200
    assert device.mounts["nas"] == mount
    assert ask(row, "put", "mounts/nas", data=mount, format="json").status_code == 200
    assert ask(row, "delete", "mounts/nas").status_code == 200
    wifi = {"wifi": {"ssid": "x", "psk": "hunter2"}, "password": "hunter2"}
    done = ask(row, "post", "network/interface/wlan0/update", data=wifi, format="json")
    assert done.status_code == 200
    assert "hunter2" not in str([call.asked for call in SupervisorCall.objects.all()])


def test_what_takes_long_says_how_far_it_is(
    ask: Any, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_execution, "PROGRESS_SECONDS", 0.05)
    device, row = home()
    device.jobs = [
        {"name": "old", "done": True, "progress": 100, "stage": None, "created": "2026-01-01"},
        {"name": "backup", "done": False, "progress": 42.7, "stage": "addons", "created": "2026-02"},
    ]  # fmt: skip
    device.delays["/backups/new/full"] = 1.5
    job = ask(row, "post", "backups/new/full").json()["data"]["job_id"]
    call_queue.run_due()
    call = SupervisorCall.objects.get(pk=uuid.UUID(job))
    assert (call.state, call.progress, call.stage) == ("succeeded", 42, "addons")
    shown = ask(row, "get", f"jobs/{job}").json()["data"]
    assert (shown["done"], shown["progress"]) == (True, 100)


def test_errors_of_the_device_come_as_it_says_them(ask: Any, home: Any) -> None:
    _, row = home()
    answer = ask(row, "post", "host/options", data={"nope": 1}, format="json")
    assert answer.status_code == 400
    assert answer.json() == {"result": "error", "message": "extra keys not allowed @ data"}
    assert answer["X-Proxy-Origin"] == "device"
    bad = ask(row, "post", "host/options", data=b"{nope", content_type="application/json")
    assert bad.json()["message"] == "Invalid json"
    assert bad["X-Proxy-Origin"] == "portal"


@pytest.mark.parametrize(
    "path",
    ["addons/../auth", "auth", "core/api/hassio_auth/password_reset", "homeassistant/api/hassio/x",
     "addons/core_ssh/security", "docker/registries", "os/datadisk/wipe", "info%2f..%2fauth",
     "addons/./info", "services/mqtt", "ingress/session"],
)  # fmt: skip
def test_what_must_never_be_reached_is_not(ask: Any, home: Any, path: str) -> None:
    device, row = home()
    assert ask(row, "post", path).status_code in {400, 404, 405}
    assert ask(row, "get", path).status_code in {400, 404, 405}
    assert not device.requests
    assert SupervisorCall.objects.filter(state="refused").count() == 2


def test_another_device_or_a_stranger_is_told_the_same(
    ask: Any, home: Any, organization: Any
) -> None:
    _, row = home()
    stranger = factories.user(factories.organization())
    other = type("row", (), {"device_id": uuid.uuid4()})
    assert ask(row, "get", "info", user=stranger).json() == ask(other, "get", "info").json()


def test_an_answer_that_is_no_envelope_is_not_passed_on(ask: Any, home: Any) -> None:
    device, row = home()
    for fault in (fleet.garbage, fleet.redirects, fleet.says(200, "application/json", b"[1]"),
                  fleet.says(200, "text/html", b"<script>")):  # fmt: skip
        device.fault = fault
        answer = ask(row, "get", "info")
        assert answer.status_code == 502, answer.content
        assert answer.json()["result"] == "error"


# --- as the real one answers


@pytest.mark.parametrize("accept", ["text/plain", "text/x-log", "text/html", "*/*", "x/y"])
def test_logs_are_text_whatever_a_client_accepts(ask: Any, home: Any, accept: str) -> None:
    _, row = home()
    answer = ask(row, "get", "core/logs", HTTP_ACCEPT=accept)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")


def test_the_place_of_a_backup_is_passed_on_and_other_parameters_refused(
    ask: Any, home: Any
) -> None:
    device, row = home()
    device.backups["ab"] = {"slug": "ab"}
    ask(row, "get", "backups/ab/download?location=share")
    assert dict(device.requests[-1].query) == {"location": "share"}
    ask(row, "post", "backups/new/upload?location=share", data=b"tar",
        content_type="application/tar")  # fmt: skip
    assert dict(device.requests[-1].query) == {"location": "share"}
    tar = {"data": b"tar", "content_type": "application/tar"}
    for method, path, sent in (
        ("get", "backups/ab/download", {}),
        ("post", "backups/new/upload", tar),
    ):
        answer = ask(row, method, f"{path}?place=x", **sent)
        assert (answer.status_code, answer.json()["error_key"]) == (400, "bad_query")


def test_the_devices_own_errors_stay_its_own(ask: Any, home: Any) -> None:
    _, row = home()
    missing = ask(row, "get", "backups/00000000/download")
    assert (missing.status_code, missing.json()["result"]) == (404, "error")
    assert "exist" in missing.json()["message"]
    assert missing["X-Proxy-Origin"] == "device"


def test_the_job_of_a_new_backup_tells_its_slug(ask: Any, home: Any) -> None:
    device, row = home()
    job = ask(row, "post", "backups/new/full", data={"name": "x"}).json()["data"]["job_id"]
    call_queue.run_due()
    told = ask(row, "get", f"jobs/{job}").json()["data"]
    assert told["done"] is True
    assert told["reference"] in device.backups


def test_the_add_on_is_not_ended_through_itself(ask: Any, home: Any) -> None:
    device, row = home()
    type(row).objects.filter(pk=row.pk).update(transport="agent")
    for slug in ("self", "local_muster", "a0d7b954_muster"):
        for verb in ("stop", "restart", "uninstall"):
            answer = ask(row, "post", f"addons/{slug}/{verb}")
            assert (answer.status_code, answer.json()["error_key"]) == (400, "own_addon"), (
                answer
            )
    assert not device.paths


def test_a_role_that_is_too_small_is_told_apart_from_a_wrong_key(ask: Any, home: Any) -> None:
    device, row = home()
    assert ask(row, "get", "info").status_code == 200
    device.forbids = {"/addons"}
    answer = ask(row, "get", "addons")
    assert (answer.status_code, answer.json()["error_key"]) == (403, "device_role")
    row.refresh_from_db()
    assert row.key_state == "good"


def test_scripts_send_the_token_in_the_newer_header_too(
    client: Any, admin: User, home: Any
) -> None:
    _, row = home()
    url = f"/api/v1/controller/device/{row.device_id}/hassio/info"
    token = issue_token(admin, name="script")
    assert client.get(url, headers={"X-Supervisor-Token": token}).json()["result"] == "ok"
