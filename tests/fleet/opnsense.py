"""An OPNsense that speaks its REST API on loopback, with savepoints."""

import base64
import uuid
from contextlib import AbstractContextManager
from typing import Any

from tests.fleet.gateway import StandIn, Told, serving
from tests.fleet.http import HTML, Answer, Request

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
OPTIONS = {
    "gateway",
    "action",
    "type",
    "direction",
    "rr",
    "content",
    "interface",
    "tunneladdress",
}


class OPNsense(StandIn):
    """``rows`` is what it holds, by kind and id."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.rows: dict[str, dict[str, dict[str, str]]] = {
            kind if len(nouns) == 1 else f"{kind} {wrapper}": {}
            for kind, nouns in KINDS.items()
            for wrapper in nouns.values()
        }
        self.revisions: set[str] = set()

    def held(self, feature: Any, target: str) -> dict[str, str] | None:
        apart = f"{feature.path} {feature.wrapper}"
        return self.rows.get(apart, self.rows.get(feature.path, {})).get(target)

    def put(self, kind: str, **values: str) -> str:
        name = str(uuid.uuid4())
        self.rows[kind][name] = values
        return name

    def is_write(self, request: Request) -> bool:
        path = request.path.removeprefix("/api/")
        if request.method != "POST":
            return False
        return path in REBOOTS or called(path)[1] in {"add", "set", "del"}

    def refusal(self) -> Told:
        return {"result": "failed", "validations": {"rule.interface": "no such interface"}}, 200

    def answer(self, request: Request) -> Answer:
        if request.path == "/":
            return 200, HTML, "<title>Login | OPNsense</title>"
        return super().answer(request)

    def tell(self, request: Request) -> Told:
        expected = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return {"status": 401, "message": "Authentication Failed"}, 401
        path = request.path.removeprefix("/api/")
        is_post = request.method == "POST"
        found = self.simple(path, is_post=is_post)
        return (found, 200) if found is not None else self.kind(path, request, is_post=is_post)

    def simple(self, path: str, *, is_post: bool) -> dict[str, Any] | None:
        if path == "core/firmware/info":
            return {"product_name": "OPNsense", "product_version": "25.7"}
        if path == "diagnostics/system/systemTime":
            return {"boottime": f"boot {self.booted}"}
        if not is_post:
            return None
        if path in REBOOTS:
            self.booted += 1
            self.writes.append(path)
            return {"status": "ok"}
        if path in SERVICES:
            self.active.append(path)
            return {"status": "ok"}
        return self.safe(path)

    def safe(self, path: str) -> dict[str, Any] | None:
        """Savepoint, apply with a way back, and the word that all is well."""
        kind, call, revision = [*path.rsplit("/", 2), "", ""][:3]
        if path.removesuffix("/savepoint") in SAFE:
            self.revisions.add(revision := str(uuid.uuid4()))
            return {"status": "ok", "revision": revision}
        if kind not in SAFE or revision not in self.revisions:
            return None
        if call == "cancelRollback":
            self.revisions.discard(revision)
            self.active.append(f"{kind}/apply")
        return {"status": "ok"}

    def kind(self, path: str, request: Request, *, is_post: bool) -> Told:
        kind, verb, noun, target = called(path)
        if (verb, noun) == ("get", "") and "" not in KINDS.get(kind, {"": ""}):
            return self.whole(kind), 200
        if noun not in KINDS.get(kind, {}):
            return {"errorMessage": "Endpoint not found"}, 404
        wrapper = KINDS[kind][noun]
        # Kinds at the same path are apart by the name around them.
        rows = self.rows[kind if len(KINDS[kind]) == 1 else f"{kind} {wrapper}"]
        if verb == "search":
            found = [{"uuid": name, **row} for name, row in list(rows.items())]
            told = {"rowCount": len(found), "total": len(found), "current": 1}
            return {**told, "rows": found}, 200
        if verb == "get":
            return ({wrapper: as_options(rows[target])} if target in rows else []), 200
        if not is_post or verb not in {"add", "set", "del"}:
            return {"errorMessage": "Endpoint not found"}, 404
        return self.change(path, verb, rows, target, request.data.get(wrapper, {})), 200

    def whole(self, kind: str) -> dict[str, Any]:
        """A whole model, as other clients ask for it."""
        (wrapper,) = KINDS[kind].values()
        return {
            wrapper: {wrapper: {one: as_options(row) for one, row in self.rows[kind].items()}}
        }

    def change(
        self, path: str, verb: str, rows: Any, target: str, values: dict[str, str]
    ) -> dict[str, Any]:
        if verb != "add" and target not in rows:
            return {"result": "not found" if verb == "del" else "failed"}
        self.writes.append(path)
        if verb == "del":
            del rows[target]
            return {"result": "deleted"}
        target = target or str(uuid.uuid4())
        rows[target] = rows.get(target, {}) | values
        return {"result": "saved", "uuid": target}


def called(path: str) -> tuple[str, str, str, str]:
    """Which kind a path is of, what is to be done, with what, and with which of them.

    Newer clients write add_item for addItem, and are understood.
    """
    module, controller, call, target = [*path.split("/"), "", "", ""][:4]
    head, *rest = call.split("_")
    call = head + "".join(one.capitalize() for one in rest)
    verb = next((one for one in VERBS if call.startswith(one)), "")
    return f"{module}/{controller}", verb, call.removeprefix(verb), target


def as_options(row: dict[str, str]) -> dict[str, Any]:
    return {
        name: {
            one: {"value": one, "selected": 1} for one in value.replace("\n", ",").split(",")
        }
        if name in OPTIONS
        else value
        for name, value in row.items()
    }


def opnsense() -> AbstractContextManager[OPNsense]:
    return serving(OPNsense())
