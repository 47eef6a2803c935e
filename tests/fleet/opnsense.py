"""Stand-in OPNsense of a given version with its REST API, strictly as published."""

import base64
import copy
import re
import uuid
from contextlib import AbstractContextManager
from typing import Any

from tests.fleet.contract import numbers
from tests.fleet.gateway import StandIn, Told, serving
from tests.fleet.http import HTML, Answer, Request
from tests.fleet.opnsense_history import OPNsenseHistory

# path of an object type: noun in its calls, and wrapper key of its values
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
    "ipsec/connections": {
        "Connection": "connection",
        "Local": "local",
        "Remote": "remote",
        "Child": "child",
    },
    "ipsec/pre_shared_keys": {"Item": "preSharedKey"},
    "ids/settings": {"UserRule": "rule", "Policy": "policy"},
    "dnsmasq/settings": {"Host": "host", "Range": "range"},
}
VERBS = ("search", "get", "add", "set", "del", "moveRuleBefore")
FIREWALL = {"firewall/filter", "firewall/d_nat", "firewall/source_nat", "firewall/one_to_one"}
# Calls that do something to one of a kind, and how they tell it.
DEEDS = {
    "ids/settings/toggleRule": {}, "ids/service/dropAlertLog": {"status": "ok"},
    "core/backup/deleteBackup": {"status": "deleted"},
    "core/backup/revertBackup": {"status": "reverted"},
    "ipsec/sessions/connect": {"result": "ok"}, "ipsec/sessions/disconnect": {"result": "ok"},
}  # fmt: skip
SINGLE = "ids/settings ids"
REBOOTS = {"core/system/reboot", "core/system/halt", "core/firmware/update"}
INTERFACES = ("lan", "wan", "opt1")
BUILT_IN = ("bogons", "sshlockout", "__lan_network")


