"""The event stream of a running portal with a worker, as a program receives it."""

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.live.conftest import Portal

pytestmark = pytest.mark.live
SECONDS = 20


def test_a_program_hears_what_a_command_says_while_it_runs(applied: Portal) -> None:
    url = f"ws{applied.url.removeprefix('http')}/api/v1/ws/events"
    token = applied.api.headers["authorization"].split()[1]
    device = applied.devices()[0]["id"]
    with connect(url) as socket:
        socket.send(json.dumps({"type": "auth", "token": token}))
        assert json.loads(socket.recv(SECONDS))["type"] == "ready"
        socket.send(json.dumps({"type": "subscribe", "events": ["command.*"]}))
        assert json.loads(socket.recv(SECONDS))["type"] == "subscribed"
        line = "echo first; sleep 5; echo second"
        sent = applied.api.post(
            f"device/{device}/command/", json={"type": "custom", "input": {"command": line}}
        )
        assert sent.status_code == 201, sent.text
        said: list[Any] = []
        while not said or said[-1]["status"] == "in-progress":
            event = json.loads(socket.recv(SECONDS))
            # Others may send commands meanwhile.
            if event["id"] == sent.json()["id"]:
                said.append(event["data"])
    assert "first\n" in [one["output"] for one in said if one["status"] == "in-progress"]
    assert (said[-1]["status"], said[-1]["output"]) == ("success", "first\nsecond")


def test_a_wrong_token_is_closed_with_a_code_of_its_own(applied: Portal) -> None:
    url = f"ws{applied.url.removeprefix('http')}/api/v1/ws/events"
    with connect(url, additional_headers={"Authorization": "Bearer wrong"}) as socket:
        assert json.loads(socket.recv(SECONDS))["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
