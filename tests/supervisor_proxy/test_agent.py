"""The add-on's program, against a portal that may call anything."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import yaml
from websockets.sync.server import ServerConnection, serve

from supervisor_proxy.drivers import relay
from supervisor_proxy.engine import hassio
from tests.fleet.hassio import HassioSupervisor
from tests.fleet.http import Large

AGENT = Path(__file__).parents[2] / "agents/hassio"
PATIENCE = 30


def allowed() -> list[str]:
    """Return all calls of the table by any of their names."""
    found = set()
    for route in (*hassio.TABLE, *hassio.STREAMS):
        for version in ("", "195", "209", "2021.07", "2022.05", "2026.08.0"):
            marked = re.sub(r"\{(\w+)\}", r"__\1__", route.pattern)
            method, path = hassio.on_device(route.method, marked, version)
            told = re.sub(r"__(\w+?)__", r"{\1}", path)
            found.add(f"{method} {told}")
    return sorted(found)


def test_the_add_on_allows_just_the_calls_of_the_table() -> None:
    """ALLOWED=write updates the file."""
    file = AGENT / "allowed.json"
    if os.environ.get("ALLOWED") == "write":
        file.write_text(json.dumps(allowed(), indent=0) + "\n")
    assert json.loads(file.read_text()) == allowed()


def test_its_description_asks_for_no_more_than_the_role_of_a_manager() -> None:
    told = yaml.safe_load((AGENT / "config.yaml").read_text())
    assert (told["hassio_role"], told["hassio_api"]) == ("manager", True)
    assert not {"full_access", "docker_api", "host_network", "privileged"} & set(told)
    assert set(told["options"]) == set(told["schema"]) == {"portal", "key"}


class Portal:
    """The portal's end of the socket, controlled by a test."""

    def __init__(self) -> None:
        self.came: Queue[ServerConnection] = Queue()
        self.done = threading.Event()

    def handle(self, socket: ServerConnection) -> None:
        self.came.put(socket)
        self.done.wait()

    @contextmanager
    def running(self, device: HassioSupervisor) -> Iterator[ServerConnection]:
        with serve(self.handle, "127.0.0.1", 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            port = server.socket.getsockname()[1]
            environment = os.environ | {
                "MUSTER_URL": f"http://127.0.0.1:{port}", "MUSTER_KEY": "k" * 32,
                "SUPERVISOR_TOKEN": device.key,
                "MUSTER_SUPERVISOR": f"{device.host}:{device.port}",
            }  # fmt: skip
            program = subprocess.Popen([sys.executable, AGENT / "agent.py"], env=environment)
            try:
                yield self.came.get(timeout=PATIENCE)
            finally:
                program.terminate()
                program.wait()
                self.done.set()
                server.shutdown()


@pytest.fixture
def socket(run: Any) -> Iterator[tuple[HassioSupervisor, ServerConnection]]:
    device = run(HassioSupervisor())
    with Portal().running(device) as socket:
        yield device, socket


def ask(socket: ServerConnection, method: str, path: str, **more: Any) -> tuple[Any, bytes]:
    """Make a call.

    Returns the first or final text message of the answer, and the body.
    """
    call = relay.new_call()
    socket.send(
        json.dumps(
            {"type": "call", "id": call, "method": method, "path": path, "window": 64} | more
        )
    )
    first, body = None, b""
    while True:
        message = socket.recv(timeout=PATIENCE)
        if isinstance(message, bytes):
            assert message[: relay.ID].hex() == call
            body += message[relay.ID :]
            continue
        told = json.loads(message)
        if told["type"] == "answer":
            first = told
        if told["type"] == "end":
            return first or told, body


def test_it_signs_in_with_the_devices_key_and_adds_the_token_itself(socket: Any) -> None:
    device, there = socket
    assert there.request.path == "/api/v1/ws/home"
    assert there.request.headers["Authorization"] == f"Bearer {'k' * 32}"
    answer, body = ask(there, "GET", "/info")
    assert (answer["status"], json.loads(body)["result"]) == (200, "ok")
    assert device.requests[-1].headers["authorization"] == f"Bearer {device.key}"
    # The portal's own token headers are not passed on.
    ask(there, "GET", "/info", headers={"Authorization": "Bearer x", "X-Hassio-Key": "y"})
    assert device.requests[-1].headers["authorization"] == f"Bearer {device.key}"
    assert "x-hassio-key" not in device.requests[-1].headers


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/auth"), ("POST", "/auth/reset"), ("POST", "/addons/x/security"),
     ("GET", "/addons/../auth"), ("GET", "//info"), ("GET", "/info?x=1"), ("GET", "/info%2f"),
     ("POST", "/info"), ("GET", "/core/api/states"), ("GET", "http://example.org/info"),
     ("GET", "/info\r\nX: y"), ("POST", "/ingress/session")],
)  # fmt: skip
def test_what_is_in_no_row_is_refused_by_the_device_itself(
    socket: Any, method: str, path: str
) -> None:
    device, there = socket
    assert ask(there, method, path)[0]["error"] == "refused"
    assert not device.requests


def test_a_body_waits_until_there_is_room_for_it(socket: Any) -> None:
    device, there = socket
    device.backups["ab"] = {"slug": "ab"}
    device.download_size = 3_000_000
    call = relay.new_call()
    there.send(json.dumps({"type": "call", "id": call, "method": "GET",
                           "path": "/backups/ab/download", "window": 2}))  # fmt: skip
    assert json.loads(there.recv(timeout=PATIENCE))["status"] == 200
    size = sum(len(there.recv(timeout=PATIENCE)) - relay.ID for _ in range(2))
    with pytest.raises(TimeoutError):
        there.recv(timeout=0.5)
    while True:
        there.send(json.dumps({"type": "more", "id": call}))
        message = there.recv(timeout=PATIENCE)
        if isinstance(message, str):
            break
        size += len(message) - relay.ID
    assert (json.loads(message)["type"], size) == ("end", Large(3_000_000).size)


def test_a_supervisor_that_is_away_is_told_as_such(closed: list[int]) -> None:
    device = HassioSupervisor(port=closed[0])
    with Portal().running(device) as there:
        assert ask(there, "GET", "/info")[0]["error"] == "away"