class OPNsense(OPNsenseHistory, StandIn):
    """``rows`` is the configuration by type and id."""

    vendor, version = "opnsense", "26.7.2"

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        OPNsenseHistory.__init__(self)
        StandIn.__init__(self, port=port, version=version)
        self.rows: dict[str, dict[str, dict[str, Any]]] = {
            kind if len(nouns) == 1 else f"{kind} {wrapper}": {}
            for kind, nouns in KINDS.items()
            for wrapper in nouns.values()
        }
        self.rows[SINGLE] = {
            "settings": {"general": {"enabled": "0", "mode": "pcap", "interfaces": "wan"}}
        }
        self.revisions: set[str] = set()
        # State to roll back to unless confirmed.
        self.kept: dict[str, dict[str, dict[str, Any]]] = {}
        self.snat_mode = "hybrid"

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        apart = f"{feature.path} {feature.wrapper}"
        return self.rows.get(apart, self.rows.get(feature.path, {})).get(target)

    def put(self, kind: str, **values: str) -> str:
        name = str(uuid.uuid4())
        if kind == "routes/routes" and numbers(self.version) >= (26, 1, 10):
            values["enabled"] = "0" if values.pop("disabled", "0") == "1" else "1"
        self.rows[kind][name] = dict(values)
        return name

    def is_write(self, request: Request) -> bool:
        path = request.path.removeprefix("/api/")
        if called(path)[1] == "moveRuleBefore":
            return True
        if request.method != "POST":
            return False
        if path.startswith("core/backup/revertBackup"):
            return True
        return path in REBOOTS or called(path)[1] in {"add", "set", "del"}

    def refusal(self) -> Told:
        return {"result": "failed", "validations": {"rule.interface": "no such interface"}}, 200

    def pass_time(self, seconds: float) -> None:
        """Roll back a minute after an unconfirmed apply."""
        super().pass_time(seconds)
        if self.kept and seconds >= 60:
            self.rows |= self.kept
            self.kept = {}
            self.revisions.clear()

    def answer(self, request: Request) -> Answer:
        if request.path == "/":
            return 200, HTML, "<title>Login | OPNsense</title>"
        return super().answer(request)

    def tell(self, request: Request) -> Told:
        expected = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return {"status": 401, "message": "Authentication Failed"}, 401
        path = camel(request.path.removeprefix("/api/"))
        kind, verb, noun, _ = called(path)
        is_single = path in {"ids/settings/get", "ids/settings/set"}
        if (
            not is_single
            and (verb, noun) == ("get", "")
            and "" not in KINDS.get(kind, {"": ""})
        ):
            return self.whole(kind, path)
        body = request.data or {}
        call, problems = self.judged(request.method, f"/api/{path}", body, dict(request.query))
        if call is None:
            return {"errorMessage": "Endpoint not found"}, 404
        if problems:
            told = {one.partition(":")[0]: one for one in problems}
            return {"result": "failed", "validations": told}, 200
        found = self.measured.get(path) or (
            self.single(verb, body) if is_single else self.simple(path)
        )
        if found is not None:
            return found, 200
        return self.kind(path, body)

    def single(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """Handle settings of which there is one: of intrusion detection."""
        row = self.rows[SINGLE]["settings"]
        if verb == "set":
            row["general"] = {**row.get("general", {}), **body["ids"]["general"]}
            self.writes.append("ids/settings/set")
            return {"result": "saved"}
        call = self.contract.by_id["ids.settings.set"]
        fields = self.inner(self.contract.body(call.told, self.version)["ids"])
        return {"ids": spelled({"general": fields["general"]}, row, "ids/settings")}

    def simple(self, path: str) -> dict[str, Any] | None:
        if path == "diagnostics/system/systemInformation":
            return {"name": "fw.example.org", "versions": [f"OPNsense {self.version}-amd64"]}
        if path == "diagnostics/system/systemTime":
            return {
                "boottime": f"boot {self.booted}", "uptime": "3 days, 04:05:06",
                "loadavg": "0.50, 0.25, 0.10",
            }  # fmt: skip
        if path in REBOOTS:
            self.booted += 1
            self.writes.append(path)
            return {"status": "ok"}
        if path.startswith(tuple(DEEDS)):
            self.writes.append(path)
            self.go_back(path.rpartition("/")[2])
            return next(dict(told) for deed, told in DEEDS.items() if path.startswith(deed))
        return self.service(path)

    def service(self, path: str) -> dict[str, Any] | None:
        if path.startswith("core/service/") and path.count("/") == 3:
            is_known = path.endswith("/unbound")
            self.active += [path] if is_known else []
            return {"result": "ok" if is_known else "failed"}
        if path.endswith("/reconfigure") or path == "core/firmware/check":
            self.active.append(path)
            return {"status": "ok"}
        return self.safe(path)

    def safe(self, path: str) -> dict[str, Any] | None:
        """Handle savepoint, apply with rollback, and its cancellation."""
        kind, call, revision = parts(path)
        if kind not in FIREWALL or call not in {"savepoint", "apply", "cancelRollback"}:
            return None
        if call == "savepoint":
            self.kept = {kind: copy.deepcopy(self.rows[kind])}
            self.revisions.add(revision := str(uuid.uuid4()))
            return {"status": "ok", "revision": revision}
        if call == "apply":
            self.is_locked = self.locks_out
            if not revision:
                self.active.append(f"{kind}/apply")
            elif revision not in self.revisions:
                return {"status": "error"}
            return {"status": "OK\n\n"}
        self.revisions.discard(revision)
        self.kept = {}
        self.active.append(f"{kind}/apply")
        return {"status": "ok"}

    def kind(self, path: str, body: dict[str, Any]) -> Told:
        if path.startswith(("diagnostics/ping/", "diagnostics/traceroute/")):
            return self.pinged(path, body), 200
        if path.startswith("core/backup/"):
            return self.backup(path.removeprefix("core/backup/"))
        kind, verb, noun, target = called(path)
        if verb == "moveRuleBefore":
            return self.move(kind, *target.split("/")), 200
        if verb == "search":
            wrapper = next(w for n, w in KINDS[kind].items() if noun in {n, f"{n}s"})
            return self.search(kind, wrapper, body), 200
        wrapper = KINDS[kind][noun]
        # Types at the same path differ by the wrapper key.
        rows = self.rows[kind if len(KINDS[kind]) == 1 else f"{kind} {wrapper}"]
        if verb == "get":
            return self.one(kind, wrapper, noun, rows, target)
        return self.change(path, verb, rows, target, body.get(wrapper, {})), 200

    def search(self, kind: str, wrapper: str, body: dict[str, Any]) -> dict[str, Any]:
        rows = self.rows[kind if len(KINDS[kind]) == 1 else f"{kind} {wrapper}"]
        found = [{"uuid": name, **row} for name, row in list(rows.items())]
        found.sort(key=lambda one: int(one.get("sequence") or 0))
        if kind == "firewall/filter" and numbers(self.version) < (26, 1):
            wanted = body.get("interface", "")
            found = [one for one in found if of_interface(one, wanted)]
        if kind == "firewall/alias":
            found += [{"uuid": name, "name": name} for name in BUILT_IN]
        if kind == "firewall/source_nat" and self.snat_mode == "automatic":
            found = []
        size = len(found) if body.get("rowCount", 7) == -1 else int(body.get("rowCount", 7))
        return {"rowCount": size, "total": len(found), "current": 1, "rows": found[:size]}

    def one(self, kind: str, wrapper: str, noun: str, rows: Any, target: str) -> Told:
        fields = self.fields(kind, noun, wrapper)
        if target in rows or not target:
            found = spelled(fields, rows.get(target, {}), kind)
            if wrapper == "alias":
                found["content"] = aliases(self.rows[kind], rows.get(target, {}))
            return {wrapper: found}, 200
        if wrapper == "alias":
            if numbers(self.version) < (26, 1):
                return {"errorMessage": "Unexpected error", "errorTitle": ""}, 500
            return {wrapper: {"content": aliases(self.rows[kind], {})}}, 200
        return [], 200

    def fields(self, kind: str, noun: str, wrapper: str) -> dict[str, Any]:
        """Return the fields of an object in this version, from its create call."""
        call = self.contract.find("POST", f"/api/{kind}/add{noun}", self.version)
        assert call is not None
        return self.inner(self.contract.body(call.told, self.version)[wrapper])

    def inner(self, field: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of an object in this version, at any depth."""
        return {
            name: {**one, "nested": self.inner(one)} if "nested" in one else one
            for name, one in self.contract.names(field, self.version).items()
        }

    def whole(self, kind: str, path: str) -> Told:
        """Return a whole model, as other clients request it; for source NAT its mode."""
        if path == "firewall/source_nat/get":
            options = ("automatic", "hybrid", "advanced", "disabled")
            mode = {n: {"value": n, "selected": int(n == self.snat_mode)} for n in options}
            return {"filter": {"general": {"snat_mode": mode}}}, 200
        (wrapper,) = KINDS[kind].values()
        fields = self.fields(kind, next(iter(KINDS[kind])), wrapper)
        rows = {one: spelled(fields, row, kind) for one, row in self.rows[kind].items()}
        return {wrapper: {wrapper: rows}}, 200

    def move(self, kind: str, moved: str, before: str) -> dict[str, Any]:
        rows = self.rows[kind]
        if not {moved, before} <= rows.keys():
            return {"status": "error", "message": "Rule not found"}
        there = sorted(rows, key=lambda name: int(rows[name].get("sequence") or 0))
        names = [name for name in there if name != moved]
        names.insert(names.index(before), moved)
        self.rows[kind] = {
            name: {**rows[name], "sequence": str((at + 1) * 100)}
            for at, name in enumerate(names)
        }
        self.writes.append(f"{kind}/moveRuleBefore")
        return {"status": "ok"}

    def change(
        self, path: str, verb: str, rows: Any, target: str, values: dict[str, Any]
    ) -> dict[str, Any]:
        if verb == "del" and target not in rows:
            return {"result": "not found"}
        self.writes.append(path)
        if verb == "del":
            del rows[target]
            return {"result": "deleted"}
        made = {} if target else {"uuid": (target := str(uuid.uuid4()))}
        kind, _, noun, _ = called(path)
        fields = self.fields(kind, noun, KINDS[kind][noun])
        unsaid = {n: one["default"] for n, one in fields.items() if "default" in one}
        if "sequence" in fields and kind in FIREWALL:
            # The next one, unless it is told.
            last = max((int(one.get("sequence") or 0) for one in rows.values()), default=0)
            unsaid["sequence"] = str(last + 100)
        old = rows.get(target, unsaid)
        rows[target] = {
            **old,
            **{
                name: {**old.get(name, {}), **one} if isinstance(one, dict) else one
                for name, one in values.items()
            },
        }
        if path.startswith("interfaces/vlan_settings"):
            rows[target]["vlanif"] = vlan_name(values, rows[target])
        return {"result": "saved", **made}


def parts(path: str) -> tuple[str, str, str]:
    """Split a path into type, call and rest."""
    module, controller, call, rest = [*path.split("/", 3), "", ""][:4]
    return f"{module}/{controller}", call, rest


def vlan_name(sent: dict[str, Any], row: dict[str, Any]) -> str:
    """Name the device after the sent values only, ignoring the stored ones."""
    if given := str(sent.get("vlanif", "")):
        return given
    return str(row.get("vlanif") or f"vlan0.{sent.get('tag', '')}")


def of_interface(row: dict[str, Any], wanted: str) -> bool:
    own = [one for one in str(row.get("interface", "")).split(",") if one]
    return own == [wanted] if wanted else len(own) != 1


def aliases(rows: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return all aliases as options, those contained in this one selected."""
    chosen = [one for one in str(row.get("content", "")).split("\n") if one]
    others = {one.get("name", ""): 0 for one in rows.values()}
    return {
        name: {"value": name, "selected": picked}
        for name, picked in {**others, **dict.fromkeys(chosen, 1)}.items()
    }


def spelled(fields: dict[str, Any], row: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a row as ``get`` does: all fields, options, the vendor's letter case."""
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if "nested" in field:
            found[name] = spelled(field["nested"], row.get(name, {}), kind)
            continue
        value = str(row.get(name, field.get("default", "")))
        if name == "protocol":
            value = value.lower() if kind == "firewall/d_nat" else value.upper()
            value = "any" if value == "ANY" else value
        if name == "hw_address":
            value = value.lower()
        found[name] = options(field, value) if "options" in field.get("read_as", "") else value
    return found


def options(field: dict[str, Any], value: str) -> Any:
    chosen = [one for one in value.split(",") if one]
    is_reference = "enum" not in field and "AllowDynamic" not in field.get("allows", [])
    if not chosen and field.get("read_as_empty") == "[]" and is_reference:
        return []
    known = dict.fromkeys([*field.get("enum", []), *INTERFACES, *chosen])
    return {one: {"value": one, "selected": int(one in chosen)} for one in known}


def camel(path: str) -> str:
    """Convert add_item of newer clients to addItem."""
    module, controller, call, *rest = [*path.split("/"), ""]
    head, *words = call.split("_")
    call = head + "".join(one.capitalize() for one in words)
    return "/".join([module, controller, call, *rest]).rstrip("/")


def called(path: str) -> tuple[str, str, str, str]:
    """Split a path into type, verb, noun and id."""
    kind, call, target = parts(path)
    verb = next((one for one in VERBS if re.match(one, call)), "")
    return kind, verb, call.removeprefix(verb), target


def opnsense() -> AbstractContextManager[OPNsense]:
    return serving(OPNsense())
