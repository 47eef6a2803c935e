"""Stand-in Home Assistant supervisors: Hass.io of January 2020, and of 2026.

Paths follow the contract; statuses and envelopes are those observed on real supervisors.
"""

from __future__ import annotations

import json
import re
import secrets
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.fleet.http import JSON, Answer, Appliance, Growing, Large, Request

CONTRACT = Path(__file__).parents[1] / "dialects/hassio/contract.json"
OCTETS = "application/octet-stream"
PLAIN = "text/plain; charset=utf-8"


def chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + crc


# 8 by 8 pixels of one color.
PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", bytes([0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0]))
    + chunk(b"IDAT", zlib.compress((b"\0" + bytes([3, 169, 244]) * 8) * 8))
    + chunk(b"IEND", b"")
)
STATS = {
    "cpu_percent": 1.5, "memory_usage": 10, "memory_limit": 100, "memory_percent": 10.0,
    "network_tx": 1, "network_rx": 2, "blk_read": 3, "blk_write": 4,
}  # fmt: skip
INGRESS_SESSION = "ab" * 32
INGRESS_ENTRY = "/api/hassio_ingress/" + "t" * 43
LOG_TYPES = {"text/plain", "text/x-log", "*/*"}
LATER = (
    "GET /jobs/info", "GET /available_updates", "GET /store", "GET /store/addons",
    "GET /resolution/info", "POST /resolution/healthcheck", "GET /mounts", "GET /backups/info",
    "GET /cli/info", "GET /host/logs", "GET /supervisor/logs/latest", "GET /core/logs/latest",
    "POST /reload_updates", "GET /network/info", "GET /core/logs/follow",
    "GET /addons/{addon}/logs/follow", "POST /network/interface/{name}/update", "POST /mounts",
    "PUT /mounts/{name}", "DELETE /mounts/{name}", "POST /resolution/suggestion/{uuid}",
)  # fmt: skip


def template(call: str) -> tuple[str, re.Pattern[str]]:
    method, _, path = call.partition(" ")
    return method, re.compile(
        re.sub(r"\{path\}", ".*", re.sub(r"\{(?!path)\w+\}", "[^/]+", path))
    )


@cache
def known(*, old: bool) -> list[tuple[str, re.Pattern[str]]]:
    rows: list[dict[str, Any]] = json.loads(CONTRACT.read_text())
    if old:
        return [template(f"{row['method']} {row['path']}") for row in rows]
    calls = [
        call
        for row in rows
        for call in re.findall(r"(?:GET|POST|PUT|PATCH|DELETE) /\S*", row["modern"] or "")
    ]
    return [template(call) for call in (*calls, *LATER, *logs())]


def logs() -> Iterator[str]:
    """Yield the calls of today's logs."""
    parts = ("supervisor", "core", "dns", "audio", "multicast", "host", "addons/{addon}")
    for part in parts:
        for which in (
            "",
            "/boots/{boot}",
            "/identifiers/{name}",
            "/boots/{boot}/identifiers/{name}",
        ):
            if part == "host" or "identifiers" not in which:
                yield f"GET /{part}/logs{which}"
                yield f"GET /{part}/logs{which}/follow"
        if part != "host":
            yield f"GET /{part}/logs/latest"
    yield "GET /host/logs/boots"
    yield "GET /host/logs/identifiers"


