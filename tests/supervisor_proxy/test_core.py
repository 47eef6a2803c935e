"""Home Assistant devices behind Core, with an administrator's token."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from supervisor_proxy.rules import call_queue, home_assistant_polling
from tests import factories
from tests.fleet.core import Core
from tests.fleet.http import Growing, Large

pytestmark = pytest.mark.django_db


@pytest.fixture
def cabin(run: Any, organization: Organization) -> tuple[Core, Any]:
    device = run(Core())
    row = factories.supervisor(
        device, organization, flavor="hassio", app_id=None, transport="core", key=device.token
    )
    return device, row


@pytest.fixture
def ask(api: Any, admin: User, cabin: Any) -> Any:
    def ask(method: str, path: str, **more: Any) -> Any:
        _, row = cabin
        url = f"/api/v1/controller/device/{row.device_id}/hassio/{path}"
        return getattr(api(admin), method)(url, **more)

    return ask


def test_what_is_json_goes_over_cores_socket(ask: Any, cabin: Any) -> None:
    device, row = cabin
    assert ask("get", "homeassistant/info").json()["data"]["version"] == device.core
    assert (
        ask("post", "host/options", data={"hostname": "garage"}, format="json").status_code
        == 200
    )
    assert device.hostname == "garage"
    assert {one["type"] for one in device.asked} == {"supervisor/api"}
    refused = ask("post", "host/options", data={"nope": 1}, format="json")
    assert (refused.status_code, refused.json()["result"]) == (400, "error")
    assert "extra keys" in refused.json()["message"]
    job = ask("post", "core/update").json()["data"]["job_id"]
    call_queue.run_due()
    assert ask("get", f"jobs/{job}").json()["data"]["errors"] == []
    assert device.core == device.core_latest
    home_assistant_polling.look_at([row])
    row.refresh_from_db()
    assert (row.home.core, row.key_state) == (device.core, "good")


def test_logs_pictures_and_backups_go_beside_it(ask: Any, cabin: Any) -> None:
    device, _ = cabin
    device.download_size = 500_000
    device.following = Growing(("one\n",))
    assert ask("get", "core/logs").content == b"09:00:00 INFO started\n"
    assert list(ask("get", "core/logs/follow").streaming_content) == [b"one\n"]
    assert ask("get", "addons/core_ssh/icon")["Content-Type"] == "image/png"
    sent = b"x" * 100_000
    up = ask("post", "backups/new/upload", data=sent, content_type="application/tar").json()
    assert device.uploaded == sent
    down = ask("get", f"backups/{up['data']['slug']}/download")
    assert b"".join(down.streaming_content) == b"".join(Large(500_000).blocks())


def test_a_token_that_core_does_not_take_is_told_as_such(ask: Any, cabin: Any) -> None:
    device, row = cabin
    device.token = "another"
    for path in ("info", "core/logs"):
        answer = ask("get", path)
        assert (answer.status_code, answer.json()["error_key"]) == (502, "device_unauthorized")
    row.refresh_from_db()
    assert row.key_state == "invalid"


def test_core_that_is_away_is_to_be_asked_again(
    ask: Any, cabin: Any, closed: list[int]
) -> None:
    device, row = cabin
    row.port = closed[0]
    row.save()
    answer = ask("get", "info")
    assert (answer.status_code, answer.json()["error_key"]) == (503, "offline")
    assert not device.asked
