"""An Omada controller on loopback, by its Open API: statuses are 200, errors have numbers."""

import secrets
from typing import Any

from tests.fleet.gateway import StandIn, Told
from tests.fleet.http import Request

CONTROLLER, SITE, TOKEN = "c" * 32, "5" * 24, "AT-" + "t" * 32
KINDS = {
    "vpn/wireguards": ("name", "status", "listenPort", "localIp", "mtu", "privateKey"),
    "vpn/wireguard-peers": ("name", "status", "interfaceId", "publicKey", "keepAlive"),
    "nat/port-forwardings": ("name", "status", "dMZ", "forwardIp", "from"),
    "nat/one-to-one-nat": ("name", "status", "dmz", "externalIp", "internalIp"),
    "acls/osg-acls": ("description", "status", "policy", "protocols"),
    "routing/static-routings": ("name", "status", "destinations", "metric", "routeType"),
    "setting/service/dhcp": ("mac", "netId", "ip"),
    "lan-networks": ("name", "purpose"),
}
# Those that answer with the id of what was made.
TELLS = {"vpn/wireguards", "lan-networks"}
DEEDS = {"block", "unblock", "reconnect", "reboot", "start-online-upgrade"}


class Omada(StandIn):
    vendor, version = "omada", "6.0.0.24"
    key = "client-of-the-portal"
    base = "/Home"

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port, version=version)
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in KINDS}

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        return self.rows[feature.path].get(target)

    def is_write(self, request: Request) -> bool:
        return request.method != "GET" and "/authorize/" not in request.path

    def tell(self, request: Request) -> Told:
        path = request.path.lstrip("/")
        if path == "api/info":
            return said({"omadacId": CONTROLLER, "controllerVer": "5.15.20.18", "apiVer": "3"})
        if path == "openapi/authorize/token":
            sent = (request.data.get("client_id"), request.data.get("client_secret"))
            if sent != (self.key, self.secret) or request.data.get("omadacId") != CONTROLLER:
                return said(None, -44106, "The client id or client secret is invalid")
            return said({"accessToken": TOKEN, "tokenType": "bearer", "expiresIn": 7200})
        if request.headers.get("authorization") != f"AccessToken={TOKEN}":
            return said(None, -44113, "The access token is Invalid")
        base = f"openapi/v1/{CONTROLLER}/sites"
        if path == base:
            sites = [{"siteId": SITE, "name": "Home"}, {"siteId": "6" * 24, "name": "Work"}]
            return said(page(sites))
        return self.on_site(request, path.removeprefix(f"{base}/{SITE}/"))

    def on_site(self, request: Request, path: str) -> Told:
        if path == "devices":
            device = {
                "mac": "02-00-00-00-00-01", "firmwareVersion": f"1.{self.booted}",
                "uptime": f"{10 // self.booted}day(s) 2h 3m 4s",
            }  # fmt: skip
            return said(page([device]))
        if path in KINDS:
            if request.method == "GET":
                return said(page(list(self.rows[path].values())))
            return self.made(path, request.data)
        kind, _, target = path.rpartition("/")
        if kind in KINDS and request.method != "GET":
            return self.touched(request, kind, target)
        if target in DEEDS and request.method == "POST":
            self.booted += target in {"reboot", "start-online-upgrade"}
            self.writes.append(path)
            return said(None)
        return said(None, -1600, "Unsupported request path.")

    def made(self, kind: str, sent: dict[str, Any]) -> Told:
        if missing := [name for name in KINDS[kind] if name not in sent]:
            return said(None, -1001, f"Invalid request parameters: {missing[0]}")
        name = sent["mac"] if kind == "setting/service/dhcp" else secrets.token_hex(12)
        self.rows[kind][name] = {"id": name, **sent}
        self.writes.append(f"POST {kind}")
        return said({"id": name} if kind in TELLS else None)

    def touched(self, request: Request, kind: str, target: str) -> Told:
        rows = self.rows[kind]
        if target not in rows:
            return said(None, -33004, "This entry does not exist.")
        if request.method == "DELETE":
            del rows[target]
        else:
            if missing := [name for name in KINDS[kind] if name not in request.data]:
                return said(None, -1001, f"Invalid request parameters: {missing[0]}")
            rows[target] = {"id": target, **request.data}
        self.writes.append(f"{request.method} {kind}")
        return said(None)

    def refusal(self) -> Told:
        return said(None, -33515, "This IP address conflicts with another one.")


def said(result: Any, code: int = 0, text: str = "Success.") -> Told:
    found: dict[str, Any] = {"errorCode": code, "msg": text}
    return (found if result is None else {**found, "result": result}), 200


def page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found = {"totalRows": len(rows), "currentPage": 1, "currentSize": len(rows)}
    return {**found, "data": rows}
