"""Every call of the contract: required permission, refusal, envelope."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.engine.scopes import allows
from supervisor_proxy.engine.hassio import STREAMS, TABLE
from supervisor_proxy.models import SupervisorCall
from supervisor_proxy.rules import call_queue
from tests import factories

pytestmark = pytest.mark.django_db
ROWS = json.loads(Path(__file__).with_name("contract.json").read_text())
# Mapping of the contract's permissions; others are not proxied.
PERMISSIONS = {
    "view": {"read"},
    "view, options stripped unless admin": {"read"},
    "view-logs": {"logs"},
    "operate": {"act", "power"},
    "backup": {"backup"},
    "backup-download": {"download"},
    "admin": {"manage"},
}
PLACES = {"slug": "abcd1234", "addon": "core_ssh", "service": "docker.service"}
# Not proxied: Core's own API, and discovery between services.
CLOSED = re.compile(r"/(homeassistant/(api|websocket)|discovery)")


def name(row: dict[str, Any]) -> str:
    return f"{row['method']} {row['path']}"


def path_of(row: dict[str, Any]) -> str:
    return re.sub(r"\{(\w+)\}", lambda place: PLACES.get(place[1], "x"), row["path"]).lstrip(
        "/"
    )


OPEN = [
    row
    for row in ROWS
    if row["portal_permission"] in PERMISSIONS and not CLOSED.match(row["path"])
]
SHUT = [row for row in ROWS if row not in OPEN]


def send(client: Any, row: Any, supervisor: Any) -> Any:
    url = f"/api/v1/controller/device/{supervisor.device_id}/hassio/{path_of(row)}"
    body = b"x" * 16 if row["path"].endswith("upload") else b""
    return client.generic(row["method"], url, body, content_type="application/octet-stream")


@pytest.mark.parametrize("version", ["195", "2026.08.0"])
@pytest.mark.parametrize("row", OPEN, ids=name)
def test_a_row_is_reached_with_its_permission_and_not_without(
    api: Any, home: Any, version: str, row: dict[str, Any]
) -> None:
    device, supervisor = home(version)
    device.backups["abcd1234"] = {"slug": "abcd1234"}
    owner = factories.user(supervisor.device.organization, "org_admin")
    guest = factories.user(supervisor.device.organization, "guest")
    refused = send(api(guest), row, supervisor)
    assert refused.status_code in {403, 404}
    assert refused.json()["result"] == "error"
    assert not device.requests

    answer = send(api(owner), row, supervisor)
    if answer.streaming:
        assert not b"".join(answer.streaming_content)
    call_queue.run_due()
    call = SupervisorCall.objects.order_by("-created").first()
    if row["modern"] is None and version != "195":
        assert answer.status_code == 501, answer.content
        return
    assert answer.status_code == 200, (answer.content, device.paths)
    assert call is not None
    assert call.state == "succeeded", (call.reason, device.paths)
    if row["response_kind"] == "json-envelope":
        assert answer.json()["result"] == "ok"
    needed = {f"supervisor:{one}" for one in PERMISSIONS[row["portal_permission"]]}
    assert any(allows({one}, permission_of(call)) for one in needed), call.name


def permission_of(call: SupervisorCall) -> str:
    rows = (*TABLE, *STREAMS)
    return f"supervisor:{next(row.permission for row in rows if row.name == call.name)}"


@pytest.mark.parametrize("row", SHUT, ids=name)
def test_a_row_that_is_never_exposed_is_not(api: Any, admin: Any, home: Any, row: Any) -> None:
    device, supervisor = home("195")
    answer = send(api(admin), row, supervisor)
    assert answer.status_code in {400, 404, 405}
    assert not device.requests