class HassioSupervisor(Appliance):
    """One device with Core, two add-ons and backups.

    Any ``state`` but running is not ready.
    """

    leaves_after = frozenset({"/host/reboot", "/host/shutdown"})

    def __init__(self, version: str = "2026.08.0", *, port: int = 0) -> None:
        super().__init__(port=port)
        self.version = version
        self.is_old = not version.startswith("20")
        self.key = secrets.token_hex(56)
        self.state = "running"
        self.core = "0.104.0" if self.is_old else "2026.8.0"
        self.core_latest = "0.105.0" if self.is_old else "2026.8.1"
        self.hostname = "hassio"
        self.breaks_on_update = self.is_broken = False
        self.addons = {"core_ssh": "started", "core_mosquitto": "stopped"}
        self.backups: dict[str, dict[str, Any]] = {}
        self.unhealthy: list[str] = []
        self.issues: list[dict[str, Any]] = []
        self.following = Growing(("\x1b[32mone\x1b[0m\n", "tw", "o\n"))
        self.mounts: dict[str, Any] = {}
        self.jobs: list[dict[str, Any]] = []
        self.options: dict[str, Any] = {"logins": [{"password": "hunter2"}], "port": 22}
        self.stdin = b""
        # Paths that the role of the key does not allow.
        self.forbids: set[str] = set()
        self.uploaded = b""
        # Size of downloads, generated while sending.
        self.download_size = 0

    def answer(self, request: Request) -> Answer:
        if self.state != "running" and not self.is_old:
            return error(400, f"System is not ready with state: {self.state}")
        if request.path == "/supervisor/ping":
            return envelope({})
        if (refused := self._turned_away(request)) is not None:
            return refused
        rows = [
            method for method, path in known(old=self.is_old) if path.fullmatch(request.path)
        ]
        if not rows:
            return 404, PLAIN, "404: Not Found"
        if request.method not in rows:
            return 405, PLAIN, "405: Method Not Allowed"
        return self._answer(request)

    def _turned_away(self, request: Request) -> Answer | None:
        given = request.headers.get("x-hassio-key")
        if given is None and not self.is_old:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not given:
            return 401, PLAIN, "401: Unauthorized"
        if given != self.key or request.path in self.forbids:
            return 403, PLAIN, "403: Forbidden"
        return None

    def _answer(self, request: Request) -> Answer:
        path = request.path
        for pattern, made in (
            (r"/ingress/session", lambda *_: envelope({"session": INGRESS_SESSION})),
            (r"/mounts(?:/(.+))?", self._mount),
            (r".*/logs(?:/.*)?/follow", lambda *_: (200, PLAIN, self.following)),
            (r"/host/logs/boots", lambda *_: envelope({"boots": {"0": "ab" * 16}})),
            (r"/host/logs/identifiers", lambda *_: envelope({"identifiers": ["kernel"]})),
            (r".*/logs(?:/.*)?", self._logs),
            (r"/(store/)?addons/([^/]+)/(icon|logo)", self._icon),
            (r"/(store/)?addons/([^/]+)/(changelog|documentation)", lambda *_: self._text()),
            (r"/addons/([^/]+)/(\w+)", self._addon),
            (r"/(?:snapshots|backups)/new/(\w+)", self._new_backup),
            (r"/(?:snapshots|backups)/([^/]+)(?:/(.+))?", self._backup),
        ):
            found = re.fullmatch(pattern, path)
            if found and path not in {"/backups/info", "/addons/reload", "/snapshots/reload",
                                      "/backups/reload"}:  # fmt: skip
                return made(request, *found.groups())
        return self._plain(request)

    def _plain(self, request: Request) -> Answer:
        if self.is_broken and request.path in {"/core/stats", "/homeassistant/stats"}:
            return error(400, "Container homeassistant is not running")
        told = self._told().get(request.path)
        if request.method == "GET":
            return envelope(told() if told else {})
        if request.path in {"/core/update", "/homeassistant/update"}:
            if self.core == self.core_latest:
                return error(400, "Version is already in use")
            self.core = request.data.get("version", self.core_latest)
            self.is_broken = self.breaks_on_update
        if request.path == "/host/options":
            if set(request.data) - {"hostname"}:
                return error(400, "extra keys not allowed @ data")
            self.hostname = request.data.get("hostname", self.hostname)
        return envelope({})

    def _mount(self, request: Request, name: str | None) -> Answer:
        name = name or str(request.data.get("name"))
        if request.method == "GET":
            return envelope(
                {"mounts": list(self.mounts.values()), "default_backup_mount": None}
            )
        if request.method == "DELETE":
            del self.mounts[name]
        else:
            self.mounts[name] = request.data
        return envelope({})

    def _told(self) -> dict[str, Callable[[], dict[str, Any]]]:
        latest = "last_version" if self.is_old else "version_latest"
        backups = "snapshots" if self.is_old else "backups"
        core: Callable[[], dict[str, Any]] = lambda: CORE | {  # noqa: E731
            "version": self.core, latest: self.core_latest,
            "update_available": self.core != self.core_latest,
        }  # fmt: skip
        system: Callable[[], dict[str, Any]] = lambda: OS | {latest: "12.0"}  # noqa: E731
        return {
            "/info": lambda: INFO | {
                "supervisor": self.version, "homeassistant": self.core,
                "hostname": self.hostname, "state": self.state,
            },
            "/supervisor/info": lambda: SUPERVISOR | {
                "version": self.version, latest: self.version,
                "addons": [{"slug": slug, "state": state} for slug, state in self.addons.items()],
            },
            "/host/info": lambda: HOST | {"hostname": self.hostname},
            "/host/services": lambda: {"services": [SERVICE]},
            "/homeassistant/info": core,
            "/core/info": core,
            "/hassos/info": system,
            "/os/info": system,
            "/addons": lambda: {"addons": [self._listed(slug) for slug in self.addons]},
            "/resolution/info": lambda: {
                "unsupported": [], "unhealthy": self.unhealthy, "issues": self.issues,
                "suggestions": [], "checks": [],
            },
            "/jobs/info": lambda: {"ignore_conditions": [], "jobs": self.jobs},
            "/dns/info": lambda: {"host": "172.30.32.3", "version": "1", "latest_version": "1",
                                  "servers": [], "locals": []},
            f"/{backups}": lambda: {backups: list(self.backups.values())},
            "/backups/info": lambda: {"backups": list(self.backups.values()),
                                      "days_until_stale": 30},
            "/available_updates": lambda: {"available_updates": []},
            "/services": lambda: {"services": [{"slug": "mqtt", "available": False}]},
            "/ingress/panels": lambda: {"panels": {}},
            **{f"/{one}/stats": lambda: STATS for one in ("supervisor", "core", "homeassistant",
                                                          "dns")},
        }  # fmt: skip

    def _listed(self, slug: str) -> dict[str, Any]:
        """Return a list entry; old lists have the newest and the installed version."""
        if self.is_old:
            versions = {"version": "1.1", "installed": "1.0", "slug": slug}
            return ADDON | versions
        newest = {"version_latest": "1.1", "update_available": True, "name": slug[5:].title()}
        return ADDON | newest | {"slug": slug, "state": self.addons[slug]}

    def _logs(self, request: Request, *_: Any) -> Answer:
        if not self.is_old and request.headers.get("accept") not in LOG_TYPES:
            return error(400, "Invalid content type requested. Only text/plain and text/x-log")
        if part := request.headers.get("range", ""):
            return 200, PLAIN, f"{part}\n"
        text = "\x1b[32m09:00:00 INFO started\x1b[0m\n"
        return 200, OCTETS if self.is_old else PLAIN, text

    def _text(self) -> Answer:
        return 200, PLAIN, "# 1.0\n"

    def _icon(self, request: Request, _: Any, slug: str, kind: str) -> Answer:
        if slug not in self.addons:
            return (200 if self.is_old else 400), OCTETS, f"No {kind} found!"
        return 200, "image/png", PNG

    def _addon(self, request: Request, slug: str, verb: str) -> Answer:
        if slug not in self.addons:
            return error(400 if self.is_old else 404, f"Addon {slug} does not exist")
        if verb == "info":
            return envelope(ADDON | ADDON_INFO | {
                "slug": slug, "state": self.addons[slug], "options": self.options,
                "ingress_entry": INGRESS_ENTRY if slug == "core_ssh" else None,
            })  # fmt: skip
        if verb == "stats":
            return envelope(STATS)
        if verb == "stdin":
            self.stdin = request.body
        if verb in {"start", "restart", "stop"}:
            self.addons[slug] = "stopped" if verb == "stop" else "started"
        return envelope({})

    def _new_backup(self, request: Request, kind: str) -> Answer:
        slug = secrets.token_hex(4)
        self.backups[slug] = (
            BACKUP
            | {"core": self.core}
            | {
                "slug": slug,
                "name": request.data.get("name", "") if kind != "upload" else "",
            }
        )
        if kind == "upload":
            body = request.body
            if not self.is_old:
                # The file is the only part of the form.
                body = body.partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0]
            self.backups[slug] |= {"name": "uploaded"}
            self.uploaded = body
        return envelope({"slug": slug})

    def _backup(self, request: Request, slug: str, verb: str | None) -> Answer:
        if slug not in self.backups:
            return error(400 if self.is_old else 404, "Backup does not exist")
        if verb == "remove" or request.method == "DELETE":
            del self.backups[slug]
            return envelope({})
        if verb == "info":
            return envelope(self.backups[slug] | BACKUP_INFO)
        if verb == "download":
            return 200, "application/tar", Large(self.download_size)
        if verb and verb.startswith("restore"):
            self.core, self.is_broken = self.backups[slug].get("core", self.core), False
        return envelope({})


