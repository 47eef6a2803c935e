"""Stand-in Omada controller with its Open API: status 200, errors by number."""

import re
import secrets
from copy import deepcopy
from typing import Any

from networks.gateways.engine.features.versions import parsed
from tests.fleet.gateway import StandIn, Told
from tests.fleet.http import Request

CONTROLLER, SITE, TOKEN = "c" * 32, "5" * 24, "AT-" + "t" * 32
KINDS = (
    "vpn/wireguards", "vpn/wireguard-peers", "nat/port-forwardings", "nat/one-to-one-nat",
    "acls/osg-acls", "routing/static-routings", "setting/service/dhcp", "lan-networks",
    "profiles/groups", "oui-profiles", "rate-limit-profiles", "profiles/ldap", "url-filters",
    "vpn/users", "vpn/ssl-vpn-server/users", "hotspot/operators", "upgrade-schedules",
    "reboot-schedules", "setting/lan/dns", "lan-profiles",
)  # fmt: skip
# What is told of one besides: some of it is lost unless it is sent back, some is not taken back.
TOLD = {
    "nat/port-forwardings": {
        "existWanIp": True,
        "wanIps": [{"wanId": "w1", "ip": "192.0.2.9"}],
    },
    "acls/osg-acls": {"index": 1},
    "setting/service/dhcp": {"netName": "LAN", "clientName": "printer"},
    "lan-networks": {"primary": False},
    "vpn/ssl-vpn-server/users": {"name": ""},
}
# What a site has one of.
SETTINGS: dict[str, dict[str, Any]] = {
    "upnp": {"enable": False},
    "nat/alg": {"ftp": True, "h323": True, "ipSec": True, "pptp": True, "sip": True,
                "ftpPorts": [21], "existFtpAlgConfig": True},
    "attack-defense": {
        **dict.fromkeys(
            ("icmpConnEnable", "icmpSrcEnable", "largePingEnable", "pingDeathEnable", "pingWanEnable",
             "specifiedOptionEnable", "tcpConnEnable", "tcpFinNoAckEnable", "tcpScanEnable",
             "tcpSrcEnable", "tcpSynFinEnable", "udpConnEnable", "udpSrcEnable",
             "winNukeAttackEnable"), False),
        "supportTcpScanReject": True, "tcpConnLimit": 1000,
    },
    "network-security/ips": {"enable": False, "ipsMode": 0, "dpLevel": 0},
    "network-security/wireless-ids": {"status": False, "level": 1},
    "mesh": {"mesh": {"meshEnable": True, "defGatewayEnable": True}},
    "setting/service/snmp": {"snmpV1V2CEnable": False, "snmpV3Enable": False, "username": "omada"},
    "remote-logging": {"remoteLog": {"enable": False, "resource": 0, "host": "192.0.2.49", "port": 514}},
    "vpn/ssl-vpn-server/setting": {"id": "s" * 24, "status": True, "servicePort": 1194,
                                   "primaryDns": "192.168.0.1", "supportLDAP": True},
    "vpn/gre-tunnel": {"greEnable": False, "tunnelMtu": 1400, "primaryAddress": "192.0.2.19"},
}  # fmt: skip
SWITCH, GROUP = "02-00-00-00-00-07", "w" * 24
SSIDS = f"wireless-network/wlans/{GROUP}/ssids"
# Fields of a wireless network in a list.
LISTED = (
    "ssidId",
    "name",
    "band",
    "broadcast",
    "guestNetEnable",
    "security",
    "vlanEnable",
    "vlanId",
)
# Names of ids, and where one is changed, if not as usual.
IDS = {
    "profiles/groups": "groupId",
    "rate-limit-profiles": "profileId",
    "profiles/ldap": "ldapProfileId",
}
EACH = {"rate-limit-profile": "rate-limit-profiles", "acls": "acls/osg-acls"}
LISTS = {"url-filters/gateway": "url-filters"}
# Lists without pages.
WHOLE = {
    "profiles/groups",
    "rate-limit-profiles",
    "profiles/ldap",
    "upgrade-schedules",
    "reboot-schedules",
}
# Endpoints that return the id of the created object.
TELLS = {
    "vpn/wireguards",
    "vpn/wireguard-peers",
    "setting/service/dhcp",
    "profiles/groups",
    "profiles/ldap",
    "url-filters",
}
DEEDS = {
    "block", "unblock", "reconnect", "reboot", "start-online-upgrade", "start-adopt", "forget",
    "locate", "site-move",
}  # fmt: skip


