"""Stand-in sysupgrade server (ASU), strict about what it is asked."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.firmware.images import image, metadata

FIELDS = {
    "distro": str, "version": str, "version_code": str, "target": str, "packages": list,
    "packages_versions": dict, "profile": str, "diff_packages": bool, "defaults": str,
    "rootfs_size_mb": int, "filesystem": str, "repositories": dict, "client": str,
}  # fmt: skip
REQUIRED = {"version", "target", "profile"}
VERSIONS, TARGETS, PROFILES = {"24.10.2"}, {"ath79/generic"}, {"example_router-v1"}
KNOWN = {"luci", "openwisp-config", "tcpdump-mini", "wpad-mbedtls"}


class AsuServer(ThreadingHTTPServer):
    """Builds an image after ``looks`` questions.

    ``trouble`` is ``overloaded``, ``fails``, ``damaged``, ``forgets``, ``down``, ``nonsense``,
    ``factory`` or ``lacks``.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.builds: dict[str, dict[str, Any]] = {}
        self.looks = 1
        self.trouble = ""
        self.faults: list[str] = []
        self.file = image(metadata("example,router-v1"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: AsuServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/api/v1/build" or self.headers["Content-Type"] != "application/json":
            self.server.faults.append(f"POST {self.path}")
            self.answer(404, {"detail": "Not Found"})
            return
        given = json.loads(body)
        self.server.asked.append(given)
        if wrong := self.wrong(given):
            self.answer(*wrong)
            return
        if self.server.trouble == "overloaded":
            text = "server overload, queue contains too many build requests: 201"
            self.answer(529, {"status": 529, "title": "Server overloaded", "detail": text})
            return
        request = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:32]
        self.server.builds.setdefault(request, given | {"left": self.server.looks})
        self.tell(request)

    def wrong(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        for name in sorted(REQUIRED - given.keys()):
            missing = {"loc": ["body", name], "msg": "Field required", "type": "missing"}
            return 422, {"detail": [missing]}
        for name, value in given.items():
            if name not in FIELDS or not isinstance(value, FIELDS[name]):
                self.server.faults.append(f"{name}: {value!r}")
        for kind, value, known in (
            ("version", given["version"], VERSIONS), ("target", given["target"], TARGETS),
            ("profile", given["profile"], PROFILES),
        ):  # fmt: skip
            if value not in known:
                return 400, {"detail": f"Unsupported {kind}: {value}", "status": 400}
        return None

    def do_GET(self) -> None:
        if self.server.trouble == "down":
            self.send_error(502)
        elif self.path.startswith("/api/v1/build/"):
            self.tell(self.path.rpartition("/")[2])
        elif self.path == "/store/ab12/openwrt-24.10.2-sysupgrade.bin":
            self.send_response(200)
            data = self.server.file
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:-1] + b"x" if self.server.trouble == "damaged" else data)
        else:
            self.server.faults.append(f"GET {self.path}")
            self.answer(404, {"detail": "Not Found"})

    def tell(self, request: str) -> None:
        found = self.server.builds.get(request)
        if found is None or self.server.trouble == "forgets":
            self.server.builds.pop(request, None)
            self.server.trouble = ""
            text = "could not find provided request hash"
            self.answer(404, {"status": 404, "title": "Not Found", "detail": text})
        elif self.server.trouble == "nonsense":
            self.answer(200, {"detail": "done", "request_hash": request, "images": 7})
        elif found["left"]:
            found["left"] -= 1
            self.answer(
                202, {"status": 202, "detail": "queued", "queue_position": 3,
                      "request_hash": request},
                status="queued",
            )  # fmt: skip
        else:
            self.hand_over(request, found)

    def hand_over(self, request: str, found: dict[str, Any]) -> None:
        unknown = sorted(set(found["packages"]) - KNOWN)
        if unknown or self.server.trouble == "fails":
            text = f"opkg_install_cmd: Cannot install package {(unknown or ['x'])[0]}."
            self.answer(
                500, {"status": 500, "detail": "Error: Impossible package selection",
                      "stderr": text, "request_hash": request},
                status="failed",
            )  # fmt: skip
            return
        digest = hashlib.sha256(self.server.file).hexdigest()
        kind = "factory" if self.server.trouble == "factory" else "sysupgrade"
        manifest = dict.fromkeys({*found["packages"], "base-files"}, "1-r1")
        if self.server.trouble == "lacks":
            manifest.pop("luci", None)
        self.answer(
            200,
            {
                "status": 200, "detail": "done", "request_hash": request, "bin_dir": "ab12",
                "id": found["profile"], "version_number": found["version"],
                "version_code": "r28739-d9340319c6", "manifest": manifest,
                "images": [
                    {"type": "kernel", "name": "kernel.bin", "sha256": "0" * 64},
                    {"type": kind, "name": "openwrt-24.10.2-sysupgrade.bin", "sha256": digest,
                     "sha256_unsigned": digest, "filesystem": "squashfs"},
                ],
            },
        )  # fmt: skip

    def answer(self, code: int, body: dict[str, Any], status: str = "done") -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Imagebuilder-Status", status)
        self.send_header("X-Queue-Position", str(body.get("queue_position", 0)))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[AsuServer]:
    server = AsuServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
