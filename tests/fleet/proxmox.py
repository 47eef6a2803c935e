"""Stand-in Proxmox VE: guests, tasks, rules by position, and token permissions."""

import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fleet.gateway import StandIn, Told
from tests.fleet.http import JSON, Answer, Request

TOKEN = "root@pam!muster"
# Collections and their id field; rules are identified by position.
COLLECTIONS = {
    "cluster/firewall/rules": "pos",
    "cluster/firewall/aliases": "name",
    "cluster/firewall/ipset": "name",
    "cluster/sdn/zones": "zone",
    "cluster/sdn/vnets": "vnet",
    "cluster/ha/resources": "sid",
    "cluster/ha/groups": "group",
    "cluster/backup": "id",
    "nodes/pve/network": "iface",
    "nodes/pve/qemu/100/firewall/rules": "pos",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "cluster/firewall/options": {"enable": 0, "digest": "d1"},
    "nodes/pve/qemu/100/firewall/options": {"digest": "d2"},
    "nodes/pve/qemu/100/config": {"name": "web", "cores": 2, "memory": "2048", "digest": "d3"},
    "nodes/pve/lxc/200/config": {"hostname": "dns", "memory": 512, "digest": "d4"},
    "nodes/pve/dns": {"search": "example.net", "dns1": "192.0.2.1"},
}
APPLIES = {"cluster/sdn", "nodes/pve/network"}
GUEST = re.compile(r"nodes/pve/(qemu|lxc)/(\d+)(?:/(.*))?")
TASKS = {
    "status/start": "start", "status/stop": "stop", "status/shutdown": "shutdown",
    "status/reboot": "reboot", "status/suspend": "suspend", "status/resume": "resume",
    "clone": "clone", "snapshot": "snapshot", "snapshot/first/rollback": "rollback",
    "snapshot/first": "delsnapshot", "migrate": "igrate", "remote_migrate": "igrate",
    "template": "template", None: "destroy",
}  # fmt: skip