class Omada(StandIn):
    vendor, version = "omada", "6.0.0.24"
    key = "client-of-the-portal"
    base = "/Home"

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port, version=version)
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in KINDS}
        self.ssids: dict[str, dict[str, Any]] = {}
        self.ports: list[dict[str, Any]] = [
            {"port": at, "name": f"Port{at}", "poeMode": 1, "status": 1, "profileId": "all"}
            for at in (1, 2)
        ]
        self.settings = {name: deepcopy(row) for name, row in SETTINGS.items()}

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        if feature.path in self.settings:
            return self.settings[feature.path]
        place, name = feature.located(target)
        if feature.noun == "port":
            return {**self.ports[int(name) - 1], **place}
        if feature.noun == "ssidId":
            return {**self.ssids[name], **place} if name in self.ssids else None
        row = self.rows[feature.path].get(target)
        return None if row is None else {**row, **joined(row)}

    def overwrite(self, feature: Any, target: str, values: dict[str, Any]) -> None:
        # What is held is shown with lists as texts, which is a copy.
        outward = feature.outward(feature.values(values), parsed(self.version))
        self.rows[feature.path][target].update(feature.typed(outward))

    def sample(self, feature: Any) -> str:
        return f"{SWITCH}:1" if feature.noun == "port" else ""

    def is_write(self, request: Request) -> bool:
        return request.method != "GET" and "/authorize/" not in request.path

    def tell(self, request: Request) -> Told:
        path = request.path.lstrip("/")
        query = dict(request.query)
        call, problems = self.judged(request.method, request.path, request.data or {}, query)
        if call is None:
            return said(None, -1600, "Unsupported request path.")
        if problems:
            return said(None, -1001, f"Invalid request parameters: {problems[0]}")
        if path == "api/info":
            told = {"omadacId": CONTROLLER, "controllerVer": self.version, "apiVer": "3"}
            return said(told)
        if path == "openapi/authorize/token":
            return self.sign_in(request.data)
        if request.headers.get("authorization") != f"AccessToken={TOKEN}":
            return said(None, -44113, "The access token is Invalid")
        return self.signed_in(request, path.removeprefix(f"openapi/v1/{CONTROLLER}/sites"))

    def sign_in(self, sent: dict[str, Any]) -> Told:
        given = (sent.get("client_id"), sent.get("client_secret"))
        if given != (self.key, self.secret) or sent.get("omadacId") != CONTROLLER:
            return said(None, -44106, "The client id or client secret is invalid")
        return said({"accessToken": TOKEN, "tokenType": "bearer", "expiresIn": 7200})

    def signed_in(self, request: Request, path: str) -> Told:
        if path:
            path = path.removeprefix(f"/{SITE}/")
            is_part = path.startswith(("switches/", "wireless-network/"))
            return self.part(request, path) if is_part else self.on_site(request, path)
        sites = [{"siteId": SITE, "name": "Home"}, {"siteId": "6" * 24, "name": "Work"}]
        return said(page(sites))

    def on_site(self, request: Request, path: str) -> Told:
        if path == "devices":
            first, *others = self.measured["devices"]
            switch = {"mac": SWITCH, "name": "switch-hall", "type": "switch", "status": 1}
            return said(page([first | self.device(), *others, switch]))
        if path in self.settings:
            return self.single(request, path)
        if request.method == "GET" or path in KINDS:
            return self.listed(request, LISTS.get(path, path))
        kind, _, target = path.rpartition("/")
        kind = EACH.get(kind, re.sub(r"^(profiles/groups)/\d$", r"\1", kind))
        if kind in KINDS and request.method != "GET":
            return self.touched(request, kind, target)
        if target in DEEDS and request.method == "POST":
            self.booted += target in {"reboot", "start-online-upgrade"}
            self.writes.append(path)
            return said(None)
        return said(None, -1600, "Unsupported request path.")

    def part(self, request: Request, path: str) -> Told:
        """Answer about ports of a switch, and wireless networks of a group."""
        if path == f"switches/{SWITCH}":
            return said({"mac": SWITCH, "portList": self.ports})
        if path == "wireless-network/wlans":
            return said([{"wlanId": GROUP, "name": "Default", "primary": True}])
        if path == SSIDS and request.method == "GET":
            rows = [{n: one[n] for n in LISTED if n in one} for one in self.ssids.values()]
            return said(page(rows))
        if path.startswith(SSIDS):
            return self.ssid(request, path.removeprefix(SSIDS).strip("/").partition("/")[0])
        *_, port, call = path.split("/")
        row = self.ports[int(port) - 1]
        row.update(request.data)
        self.writes.append(f"PUT {call}")
        return said(None)

    def ssid(self, request: Request, name: str) -> Told:
        if name and name not in self.ssids:
            return said(None, -33004, "This entry does not exist.")
        if request.method == "GET":
            return said(self.ssids[name])
        if request.method == "DELETE":
            del self.ssids[name]
        else:
            name = name or secrets.token_hex(12)
            kept = {n: v for n, v in self.ssids.get(name, {}).items() if n == "deviceType"}
            self.ssids[name] = {"ssidId": name, **kept, **request.data}
        self.writes.append(f"{request.method} ssids")
        return said({} if request.method == "POST" else None)

    def listed(self, request: Request, path: str) -> Told:
        if path in self.measured:
            told = self.measured[path]
            return said(told if path.endswith("wan-status") else page(told))
        if path not in KINDS:
            return said(None, -1600, "Unsupported request path.")
        if request.method != "GET":
            return self.made(path, request.data)
        rows = list(self.rows[path].values())
        return said(rows if path in WHOLE else page(rows))

    def single(self, request: Request, path: str) -> Told:
        row = self.settings[path]
        if request.method == "GET":
            return said(row)
        # What is not sent back is lost, but for what is only told.
        told = {n: v for n, v in row.items() if n not in self.sendable}
        self.settings[path] = {**told, **request.data}
        self.writes.append(f"{request.method} {path}")
        return said(None)

    @property
    def sendable(self) -> set[str]:
        assert self.current is not None
        return set(self.contract.body(self.current.told, self.version))

    def device(self) -> dict[str, Any]:
        return {
            "mac": "02-00-00-00-00-01", "firmwareVersion": f"1.{self.booted}",
            "uptime": f"{10 // self.booted}day(s) 2h 3m 4s",
        }  # fmt: skip

    def reorder(self, indexes: dict[str, int]) -> Told:
        for name, index in indexes.items():
            self.rows["acls/osg-acls"][name]["index"] = index
        self.writes.append("POST acls/modifyIndex")
        return said(None)

    def made(self, kind: str, sent: dict[str, Any]) -> Told:
        name = sent["mac"] if kind == "setting/service/dhcp" else secrets.token_hex(12)
        told = TOLD.get(kind, {})
        if "index" in told:
            told = {**told, "index": len(self.rows[kind]) + 1}
        self.rows[kind][name] = {IDS.get(kind, "id"): name, **told, **sent}
        self.writes.append(f"POST {kind}")
        return said({"id": name} if kind in TELLS else None)

    def touched(self, request: Request, kind: str, target: str) -> Told:
        if target == "modifyIndex":
            return self.reorder(request.data["indexes"])
        rows = self.rows[kind]
        if target not in rows:
            return said(None, -33004, "This entry does not exist.")
        if request.method == "DELETE":
            del rows[target]
        else:
            # What is not sent back is lost, but for what nobody sends.
            kept = {n: rows[target].get(n) for n in TOLD.get(kind, {})}
            told = {n: v for n, v in kept.items() if n != "wanIps"}
            rows[target] = {IDS.get(kind, "id"): target, **told, **request.data}
        self.writes.append(f"{request.method} {kind}")
        return said(None)

    def refusal(self) -> Told:
        return said(None, -33515, "This IP address conflicts with another one.")


def joined(row: dict[str, Any]) -> dict[str, Any]:
    """Lists of objects in our notation."""
    return {
        name: ["/".join(map(str, one.values())) for one in rows]
        for name, rows in row.items()
        if isinstance(rows, list) and rows and isinstance(rows[0], dict)
    }


def said(result: Any, code: int = 0, text: str = "Success.") -> Told:
    found: dict[str, Any] = {"errorCode": code, "msg": text}
    return (found if result is None else {**found, "result": result}), 200


def page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"totalRows": len(rows), "currentPage": 1, "currentSize": len(rows)}
    return {**found, "data": rows}
