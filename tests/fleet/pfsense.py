"""Stand-in pfSense with the REST API package: objects numbered by position."""

import base64
import hashlib
import json
import shlex
from typing import Any
from xml.sax.saxutils import escape, unescape

from tests.fleet.contract import holds
from tests.fleet.gateway import StandIn, Told
from tests.fleet.http import Request

# Path of one object and of all objects.
KINDS = {
    "firewall/rule": "firewall/rules",
    "firewall/alias": "firewall/aliases",
    "firewall/nat/port_forward": "firewall/nat/port_forwards",
    "firewall/nat/outbound/mapping": "firewall/nat/outbound/mappings",
    "firewall/nat/one_to_one/mapping": "firewall/nat/one_to_one/mappings",
    "routing/static_route": "routing/static_routes",
    "routing/gateway": "routing/gateways",
    "services/dhcp_server/static_mapping": "services/dhcp_server/static_mappings",
    "services/dns_resolver/host_override": "services/dns_resolver/host_overrides",
    "services/dns_resolver/domain_override": "services/dns_resolver/domain_overrides",
    "interface/vlan": "interface/vlans",
    "vpn/wireguard/tunnel": "vpn/wireguard/tunnels",
    "vpn/wireguard/peer": "vpn/wireguard/peers",
    "services/cron/job": "services/cron/jobs",
    "vpn/openvpn/server": "vpn/openvpn/servers",
    "vpn/ipsec/phase1": "vpn/ipsec/phase1s",
    "vpn/ipsec/phase2": "vpn/ipsec/phase2s",
}
# What there is one of for each interface, named by it.
BY_NAME = {"services/dhcp_server": "services/dhcp_servers"}
SETTINGS = {
    "system/hostname": {"hostname": "pfSense", "domain": "home.arpa"},
    "system/dns": {"dnsserver": [], "dnsallowoverride": True},
}
APPLIES = {
    "firewall/apply", "routing/apply", "services/dns_resolver/apply",
    "services/dhcp_server/apply", "vpn/wireguard/apply", "vpn/ipsec/apply",
}  # fmt: skip
EMPTY = {"string": "", "array": []}
PLURALS = {plural: one for one, plural in {**KINDS, **BY_NAME}.items()}