def envelope(data: dict[str, Any]) -> Answer:
    return 200, JSON, json.dumps({"result": "ok", "data": data})


def error(status: int, message: str | None) -> Answer:
    return status, JSON, json.dumps({"result": "error", "message": message})


INFO = {
    "hassos": "12.0", "docker": "27", "operating_system": "Home Assistant OS 12.0",
    "features": ["reboot"], "machine": "generic-x86-64", "machine_id": "a" * 32,
    "arch": "amd64", "supported_arch": ["amd64"], "supported": True, "channel": "stable",
    "logging": "info", "timezone": "UTC",
}  # fmt: skip
SUPERVISOR = {
    "update_available": False, "channel": "stable", "arch": "amd64", "supported": True,
    "healthy": True, "ip_address": "172.30.32.2", "timezone": "UTC", "logging": "info",
    "debug": False, "debug_block": False, "diagnostics": None, "auto_update": True,
    "country": None, "detect_blocking_io": False, "feature_flags": {}, "addons": [],
}  # fmt: skip
HOST = {
    "agent_version": "1", "apparmor_version": "1", "chassis": "vm", "virtualization": "kvm",
    "cpe": None, "deployment": "production", "disk_free": 1.0, "disk_total": 2.0,
    "disk_used": 1.0, "disk_life_time": None, "features": ["reboot"], "llmnr_hostname": None,
    "kernel": "6.6", "operating_system": "Home Assistant OS", "timezone": "UTC", "dt_utc": None,
    "dt_synchronized": True, "use_ntp": True, "startup_time": 1.0, "boot_timestamp": 1,
    "broadcast_llmnr": None, "broadcast_mdns": None,
}  # fmt: skip
SERVICE = {"name": "docker.service", "description": "Docker", "state": "active"}
CORE = {
    "machine": "generic-x86-64", "ip_address": "172.30.32.1", "arch": "amd64", "image": "core",
    "boot": True, "port": 8123, "ssl": False, "watchdog": True, "audio_input": None,
    "audio_output": None, "backups_exclude_database": False, "duplicate_log_file": False,
}  # fmt: skip
OS = {
    "version": "12.0", "version_pending": None, "update_available": False, "board": "ova",
    "boot": "A", "data_disk": None, "boot_slots": {},
}  # fmt: skip
ADDON = {
    "advanced": False, "available": True, "build": False, "description": "An add-on",
    "homeassistant": None, "icon": True, "logo": True, "name": "Add-on", "repository": "core",
    "stage": "stable", "update_available": False, "url": None, "version_latest": "1.0",
    "version": "1.0", "detached": False,
}  # fmt: skip
ADDON_INFO = {
    "arch": ["amd64"], "documentation": True, "apparmor": "default", "auth_api": False,
    "docker_api": False, "full_access": False, "homeassistant_api": False,
    "host_network": False, "host_pid": False, "ingress": False, "long_description": None,
    "rating": 6, "signed": False, "hassio_api": False, "hassio_role": "default",
    "hostname": "addon", "dns": [], "protected": True, "boot": "auto", "boot_config": "auto",
    "schema": [{"name": "password", "type": "string", "format": "password"}], "machine": [],
    "network": None, "network_description": None, "host_ipc": False, "host_uts": False,
    "host_dbus": False, "privileged": [], "changelog": True, "stdin": True, "gpio": False,
    "usb": False, "uart": False, "kernel_modules": False, "devicetree": False, "udev": False,
    "video": False, "audio": False, "startup": "services", "services": [], "discovery": [],
    "translations": {}, "webui": None, "ingress_entry": None, "ingress_url": None,
    "ingress_port": None, "ingress_panel": None, "audio_input": None, "audio_output": None,
    "auto_update": False, "ip_address": "172.30.33.2", "watchdog": False, "devices": [],
    "system_managed": False, "system_managed_config_entry": None, "log_format": "plain",
}  # fmt: skip
BACKUP = {
    "date": "2026-11-26T09:00:00+00:00", "type": "full", "protected": False, "size": 1.0,
    "location_attributes": {}, "compressed": True,
    "content": {"homeassistant": True, "addons": [], "folders": []},
}  # fmt: skip
BACKUP_INFO = {
    "supervisor_version": "2026.08.0", "homeassistant": "2026.8.0", "addons": [],
    "repositories": [], "folders": [], "homeassistant_exclude_database": None, "extra": None,
}  # fmt: skip
