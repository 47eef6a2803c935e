"""Every documented call of the Husarnet Dashboard API, as printed, by curl.

The documented answers are compared by keys. Invalid JSON of the documentation (trailing
commas, ``true/false``) is sent in its intended form.
"""

import json
import subprocess
from typing import Any

import pytest

from controller.accounts.models import User
from controller.accounts.rules import issue_token
from networks.overlay.engine.keys import wireguard_pair
from networks.overlay.rules.join_codes import register, websetup_link
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

LIST = {"networks": [{"url": "", "owner": 0, "name": "", "share_token": "", "join_code": ""}]}
MADE = {
    "status": "ok",
    "network": {"url": "", "owner": 0, "name": "", "share_token": "", "join_code": ""},
}
DETAIL = {
    "url": "", "owner": "user@example.com", "name": "", "share_token": "", "join_code": "",
    "shares": [{"email": "", "permissions": "member"}, {"email": "", "permissions": "admin"}],
    "ros-master": 3,
    "members": [
        {"id": 18, "name": "test", "device-id": "", "online": False},
        {"id": 3, "name": "mymachine", "device-id": "", "online": None},
    ],
}  # fmt: skip


def keys(data: Any) -> Any:
    """Return the names of members, in order and at every depth, with value types."""
    if isinstance(data, dict):
        return [(name, keys(value)) for name, value in data.items()]
    if isinstance(data, list):
        return [keys(one) for one in data]
    return type(data) if not isinstance(data, bool | None) else "state"


def curl(*words: str) -> tuple[int, Any]:
    done = subprocess.run(
        ["curl", "--silent", "--write-out", "\n%{http_code}", *words],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    text, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(text)


def test_all_calls_of_the_documentation(live_server: Any) -> None:
    owner = factories.user(email="user@example.com")
    others = [factories.user(email=f"user{number}@example.com") for number in (2, 3)]
    key = f"Authorization: Token {issue_token(owner, name='curl')}"
    lower = key.replace("Authorization", "authorization")
    as_json = ("-H", "content-type: application/json")
    base = live_server.url

    status, made = curl(
        "-H", key, f"{base}/api/networks/", "--data", '{"name": "my-new-net-name"}',
        *as_json, "-X", "POST",
    )  # fmt: skip
    assert (status, keys(made)) == (201, keys(MADE))
    status, listed = curl("-H", key, f"{base}/api/networks/")
    assert (status, keys(listed)) == (200, keys(LIST))
    at = base + listed["networks"][0]["url"]

    for number, permissions in enumerate(("member", "admin")):
        body = {"op": "add-share", "email": others[number].email, "permissions": permissions}
        assert curl("-H", key, at, "--data", json.dumps(body), *as_json, "-X", "PATCH") == (
            200,
            {"status": "ok"},
        )
    first = add(owner, key, at, as_json, base)
    known = factories.node(owner, "test")
    body = {"op": "add-member", "device_id": known.address}
    said = curl("-H", key, at, "--data", json.dumps(body), *as_json, "-X", "PATCH")
    assert said == (200, {"status": "ok"})

    status, said = curl(
        "-H", lower, at, "--data", json.dumps({"ros-master": first}), *as_json, "-X", "PUT"
    )
    assert status == 200
    status, said = curl("-H", lower, at, "--data", '{"name": "newname"}', *as_json, "-X", "PUT")
    assert (status, said["status"], said["network"]["name"]) == (200, "ok", "newname")
    status, shown = curl("-H", key, at)
    assert (status, keys(shown)) == (200, keys(DETAIL))
    status, shown = curl("-H", key, f"{at}?refresh_devices=1")
    assert (status, keys(shown)) == (200, keys(DETAIL))
    assert [one["online"] for one in shown["members"]] == [True, True]

    remove(key, at, as_json, known.address, first, others[0].email, base)


def remove(
    key: str,
    at: str,
    as_json: tuple[str, ...],
    address: str,
    member: int,
    email: str,
    base: str,
) -> None:
    status, said = curl("-H", key, f"{base}/api/status/{address}")
    assert (status, said["device-id"], said["online"]) == (200, address, True)
    for body in (
        {"op": "delete-member", "id": str(member)},
        {"op": "remove-share", "email": email},
    ):
        said = curl("-H", key, at, "--data", json.dumps(body), *as_json, "-X", "PATCH")
        assert said == (200, {"status": "ok"})
    assert curl("-H", key, at, "-X", "DELETE") == (200, {"status": "ok"})
    assert curl("-H", key, at)[0] == 404


def add(owner: User, key: str, at: str, as_json: tuple[str, ...], base: str) -> int:
    """Add a device by its claim link. Returns the new member's id."""
    joined = register(public_key=wireguard_pair()[1])
    printed = websetup_link(joined, base)
    body = {
        "op": "add-member", "link": printed, "name": "mymachine", "is-fully-managed": True,
    }  # fmt: skip
    said = curl("-H", key, at, "--data", json.dumps(body), *as_json, "-X", "PATCH")
    assert said == (200, {"status": "ok"})
    return int(joined.node.memberships.get().pk)
