"""Stand-in UniFi OS console with the integration API and the older one."""

import hashlib
import secrets
import uuid
from copy import deepcopy
from typing import Any

from tests.fleet.gateway import StandIn, Told
from tests.fleet.http import Request

SITE = "88f7af54-98f8-306a-a1c7-c9349722b1f6"
ROOT = "/proxy/network/"
OFFICIAL = {
    "networks", "firewall/zones", "firewall/policies", "dns/policies", "hotspot/vouchers",
}  # fmt: skip
# Read-only fields.
TOLD = {
    "networks": {"default": False},
    "firewall/policies": {"index": 10000},
    "hotspot/vouchers": {
        "createdAt": "2026-11-26T12:00:00Z",
        "code": "4861409510",
        "expired": False,
        "authorizedGuestCount": 0,
    },
}
# Answers to a deletion.
GONE = {"hotspot/vouchers": {"vouchersDeleted": 1}}
DEVICE = {
    "id": "0a0a0a0a-0000-4000-8000-000000000001", "macAddress": "02:00:00:00:00:01",
    "ipAddress": "192.168.1.1", "name": "gateway", "model": "UDM", "state": "ONLINE",
    "supported": True, "firmwareUpdatable": False, "features": ["gateway"],
    "interfaces": ["ports"],
}  # fmt: skip
AP_GROUP = "7" * 24
# The older API returns some numbers as text.
AS_TEXTS = {"static-route_distance", "rule_index"}
TABLES = {
    "firewallgroup", "firewallrule", "portforward", "routing", "user", "wlanconf", "networkconf",
    "account", "portconf", "dynamicdns", "hotspotop", "wlangroup", "device",
}  # fmt: skip
NEWER = {"static-dns", "trafficrules", "trafficroutes", "apgroups"}
COMMANDS = {
    "upgrade", "adopt", "set-locate", "force-provision", "block-sta", "unblock-sta", "kick-sta",
}  # fmt: skip
# Own settings of devices.
GATEWAY, ACCESS_POINT = "a" * 24, "b" * 24
DEVICES: dict[str, dict[str, Any]] = {
    GATEWAY: {
        "name": "gateway",
        "port_overrides": [{"port_idx": 1, "name": "Uplink", "poe_mode": "auto"}],
    },
    ACCESS_POINT: {
        "radio_table": [{"radio": "na", "channel": "auto", "ht": 40, "tx_power_mode": "auto"}],
    },
}
SAMPLES = {
    "port_overrides": f"{GATEWAY}:1", "radio_table": f"{ACCESS_POINT}:na", "": GATEWAY,
}  # fmt: skip


