"""An OPNsense that speaks its REST API on loopback, and can fail at the worst moment."""

import base64
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEY, SECRET = "key-of-the-portal", "secret-of-the-portal"
# path of a kind of thing: noun in its calls, and name around its values
KINDS = {
    "wireguard/server": {"Server": "server"},
    "wireguard/client": {"Client": "client"},
    "firewall/alias": {"Item": "alias"},
    "firewall/filter": {"Rule": "rule"},
    "firewall/d_nat": {"Rule": "rule"},
    "firewall/source_nat": {"Rule": "rule"},
    "firewall/one_to_one": {"Rule": "rule"},
    "routes/routes": {"route": "route"},
    "kea/dhcpv4": {"Reservation": "reservation", "Subnet": "subnet4"},
    "unbound/settings": {"HostOverride": "host", "Forward": "dot"},
    "interfaces/vlan_settings": {"Item": "vlan"},
    "cron/settings": {"Job": "job"},
    "trafficshaper/settings": {"Pipe": "pipe", "Queue": "queue", "Rule": "rule"},
    "openvpn/instances": {"": "instance"},
}
VERBS = ("search", "get", "add", "set", "del")
SAFE = {"firewall/filter", "firewall/d_nat", "firewall/source_nat", "firewall/one_to_one"}
SERVICES = {
    "wireguard/service/reconfigure", "firewall/alias/reconfigure", "routes/routes/reconfigure",
    "kea/service/reconfigure", "unbound/service/reconfigure",
    "interfaces/vlan_settings/reconfigure", "cron/service/reconfigure",
    "trafficshaper/service/reconfigure", "openvpn/service/reconfigure", "firewall/filter/apply",
    "core/firmware/check", "core/service/start/unbound", "core/service/stop/unbound",
    "core/service/restart/unbound",
}  # fmt: skip
REBOOTS = {"core/system/reboot", "core/system/halt", "core/firmware/update"}
# Fields that are told as options, of which some are selected.
OPTIONS = {"action", "type", "direction", "rr", "content", "interface", "tunneladdress"}
FAULTS = (
    "late before", "late after", "dropped after", "refuses", "error", "on its way",
    "slow", "edited after",
)  # fmt: skip