class PfSense(StandIn):
    vendor, version = "pfsense", "2.7.1"
    key = "portal"

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port, version=version)
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in KINDS}
        # An existing object, so that positions and ids differ.
        self.rows["firewall/rule"].append({"type": "pass", "tracker": 1, "interface": ["lan"]})
        self.rows["services/dhcp_server"] = [
            {"id": "lan", "interface": "lan", "enable": False, "range_from": "192.168.1.10",
             "range_to": "192.168.1.99", "defaultleasetime": 7200},
        ]  # fmt: skip
        self.settings = {name: dict(row) for name, row in SETTINGS.items()}
        self.last = 1_700_000_000
        # Of its shell.
        self.files: dict[str, bytes] = {}
        self.names_interfaces_by = "id"
        # How often it is asked until what has changed is reloaded.
        self.reloads_for = self.reloading = 0

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        if feature.path in self.settings:
            return self.settings[feature.path]
        rows = self.rows[feature.path]
        # In tests there is one of each type, except for the existing rule.
        found = rows[1:] if feature.path == "firewall/rule" else rows
        return {**found[0], **joined(found[0])} if found else None

    def overwrite(self, feature: Any, target: str, values: dict[str, Any]) -> None:
        self.rows[feature.path][-1].update(values)

    def tell(self, request: Request) -> Told:
        basic = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        by_key = request.headers.get("x-api-key") == self.secret
        if not by_key and request.headers.get("authorization") != f"Basic {basic}":
            return said(401, None, "AUTH_AUTHENTICATION_FAILED")
        path = request.path.removeprefix("/api/v2/")
        query, body = dict(request.query), request.data or {}
        if request.method == "DELETE":
            query = {name: value for name, value in query.items() if value}
        call, problems = self.judged(request.method, request.path, body, query)
        if call is None:
            return said(404, None, "ENDPOINT_NOT_FOUND")
        if problems:
            return said(400, None, "FIELD_INVALID", f"Field `{problems[0].partition(':')[0]}`.")
        if request.method == "GET":
            return self.get(path)
        return self.change(request.method, path, {**body, **query})

    def change(self, method: str, path: str, sent: dict[str, Any]) -> Told:
        if path in APPLIES and method == "POST":
            # An asynchronous response does not show failures.
            self.faults += [] if sent.get("async") is False else [f"{path}: async"]
            self.active.append(path)
            self.reloading = self.reloads_for
            return said(200, self.reloaded())
        if path in KINDS:
            return self.touch(method, path, sent)
        return self.do(method, path, sent)

    def is_write(self, request: Request) -> bool:
        return request.method != "GET" and not request.path.endswith("/apply")

    def get(self, path: str) -> Told:
        if path in PLURALS:
            rows = self.rows[PLURALS[path]]
            return said(200, [self.shown(at, row) for at, row in enumerate(rows)])
        if path in APPLIES:
            self.reloading = max(self.reloading - 1, 0)
            return said(200, self.reloaded())
        days = 10 // self.booted
        told: dict[str, Any] = {
            **self.settings,
            "system/version": {"version": "2.8.1-RELEASE", "base": "2.8.1"},
            "system/restapi/version": {"current_version": f"v{self.version}"},
            "system/restapi/settings": {"represent_interfaces_as": self.names_interfaces_by},
            **self.measured,
            "status/system": {
                **self.measured["status/system"],
                "uptime": f"{days} Days 02 Hours 03 Minutes 04 Seconds",
            },
            "status/services": [{"id": 0, "name": "dhcpd"}, {"id": 1, "name": "unbound"}],
        }
        if path in told:
            return said(200, told[path])
        return said(404, None, "ENDPOINT_NOT_FOUND")

    def reloaded(self) -> dict[str, Any]:
        pending = ["filter"] if self.reloading else []
        return self.known({"applied": not pending, "pending_subsystems": pending})

    def touch(self, method: str, path: str, sent: dict[str, Any]) -> Told:
        rows = self.rows[path]
        if method == "POST":
            if refused := too_large(path, sent):
                return refused
            self.last += 1
            made = {
                "firewall/rule": {"tracker": self.last},
                "interface/vlan": {"vlanif": f"{sent.get('if')}.{sent.get('tag')}"},
                "vpn/wireguard/tunnel": {"name": f"tun_wg{len(rows)}"},
                "vpn/openvpn/server": {"vpnid": self.last},
                "vpn/ipsec/phase1": {"ikeid": self.last},
                "vpn/ipsec/phase2": {"uniqid": str(self.last)},
            }
            at = int(sent.pop("placement", len(rows)))
            rows.insert(at, {**self.unsaid(path), **sent, **made.get(path, {})})
            self.writes.append(f"POST {path}")
            return said(200, self.shown(at, rows[at]))
        at = int(sent.pop("id", -1))
        if not 0 <= at < len(rows):
            return said(404, None, "MODEL_OBJECT_NOT_FOUND")
        if path == "services/dhcp_server/static_mapping" and "parent_id" not in sent:
            return said(400, None, "MODEL_PARENT_ID_REQUIRED")
        self.writes.append(f"{method} {path}")
        if method == "DELETE":
            return said(200, self.shown(at, rows.pop(at)))
        placement = int(sent.pop("placement", at))
        rows[at].update(sent)
        rows.insert(placement, rows.pop(at))
        at = placement
        if path == "interface/vlan":
            rows[at]["vlanif"] = f"{rows[at]['if']}.{rows[at]['tag']}"
        return said(200, self.shown(at, rows[at]))

    def shown(self, at: int, row: dict[str, Any]) -> dict[str, Any]:
        return self.known({"id": at, **row})

    def known(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return what the package reports of a row: some secrets are only written."""
        assert self.current is not None
        told = self.contract.spec(self.current.told["answer"]["data"])
        names = self.contract.spec(told.get("items", told))["nested"]
        return {n: v for n, v in row.items() if n in names}

    def unsaid(self, path: str) -> dict[str, Any]:
        """Return the defaults of omitted fields; null if that is the default."""
        call = self.contract.find("POST", f"/api/v2/{path}", self.version)
        assert call is not None
        fields = self.contract.body(call.told, self.version)
        there = {n: f for n, f in fields.items() if holds(f, self.version)}
        return {n: f.get("default", EMPTY.get(f["type"])) for n, f in there.items()}

    def do(self, method: str, path: str, sent: dict[str, Any]) -> Told:
        if path == "diagnostics/ping":
            told = f"64 bytes from {sent['host']}: icmp_seq=0 ttl=64 time=1.250 ms\n"
            return said(200, {"output": told, "result_code": 0})
        if path == "diagnostics/command_prompt":
            return said(200, self.shell(sent["command"]))
        if method == "PATCH" and path in BY_NAME:
            row = next(one for one in self.rows[path] if one["id"] == sent["id"])
            row.update(sent)
            self.writes.append(f"PATCH {path}")
            return said(200, self.known(row))
        if method == "PATCH" and path in self.settings:
            self.settings[path].update(sent)
        elif method == "POST" and path in {"diagnostics/reboot", "diagnostics/halt_system"}:
            self.booted += 1
        elif not (method == "POST" and path == "status/service" and sent.get("id") == 1):
            return said(404, None, "ENDPOINT_NOT_FOUND")
        self.writes.append(f"{method} {path}")
        return said(200, {})

    def configuration(self) -> bytes:
        """Return config.xml, with what it holds as one element a list."""
        known = json.dumps({"rows": self.rows, "settings": self.settings}, indent=1)
        return f'<?xml version="1.0"?>\n<pfsense>{escape(known)}</pfsense>\n'.encode()

    def shell(self, command: str) -> dict[str, Any]:
        """Do the commands that the portal runs on the firewall; it has no other ones."""
        self.files["/conf/config.xml"] = self.configuration()
        output = ""
        for one in command.split(" && "):
            name, *words = shlex.split(one)
            work = getattr(self, f"shell_{name}", None)
            if work is None:
                return {"output": f"{name}: not found\n", "result_code": 127}
            output = work(words) or output
        return {"output": output, "result_code": 0}

    def shell_openssl(self, words: list[str]) -> str:
        if "-d" not in words:
            return base64.b64encode(self.files[words[-1]]).decode()
        self.files[words[-1]] = base64.b64decode(self.files[words[words.index("-in") + 1]])
        return ""

    def shell_printf(self, words: list[str]) -> None:
        _, text, _, name = words
        self.files[name] = self.files.get(name, b"") + text.encode()

    def shell_sha256(self, words: list[str]) -> str:
        return hashlib.sha256(self.files[words[-1]]).hexdigest() + "\n"

    def shell_cp(self, words: list[str]) -> None:
        self.load(self.files[words[0]])
        self.writes.append(f"cp {words[1]}")

    def shell_rm(self, words: list[str]) -> None:
        for word in words:
            self.files.pop(word, None)

    def load(self, contents: bytes) -> None:
        text = contents.decode().partition("<pfsense>")[2].partition("</pfsense>")[0]
        known = json.loads(unescape(text))
        self.rows, self.settings = known["rows"], known["settings"]

    def refusal(self) -> Told:
        return said(400, None, "FIELD_INVALID_CHOICE")


def joined(row: dict[str, Any]) -> dict[str, Any]:
    """Convert lists of objects to our slash notation."""
    return {
        name: ["/".join(map(str, one.values())) for one in row[name]]
        for name in ("addresses", "allowedips", "encryption", "encryption_algorithm_option")
        if name in row
    }


def too_large(path: str, sent: dict[str, Any]) -> Told | None:
    """Reject the default subnet of 128 bits for an IPv4 address."""
    is_meant = path.endswith("outbound/mapping") and ":" not in str(sent.get("target"))
    if is_meant and int(sent.get("target_subnet", 128)) > 32:
        return said(400, None, "OUTBOUND_NAT_MAPPING_TARGET_SUBNET_TOO_LARGE_FOR_IPV4")
    return None


def said(code: int, data: Any, response: str = "SUCCESS", message: str = "") -> Told:
    status = {200: "ok", 400: "bad request", 401: "unauthorized", 404: "not found"}[code]
    found = {
        "code": code,
        "status": status,
        "response_id": response,
        "message": message,
        "data": data,
    }
    return found, code