class Proxmox(StandIn):
    vendor, version = "proxmox", "9.0.3"
    key = TOKEN

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port, version=version)
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLLECTIONS}
        self.rows["nodes/pve/network"].append({"iface": "vmbr0", "type": "bridge", "active": 1})
        self.settings = {name: dict(row) for name, row in SETTINGS.items()}
        self.tasks: list[dict[str, Any]] = []
        # Exit status of tasks, and the number of polls until then.
        self.exitstatus, self.runs_for = "OK", 1

    def sample(self, feature: Any) -> str:
        return {"nodes/{node}/lxc/{vmid}/config": "pve:200", "nodes/{node}/dns": "pve"}.get(
            feature.path, "pve:100" if "{vmid}" in feature.path else ""
        )

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        place, name = feature.located(target)
        path = feature.path.format(**place)
        if path in self.settings:
            return self.settings[path]
        for row in self.rows[path]:
            if feature.identity and str(row[feature.identity[0]]) == name:
                return {**row, **place}
        # Rules have no id; tests have at most one.
        found = self.rows[path] if not feature.identity else []
        return {**found[0], **place} if found else None

    def overwrite(self, feature: Any, target: str, values: dict[str, Any]) -> None:
        place, name = feature.located(target)
        for row in self.rows[feature.path.format(**place)]:
            if str(row[feature.identity[0]]) == name:
                row.update(feature.values(values))

    def answer(self, request: Request) -> Answer:
        body, status = self.tell(request)
        self.judge_answer(f"{request.method} {request.path}", status, body)
        return status, JSON, json.dumps(body)

    def tell(self, request: Request) -> Told:
        token = f"PVEAPIToken={self.key}={self.secret}"
        if request.headers.get("authorization") != token:
            return {"data": None, "message": "authentication failure"}, 401
        path = request.path.removeprefix("/api2/json/")
        sent = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        sent |= dict(request.query)
        if request.headers.get("content-type", "").startswith("application/json"):
            sent = request.data
        query = dict(request.query)
        body = {n: v for n, v in sent.items() if n not in query}
        call, problems = self.judged(request.method, urlsplit(request.target).path, body, query)
        if call is None:
            text = f"Method '{request.method} /{path}' not implemented"
            return {"data": None, "message": text}, 501
        if problems:
            errors = {one.partition(":")[0]: one for one in problems}
            return {
                "data": None,
                "errors": errors,
                "message": "Parameter verification failed.",
            }, 400
        if request.method == "GET":
            return self.get(path, sent)
        return self.change(request.method, path, sent)

    def get(self, path: str, asked: dict[str, str]) -> Told:
        if path in self.rows:
            rows = self.rows[path]
            by_place = COLLECTIONS[path] == "pos"
            mark = {"digest": digest(rows)} if by_place else {}
            found = [
                {**r, **mark, **({"pos": n} if by_place else {})} for n, r in enumerate(rows)
            ]
            return {"data": found}, 200
        if path in self.settings:
            return {"data": self.settings[path]}, 200
        told: dict[str, Any] = {
            **self.measured,
            "version": {"version": self.version, "release": self.version[:3]},
            "nodes": [{"node": "pve", "status": "online"}],
            "cluster/resources": [
                {"node": "pve", "vmid": 100, "type": "qemu"},
                {"node": "pve", "vmid": 200, "type": "lxc"},
            ],
            "nodes/pve/status": {
                **self.measured["nodes/pve/status"],
                "uptime": 1_000_000 // self.booted,
            },
            "nodes/pve/tasks": [
                t for t in reversed(self.tasks) if t["type"] == asked.get("typefilter")
            ][:1],
        }
        if path in told:
            return {"data": told[path]}, 200
        for task in self.tasks:
            if path == f"nodes/pve/tasks/{task['upid']}/status":
                return {"data": self.look(task)}, 200
        return {"data": None, "message": f"no such resource '{path}'"}, 501

    def look(self, task: dict[str, Any]) -> dict[str, Any]:
        task["looks"] += 1
        if task["looks"] <= self.runs_for:
            return {"status": "running", "upid": task["upid"]}
        return {"status": "stopped", "exitstatus": self.exitstatus, "upid": task["upid"]}

    def change(self, method: str, path: str, sent: dict[str, Any]) -> Told:
        if method == "PUT" and path in APPLIES:
            # A task puts it into effect, after the answer.
            self.active.append(path)
            return self.begin("srvreload" if "sdn" not in path else "reloadnetworkall")
        if path in self.rows and method == "POST":
            return self.add(path, sent)
        if path in self.settings and method == "PUT":
            self.put(self.settings[path], sent)
            self.writes.append(f"PUT {path}")
            return {"data": None}, 200
        parent, _, name = path.rpartition("/")
        if parent in self.rows:
            return self.touch(method, parent, name, sent)
        return self.do(method, path, sent)

    def add(self, path: str, sent: dict[str, Any]) -> Told:
        name = COLLECTIONS[path]
        if name != "pos" and any(row[name] == sent.get(name) for row in self.rows[path]):
            return {"data": None, "message": f"{name} '{sent[name]}' already exists\n"}, 500
        self.rows[path].insert(0, spelled(sent))
        self.writes.append(f"POST {path}")
        return {"data": None}, 200

    def touch(self, method: str, path: str, name: str, sent: dict[str, Any]) -> Told:
        by_place = COLLECTIONS[path] == "pos"
        if sent.pop("digest", (now := digest(self.rows[path]))) != now:
            text = "detected modified configuration - file changed by other user? Try again.\n"
            return {"data": None, "message": text}, 500
        for at, row in enumerate(self.rows[path]):
            if name == (str(at) if by_place else str(row[COLLECTIONS[path]])):
                self.writes.append(f"{method} {path}")
                if method == "DELETE":
                    del self.rows[path][at]
                elif "moveto" in sent:
                    rest = self.rows[path]
                    ahead = [one for one in rest[: int(sent["moveto"])] if one is not row]
                    behind = [one for one in rest[int(sent["moveto"]) :] if one is not row]
                    self.rows[path] = [*ahead, row, *behind]
                else:
                    self.put(row, sent)
                return {"data": None}, 200
        return {"data": None, "message": f"no such item '{name}'\n"}, 500

    def put(self, row: dict[str, Any], sent: dict[str, Any]) -> None:
        for name in sent.pop("delete", "").split(","):
            row.pop(name, None)
        row.update(spelled(sent))

    def do(self, method: str, path: str, sent: dict[str, Any]) -> Told:
        guest = GUEST.fullmatch(path)
        if path == "nodes/pve/status" and sent.get("command") in {"reboot", "shutdown"}:
            self.booted += 1
            self.writes.append(f"{sent['command']} {path}")
            return {"data": None}, 200
        if path in {"nodes/pve/vzdump", "nodes/pve/apt/update"}:
            return self.deed("vzdump" if "vzdump" in path else "aptupdate", path)
        if (
            guest
            and guest[3] in TASKS
            and (method == "DELETE") == (guest[3] in {None, "snapshot/first"})
        ):
            prefix = "qm" if guest[1] == "qemu" else "vz"
            name = TASKS[guest[3]]
            is_moved = (prefix, name) == ("vz", "igrate")
            return self.deed("vzmigrate" if is_moved else prefix + name, path)
        return self.other(path, sent)

    def other(self, path: str, sent: dict[str, Any]) -> Told:
        """What the contract knows besides: a task, an object, or nothing is told."""
        assert self.current is not None
        kind = self.current.told["answer"]["data"]["type"]
        if kind == "string":
            made = {"nodes/pve/qemu": "qmcreate", "nodes/pve/lxc": "vzcreate"}
            restored = "qmrestore" if "archive" in sent else ""
            restored = "vzrestore" if sent.get("restore") else restored
            return self.deed(restored or made.get(path, path.rpartition("/")[2]), path)
        self.writes.append(path)
        told = {"pid": 77} if path.endswith("exec") else {}
        return {"data": told if kind == "object" else None}, 200

    def deed(self, kind: str, path: str) -> Told:
        self.writes.append(path)
        return self.begin(kind)

    def begin(self, kind: str) -> Told:
        upid = f"UPID:pve:{len(self.tasks):08X}:0012ABCD:65A1B2C3:{kind}:100:{TOKEN}:"
        self.tasks.append({"upid": upid, "type": kind, "looks": 0})
        return {"data": upid}, 200

    def refusal(self) -> Told:
        return {"data": None, "errors": {"cidr": "invalid format"}}, 400


def digest(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:40]


def spelled(sent: dict[str, Any]) -> dict[str, Any]:
    """What was sent as it is told: texts of several lines end one, tags are sorted."""
    found = dict(sent)
    for name in ("description", "comments"):
        if found.get(name):
            found[name] = f"{found[name]}\n"
    if found.get("tags"):
        found["tags"] = ";".join(sorted(set(re.split(r"[,; ]+", found["tags"]))))
    return found