class UniFi(StandIn):
    vendor, version = "unifi", "10.5.66"
    base = "/network/default"

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port, version=version)
        kinds = (*OFFICIAL, *TABLES, *NEWER)
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in kinds}
        self.ahead: list[str] = []
        self.rows["networkconf"]["6" * 24] = {"_id": "6" * 24, "purpose": "wan", "name": "WAN"}
        self.rows["device"] = {n: {"_id": n, **deepcopy(one)} for n, one in DEVICES.items()}
        self.rows["apgroups"][AP_GROUP] = {
            "_id": AP_GROUP,
            "name": "All APs",
            "device_macs": [],
        }

    @property
    def backup(self) -> bytes:
        """Return its own backup, which it encrypts."""
        return hashlib.sha512(repr(self.rows).encode()).digest() * 20

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        if feature.noun == "device":
            name, _, part = target.partition(":")
            device = self.rows["device"][name]
            rows = device.get(feature.wrapper, [])
            mine = [row for row in rows if str(row.get(feature.identity[0])) == part]
            return mine[0] if part else device
        row = self.rows[feature.path].get(target)
        is_gone = feature.path == "user" and row and not row.get("use_fixedip")
        return None if is_gone else row

    def sample(self, feature: Any) -> str:
        return SAMPLES[feature.wrapper] if feature.noun == "device" else ""

    def tell(self, request: Request) -> Told:
        if request.headers.get("x-api-key") != self.secret:
            return {"statusCode": 401, "code": "api.authentication.invalid"}, 401
        path = request.path.removeprefix(ROOT)
        query = dict(request.query)
        call, problems = self.judged(request.method, request.path, request.data or {}, query)
        if call is None:
            return {"statusCode": 404, "code": "api.not-found", "meta": {"rc": "error"}}, 404
        if problems:
            return refused(path, problems[0])
        if path.startswith("integration/v1/"):
            return self.official(request, path.removeprefix("integration/v1/"))
        if path.startswith(("v2/", "dl/")):
            return self.newer(request, path.removeprefix("v2/api/site/default/"))
        return self.older(request, path.removeprefix("api/s/default/"))

    # --- the integration API

    def official(self, request: Request, path: str) -> Told:
        site = {"id": SITE, "internalReference": "default", "name": "Home"}
        told = {
            "info": {"applicationVersion": self.version}, "sites": page([site]),
            f"sites/{SITE}/devices": page([DEVICE]),
        }  # fmt: skip
        if path in told:
            return told[path], 200
        path = path.removeprefix(f"sites/{SITE}/")
        kind, _, target = path.rpartition("/")
        if path == "firewall/policies/ordering":
            return self.ordering(request)
        if path in OFFICIAL and request.method == "GET":
            return page(list(self.rows[path].values())), 200
        if path in OFFICIAL:
            return self.made(path, request.data)
        if kind in OFFICIAL:
            return self.one(request, kind, target)
        return self.device(request, path)

    def ordering(self, request: Request) -> Told:
        """Policies before the system's own, and after them."""
        rows = self.rows["firewall/policies"]
        if request.method == "PUT":
            told = request.data["orderedFirewallPolicyIds"]
            self.ahead = list(told["beforeSystemDefined"])
            names = [*self.ahead, *told["afterSystemDefined"]]
            self.rows["firewall/policies"] = rows = {name: rows[name] for name in names}
            self.writes.append("PUT firewall/policies/ordering")
        known = {
            "beforeSystemDefined": [name for name in rows if name in self.ahead],
            "afterSystemDefined": [name for name in rows if name not in self.ahead],
        }
        return {"orderedFirewallPolicyIds": known}, 200

    def device(self, request: Request, path: str) -> Told:
        if path.endswith("/statistics/latest"):
            return {"uptimeSec": 1_000_000 // self.booted, "interfaces": {"radios": []}}, 200
        if path.endswith("/actions") and request.method == "POST":
            return self.acted(path, request.data.get("action"))
        return {"statusCode": 404, "code": "api.not-found"}, 404

    def made(self, kind: str, sent: dict[str, Any]) -> Told:
        name = str(uuid.uuid4())
        told = {"id": name, **TOLD.get(kind, {})}
        if kind == "hotspot/vouchers":
            sent = {n: v for n, v in sent.items() if n != "count"}
        else:
            told["metadata"] = {"origin": "USER_DEFINED"}
        self.rows[kind][name] = {**told, **sent}
        self.writes.append(f"POST {kind}")
        row = self.rows[kind][name]
        return ({"vouchers": [row]} if kind == "hotspot/vouchers" else row), 201

    def one(self, request: Request, kind: str, target: str) -> Told:
        rows = self.rows[kind]
        if target not in rows:
            return {"statusCode": 404, "code": "api.not-found"}, 404
        if request.method == "GET":
            return rows[target], 200
        if request.method == "PUT":
            kept = {n: rows[target][n] for n in ("id", "metadata", *TOLD.get(kind, {}))}
            rows[target] = {**request.data, **kept}
        else:
            del rows[target]
        self.writes.append(f"{request.method} {kind}")
        return rows.get(target, GONE.get(kind, {})), 200

    def acted(self, path: str, action: Any) -> Told:
        if action == "RESTART":
            self.booted += 1
        elif action != "POWER_CYCLE":
            return {"statusCode": 400, "code": "api.request.invalid-action"}, 400
        self.writes.append(f"{action} {path}")
        return {}, 200

    # --- the older API

    def older(self, request: Request, path: str) -> Told:
        kind, _, rest = path.partition("/")
        if kind == "cmd":
            return self.command(rest, request.data)
        if kind == "stat":
            told = {"version": f"7.{self.booted}", "uptime": 1_000_000 // self.booted}
            found = self.measured.get(path, [told])
            return wrapped(
                [{**one, **self.rows["device"].get(one.get("_id"), {})} for one in found]
            ), 200
        table, _, target = rest.partition("/")
        if kind != "rest" or table not in TABLES:
            return wrapped([], "api.err.NotFound"), 404
        rows = self.rows[table]
        if not target and request.method == "GET":
            return wrapped(list(rows.values())), 200
        if target and target not in rows:
            return wrapped([], "api.err.IdInvalid"), 400
        return self.entry(request, table, target), 200

    def entry(self, request: Request, table: str, target: str) -> dict[str, Any]:
        rows = self.rows[table]
        if request.method == "GET":
            return wrapped([rows[target]])
        known = [
            row["_id"] for row in rows.values() if row.get("mac") == request.data.get("mac")
        ]
        if table == "user" and not target and known:
            return wrapped([], "api.err.MacUsed")
        if table == "wlanconf" and not target and "ap_group_ids" not in request.data:
            return wrapped([], "api.err.ApGroupMissing")
        self.writes.append(f"{request.method} {table}")
        if request.method == "DELETE":
            del rows[target]
            return wrapped([])
        target = target or secrets.token_hex(12)
        texts = {n: str(v) for n, v in request.data.items() if n in AS_TEXTS}
        row = rows.setdefault(target, {"_id": target, "site_id": "5" * 24})
        row.update({**request.data, **texts})
        return wrapped([row])

    def command(self, manager: str, sent: dict[str, Any]) -> Told:
        command = sent.get("cmd")
        if (manager, command) == ("backup", "backup"):
            return wrapped([{"url": f"/dl/autobackup/{self.version}.unf"}]), 200
        if command == "forget-sta":
            users = self.rows["user"]
            gone = [name for name, row in users.items() if row["mac"] in sent["macs"]]
            for name in gone:
                del users[name]
        elif command in COMMANDS and (sent.get("mac") or sent.get("macs")):
            self.booted += command == "upgrade"
        else:
            return wrapped([], "api.err.UnknownCommand"), 400
        self.writes.append(f"{manager} {command}")
        return wrapped([]), 200

    def newer(self, request: Request, path: str) -> Told:
        kind, _, target = path.partition("/")
        if kind == "dl":
            return self.backup, 200
        if kind not in NEWER:
            return {"code": "api.err.NotFound"}, 404
        rows = self.rows[kind]
        if request.method == "GET":
            return list(rows.values()), 200
        if request.method == "DELETE":
            del rows[target]
        else:
            target = target or secrets.token_hex(12)
            rows[target] = {"_id": target, **request.data}
        self.writes.append(f"{request.method} {kind}")
        return rows.get(target, {}), 200

    def refusal(self) -> Told:
        return {"statusCode": 400, "code": "api.request.invalid"}, 400


def refused(path: str, problem: str) -> Told:
    if path.startswith("api/s/"):
        return wrapped([], "api.err.InvalidPayload"), 400
    return {"statusCode": 400, "code": "api.request.invalid", "message": problem}, 400


def page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"offset": 0, "limit": 200, "count": len(rows), "totalCount": len(rows)}
    return {**found, "data": rows}


def wrapped(rows: list[dict[str, Any]], error: str = "") -> dict[str, Any]:
    meta = {"rc": "error", "msg": error} if error else {"rc": "ok"}
    return {"meta": meta, "data": rows}
