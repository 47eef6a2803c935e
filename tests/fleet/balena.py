"""Stand-in balena supervisors: 1.5 of 2016 and a current one, with faults.

Statuses, types and bodies are those observed on real supervisors.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

from tests.fleet.http import HTML, JSON, TEXT, Answer, Appliance, Request

GO = '{"Data":"OK","Error":""}'
OLD: dict[tuple[str, str], Answer] = {
    ("GET", "/ping"): (200, HTML, "OK"),
    ("POST", "/v1/blink"): (200, TEXT, "OK"),
    ("POST", "/v1/update"): (204, "", ""),
    ("POST", "/v1/tcp-ping"): (204, "", ""),
    ("DELETE", "/v1/tcp-ping"): (204, "", ""),
    ("POST", "/v1/reboot"): (202, "application/json", GO),
    ("POST", "/v1/shutdown"): (202, "application/json", GO),
}
OLD_OF_APP = {"/v1/spawn-tty", "/v1/despawn-tty", "/v1/purge", "/v1/restart"}
NEW: dict[tuple[str, str], Answer] = {
    ("GET", "/ping"): (200, HTML, "OK"),
    ("HEAD", "/ping"): (200, HTML, ""),
    ("GET", "/v1/healthy"): (200, HTML, "OK"),
    ("POST", "/v1/blink"): (200, TEXT, "OK"),
}


class BalenaSupervisor(Appliance):
    """One device. ``locked`` is the update lock of its application."""

    leaves_after = frozenset({"/v1/reboot", "/v1/shutdown"})

    def __init__(self, version: str = "19.0.5", *, app_id: int = 42, port: int = 0) -> None:
        super().__init__(port=port)
        self.version, self.app_id = version, app_id
        self.is_old = version.startswith("1.")
        self.key = secrets.token_hex(32 if self.is_old else 16)
        self.locked = False
        self.services = {"main": "running"}
        self.tty = "http://124135325.ngrok.com"
        self.hostname = "balena"
        self.rotated: list[str] = []

    # --- answers

    def answer(self, request: Request) -> Answer:
        if not self._lets_in(request):
            return 401, TEXT, "Unauthorized"
        try:
            request.data  # noqa: B018 - reads it
        except ValueError as error:
            if self.is_old:
                return 400, HTML, f"<pre>SyntaxError: {error}</pre>"
            return 503, JSON, json.dumps({"status": "failed", "message": str(error)})
        return self._old(request) if self.is_old else self._new(request)

    def _lets_in(self, request: Request) -> bool:
        if not self.is_old and request.path in {"/ping", "/v1/healthy"}:
            return True
        given = [value for name, value in request.query if name == "apikey"]
        if given:
            # A repeated parameter is a list there, which is an invalid key.
            return given == [self.key]
        if self.is_old:
            return False
        found = re.fullmatch(
            r"(?:apikey|bearer) (\w+)", request.headers.get("authorization", ""), re.IGNORECASE
        )
        return bool(found and found[1] == self.key)

    def _old(self, request: Request) -> Answer:
        """Answer like 1.5.0 of February 2016."""
        fixed = OLD.get((request.method, request.path))
        if fixed is not None:
            return fixed
        if request.path == "/v1/regenerate-api-key":
            return 200, HTML, self._rotate(32)
        if request.path in OLD_OF_APP:
            app = str(request.data.get("appId", ""))
            if not app:
                return 400, HTML, "Missing app id"
            if app != str(self.app_id) and request.path != "/v1/despawn-tty":
                return 503, HTML, "App not found"
            return self._old_app(request)
        return 404, HTML, f"Cannot {request.method} {request.path}\n"

    def _old_app(self, request: Request) -> Answer:
        match request.path:
            case "/v1/spawn-tty":
                return 200, HTML, self.tty
            case "/v1/despawn-tty":
                return 200, TEXT, "OK"
            case "/v1/purge":
                return 200, "application/json", '{"Data":"OK","Error":""}'
        if self.locked and not request.data.get("force"):
            return 503, HTML, "Updates are locked: EEXIST: file already exists"
        return 200, HTML, "OK"

    def _new(self, request: Request) -> Answer:
        """Answer like 19.0.5 of August 2026."""
        if (found := re.fullmatch(r"/v2/applications/(\d+)/(\S+)", request.path)) is not None:
            return self._of_app(request, int(found[1]), found[2])
        fixed = NEW.get((request.method, request.path))
        if fixed is not None:
            return fixed
        answer = {
            "/v1/update": self._update,
            "/v1/reboot": self._power,
            "/v1/shutdown": self._power,
            "/v1/purge": self._v1_app,
            "/v1/restart": self._v1_app,
            "/v1/regenerate-api-key": lambda _: (200, HTML, self._rotate(16)),
        }.get(request.path)
        return answer(request) if answer and request.method == "POST" else self._later(request)

    def _update(self, request: Request) -> Answer:
        return (204, "", "") if request.data.get("force") else (202, TEXT, "Accepted")

    def _power(self, request: Request) -> Answer:
        if self._is_held(request):
            error = f"Lockfile exists for {{ appId: {self.app_id}, service: main }}"
            return 423, JSON, json.dumps({"Data": "", "Error": error})
        return 202, JSON, '{"Data":"OK","Error":null}'

    def _v1_app(self, request: Request) -> Answer:
        return self._of_app(request, request.data.get("appId"), request.path[4:])

    def _of_app(self, request: Request, app: Any, verb: str) -> Answer:
        if app is None or not str(app).isdigit():
            return 400, HTML, "Invalid or missing appId"
        if verb == "state":
            return (
                (200, JSON, json.dumps(self._state())) if self._runs(app) else (409, JSON, "{}")
            )
        if not self._runs(app):
            return 503, JSON, '{"status":"failed","message":"App not found"}'
        if self._is_held(request):
            return 423, JSON, '{"status":"failed","message":"Updates are locked"}'
        verb, _, of_service = verb.partition("-service")
        for name in self.services:
            self.services[name] = "exited" if verb == "stop" else "running"
        if verb == "purge":
            return 200, JSON, '{"Data":"OK","Error":""}'
        return 200, HTML if not of_service else TEXT, "OK"

    def _later(self, request: Request) -> Answer:
        told: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "/v1/device"): self._device,
            ("GET", "/v2/state/status"): self._state,
            ("GET", "/v2/version"): lambda: {"status": "success", "version": self.version},
            ("GET", "/v2/device/name"): lambda: {"deviceName": self.hostname},
            ("GET", "/v1/device/host-config"): lambda: {"network": {"hostname": self.hostname}},
            ("GET", "/v2/containerId"): lambda: {"services": {"main": "deadbeef"}},
            ("GET", "/v1/apps/42"): lambda: {
                "appId": 42, "env": {"PATH": "/bin", "DB_PASSWORD": "hunter2"},
            },
        }  # fmt: skip
        if (request.method, request.path) in told:
            return 200, JSON, json.dumps(told[request.method, request.path]())
        if (request.method, request.path) == ("PATCH", "/v1/device/host-config"):
            self.hostname = request.data["network"]["hostname"]
            return 200, TEXT, "OK"
        if request.path == "/v2/journal-logs":
            # Without a content type.
            return 200, "", self._journal(int(request.data.get("count", 10)))
        text = f"<!DOCTYPE html><pre>Cannot {request.method} {request.path}</pre>"
        return 404, HTML, text

    def _journal(self, count: int) -> str:
        return "".join(
            f"Nov 26 09:0{at} {self.hostname} systemd[1]: Started unit {at}.\n"
            for at in range(min(count, 10))
        )

    def _device(self) -> dict[str, Any]:
        return {
            "api_port": self.port, "ip_address": "192.0.2.7", "commit": "abc",
            "status": "Idle", "download_progress": None, "os_version": "balenaOS 6.0.10",
            "mac_address": "02:00:5E:00:00:07", "supervisor_version": self.version,
            "update_pending": False, "update_downloaded": False, "update_failed": False,
        }  # fmt: skip

    def _state(self) -> dict[str, Any]:
        containers = [
            {"status": status.capitalize(), "serviceName": name, "appId": self.app_id,
             "imageId": 555, "serviceId": 7, "containerId": "deadbeef",
             "createdAt": "2026-11-01T09:00:00.000Z"}
            for name, status in self.services.items()
        ]  # fmt: skip
        return {
            "status": "success", "appState": "applied", "overallDownloadProgress": None,
            "containers": containers, "images": [], "release": "abc",
        }  # fmt: skip

    def _is_held(self, request: Request) -> bool:
        if request.data.get("force"):
            # `force` removes the lock.
            self.locked = False
        return self.locked

    def _runs(self, app: Any) -> bool:
        return int(app) == self.app_id

    def _rotate(self, size: int) -> str:
        self.key = secrets.token_hex(size)
        self.rotated.append(self.key)
        return self.key

    def report(self) -> dict[str, Any]:
        """Return the device's report to the cloud, which contains its key."""
        return {
            "api_port": self.port, "api_secret": self.key, "ip_address": "192.0.2.7",
            "mac_address": "02:00:5E:00:00:07", "os_version": "balenaOS 6.0.10",
            "supervisor_version": self.version, "status": "idle", "provisioning_state": "",
        }  # fmt: skip
