"""A minute of silence ends no long connection: add-on, terminal, event streams, agents' messages."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.fleet.hassio import HassioSupervisor
from tests.fleet.http import Supervisors
from tests.live.conftest import Portal, eventually

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        os.environ.get("DATABASE_URL", "").startswith("postgis:"),
        reason="it is tried once: connections are the same with any database",
    ),
]
IDLE_SECONDS = 61
SECONDS = 30
OF_NOTHING = ["nothing.*"]


@dataclass
class AddOn:
    url: str
    log: Path

    def connections(self) -> int:
        return self.log.read_text().count("connected to")


@pytest.fixture
def add_on(applied: Portal, tmp_path: Path) -> Iterator[AddOn]:
    device, owner, log = HassioSupervisor(), applied.detail(3), tmp_path / "agent.log"
    with Supervisors(device), log.open("wb") as out:
        environment = os.environ | {
            "MUSTER_URL": applied.url, "MUSTER_KEY": owner["key"], "SUPERVISOR_TOKEN": device.key,
            "MUSTER_SUPERVISOR": f"{device.host}:{device.port}",
        }  # fmt: skip
        agent = Path(__file__).parents[2] / "agents/hassio/agent.py"
        program = subprocess.Popen([sys.executable, agent], env=environment, stdout=out)
        url = f"{applied.url}/api/v1/controller/device/{owner['id']}/hassio"
        try:
            eventually("it is there", lambda: applied.api.get(f"{url}/info").status_code == 200)
            yield AddOn(url, log)
        finally:
            program.terminate()
            program.wait()
    rows = applied.api.get(f"supervisor/?device={owner['id']}").json()["results"]
    applied.api.delete(f"supervisor/{rows[0]['id']}/")


def said(socket: ClientConnection, **message: Any) -> Any:
    socket.send(json.dumps(message))
    return json.loads(socket.recv(SECONDS))


def shown(terminal: ClientConnection, text: str) -> None:
    seen = ""
    while text not in seen:
        part = terminal.recv(SECONDS)
        seen += part.decode() if isinstance(part, bytes) else part


def test_a_minute_of_silence_ends_no_connection(applied: Portal, add_on: AddOn) -> None:
    socket_url = f"ws{applied.url.removeprefix('http')}/api/v1/ws"
    token = applied.api.headers["authorization"].split()[1]
    device = applied.devices()[0]["id"]
    ticket = applied.api.post("terminal/", json={"device": device, "reason": "to wait"}).json()
    with ExitStack() as ends:

        def opened(path: str) -> ClientConnection:
            # Without pings of this side, so that nothing at all is said.
            socket = ends.enter_context(connect(f"{socket_url}{path}", ping_interval=None))
            socket.send(json.dumps({"type": "auth", "token": token}))
            return socket

        events, web_client, terminal = opened("/events"), opened(""), opened("/terminal")
        assert json.loads(events.recv(SECONDS))["type"] == "ready"
        assert json.loads(web_client.recv(SECONDS))["type"] == "connected"
        assert said(events, type="subscribe", events=OF_NOTHING)["type"] == "subscribed"
        terminal.send(json.dumps(
            {"type": "open", "ticket": ticket["ticket"], "columns": 80, "rows": 24}
        ))  # fmt: skip
        terminal.send(b"echo $((6*7)) before\n")
        shown(terminal, "42 before")
        with pytest.raises(TimeoutError):
            events.recv(IDLE_SECONDS)
        assert said(events, type="ping") == {"type": "pong"}
        assert said(web_client, type="ping") == {"type": "pong"}
        # The subscription of the process to Redis has been silent too, or filtered.
        assert said(events, type="subscribe", events=["command.*"])["type"] == "subscribed"
        sent = applied.api.post(
            f"device/{device}/command/", json={"type": "custom", "input": {"command": "true"}}
        )
        assert json.loads(events.recv(SECONDS))["id"] == sent.json()["id"]
        terminal.send(b"echo $((6*7)) after\n")
        shown(terminal, "42 after")
    assert applied.api.get(f"{add_on.url}/info").status_code == 200
    assert add_on.connections() == 1, add_on.log.read_text()
