"""Stand-in ZeroTier controller, and a VPN server's webhook, on loopback."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-the-controller"
NODE = "0123456789"
NETWORK = re.compile(r"/controller/network/([0-9a-f_]{16})(?:/member(?:/([0-9a-f]{10}))?)?")


class ZeroTier(ThreadingHTTPServer):
    """Stand-in controller; ``broken`` is an error status to answer with."""

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.token = token
        self.networks: dict[str, dict[str, Any]] = {}
        self.members: dict[str, dict[str, dict[str, Any]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.calls: list[dict[str, list[str]]] = []
        self.broken: int | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: ZeroTier

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self.sent = json.loads(self.rfile.read(size) or b"{}")
        self.handle_request()

    def do_GET(self) -> None:
        self.sent = {}
        self.handle_request()

    def do_DELETE(self) -> None:
        self.do_GET()

    def handle_request(self) -> None:
        url = urlsplit(self.path)
        self.server.requests.append((self.command, url.path))
        if url.path == "/trigger-update":
            self.server.calls.append(parse_qs(url.query))
            key = parse_qs(url.query).get("key")
            self.answer(self.server.broken or (200 if key == [self.server.token] else 403), {})
        elif self.server.broken:
            self.answer(self.server.broken, {})
        elif self.headers.get("X-ZT1-Auth") != self.server.token:
            self.answer(401, {})
        elif url.path == "/status":
            self.answer(200, {"address": NODE, "online": True})
        elif found := NETWORK.fullmatch(url.path):
            self.network(found[1], found[2], is_list=url.path.endswith("/member"))
        else:
            self.answer(404, {})

    def network(self, name: str, member: str | None, *, is_list: bool) -> None:
        networks, members = self.server.networks, self.server.members
        if name == f"{NODE}______":
            name = f"{NODE}{len(networks) + 1:06x}"
            networks[name], members[name] = {}, {}
        if name not in networks:
            self.answer(404, {})
        elif is_list:
            self.answer(200, dict.fromkeys(members[name], 1))
        elif member:
            self.row(members[name], member)
        else:
            self.row(networks, name)

    def row(self, rows: dict[str, dict[str, Any]], name: str) -> None:
        if self.command == "DELETE":
            self.answer(200 if rows.pop(name, None) is not None else 404, {})
            return
        if self.command == "POST":
            rows.setdefault(name, {}).update(self.sent)
        self.answer(200 if name in rows else 404, {"id": name} | rows.get(name, {}))

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def zerotier(token: str = TOKEN) -> Iterator[ZeroTier]:
    server = ZeroTier(token)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