class OPNsense(ThreadingHTTPServer):
    """``rows`` is what it holds by kind and id; ``fault`` is how its next writes go wrong."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.rows: dict[str, dict[str, dict[str, str]]] = {
            kind if len(nouns) == 1 else f"{kind} {wrapper}": {}
            for kind, nouns in KINDS.items()
            for wrapper in nouns.values()
        }
        self.requests: list[tuple[str, str]] = []
        self.writes: list[str] = []
        # Every order that came, whether or not it was carried out.
        self.received: list[tuple[str, Any]] = []
        # Orders that came, were not answered, and are carried out when it is told to.
        self.on_their_way: list[Any] = []
        self.saved: list[dict[str, str]] = []
        self.active: list[str] = []
        self.revisions: set[str] = set()
        self.fault = ""
        self.booted = 1
        self.lock = threading.Lock()
        # Whoever answers late waits for this.
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    # What the other stand-ins have, too.
    key, secret = KEY, SECRET

    @property
    def trouble(self) -> str:
        return self.fault

    @trouble.setter
    def trouble(self, value: str) -> None:
        self.fault = value

    def release(self) -> None:
        self.released.set()

    def pass_time(self, seconds: float) -> None:
        """It has no clock of its own."""

    def sample(self, _feature: Any) -> str:
        return ""

    def held(self, feature: Any, target: str) -> dict[str, str] | None:
        apart = f"{feature.path} {feature.wrapper}"
        return self.rows.get(apart, self.rows.get(feature.path, {})).get(target)

    def deliver(self) -> None:
        """Carry out what was on its way."""
        waiting, self.on_their_way = self.on_their_way, []
        for one in waiting:
            one()

    def put(self, kind: str, **values: str) -> str:
        name = str(uuid.uuid4())
        self.rows[kind][name] = values
        return name


class Handler(BaseHTTPRequestHandler):
    server: OPNsense

    def do_GET(self) -> None:
        self.handle_request({})

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self.handle_request(json.loads(self.rfile.read(size) or b"{}"))

    def handle_request(self, sent: dict[str, Any]) -> None:
        path = urlsplit(self.path).path.removeprefix("/api/")
        self.server.requests.append((self.command, path))
        expected = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.answer({"status": 401, "message": "Authentication Failed"}, 401)
            return
        found = self.simple(path)
        self.answer(*((found, 200) if found is not None else self.kind(path, sent)))

    def simple(self, path: str) -> dict[str, Any] | None:
        server = self.server
        is_post = self.command == "POST"
        if path == "core/firmware/info":
            return {"product_name": "OPNsense", "product_version": "25.7"}
        if path == "diagnostics/system/systemTime":
            return {"boottime": f"boot {server.booted}"}
        if path in REBOOTS and is_post:
            return self.write(path, self.reboot)
        if path in SERVICES and is_post:
            server.active.append(path)
            return {"status": "ok"}
        return self.safe(path) if is_post else None

    def safe(self, path: str) -> dict[str, Any] | None:
        """Savepoint, apply with a way back, and the word that all is well."""
        server = self.server
        kind, call, revision = [*path.rsplit("/", 2), "", ""][:3]
        if path.removesuffix("/savepoint") in SAFE:
            server.revisions.add(revision := str(uuid.uuid4()))
            return {"status": "ok", "revision": revision}
        if kind not in SAFE or revision not in server.revisions:
            return None
        if call == "cancelRollback":
            server.revisions.discard(revision)
            server.active.append(f"{kind}/apply")
        return {"status": "ok"}

    def reboot(self) -> dict[str, Any]:
        self.server.booted += 1
        return {"status": "ok"}

    def kind(self, path: str, sent: dict[str, Any]) -> tuple[Any, int]:
        module, controller, call, *rest = [*path.split("/"), "", ""]
        kind, target = f"{module}/{controller}", rest[0]
        verb = next((one for one in VERBS if call.startswith(one)), "")
        noun = call.removeprefix(verb)
        if noun not in KINDS.get(kind, {}):
            return {"errorMessage": "Endpoint not found"}, 404
        wrapper = KINDS[kind][noun]
        # Kinds at the same path are apart by the name around them.
        rows = self.server.rows[kind if len(KINDS[kind]) == 1 else f"{kind} {wrapper}"]
        if verb == "search":
            found = [{"uuid": name, **row} for name, row in list(rows.items())]
            return {
                "rows": found,
                "rowCount": len(found),
                "total": len(found),
                "current": 1,
            }, 200
        if verb == "get":
            return ({wrapper: told(rows[target])} if target in rows else []), 200
        return self.change(path, verb, rows, target, sent.get(wrapper))

    def change(
        self, path: str, verb: str, rows: Any, target: str, values: Any
    ) -> tuple[Any, int]:
        if self.command != "POST" or verb not in {"add", "set", "del"}:
            return {"errorMessage": "Endpoint not found"}, 404
        self.server.received.append((path, values))
        if verb == "add":
            target = str(uuid.uuid4())
        elif target not in rows:
            return {"result": "not found" if verb == "del" else "failed"}, 200
        if verb == "del":
            return self.write(path, lambda: self.gone(rows, target)), 200
        return self.write(path, lambda: self.saved(rows, verb, target, values)), 200

    def saved(
        self, rows: Any, verb: str, target: str, values: dict[str, str]
    ) -> dict[str, Any]:
        if verb == "set" and target not in rows:
            raise KeyError(target)
        self.server.saved.append(values)
        rows[target] = rows.get(target, {}) | values
        return {"result": "saved", "uuid": target}

    def gone(self, rows: Any, target: str) -> dict[str, Any]:
        del rows[target]
        return {"result": "deleted"}

    def write(self, path: str, work: Any) -> dict[str, Any]:
        server = self.server
        if server.fault == "refuses":
            return {"result": "failed", "validations": {"rule.interface": "no such interface"}}
        if server.fault == "late before":
            server.released.wait(10)
            raise ConnectionAbortedError
        if server.fault == "on its way":
            server.on_their_way.append(lambda: self.carry_out(path, work))
            raise ConnectionAbortedError
        found = self.carry_out(path, work)
        if server.fault == "late after":
            server.released.wait(10)
        if server.fault in {"late after", "dropped after"}:
            raise ConnectionAbortedError
        return found

    def carry_out(self, path: str, work: Any) -> dict[str, Any]:
        if self.server.fault == "slow":
            self.server.released.wait(0.2)
        with self.server.lock, suppress(KeyError):
            found: dict[str, Any] = work()
            self.server.writes.append(path)
            if self.server.fault == "edited after":
                for row in self.server.rows["routes/routes"].values():
                    row["gateway"] = "SOMEBODY_ELSES"
            return found
        return {"result": "not found"}

    def answer(self, body: Any, status: int) -> None:
        if self.server.fault == "error" and self.command == "POST":
            status, body = 500, {"errorMessage": "Unexpected error"}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def told(row: dict[str, str]) -> dict[str, Any]:
    return {
        name: {
            one: {"value": one, "selected": 1} for one in value.replace("\n", ",").split(",")
        }
        if name in OPTIONS
        else value
        for name, value in row.items()
    }


@contextmanager
def opnsense() -> Iterator[OPNsense]:
    server = OPNsense()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
