"""TP-Link Omada's Open API, with credentials of its *Platform Integration*.

The address may end in a site's name; without it the controller's only site is used.
According to the controller's API document, responses have status 200 and an errorCode, most
objects can only be read as lists, and creating an object often does not return its id.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from networks.gateways.drivers.contract import Endpoint, OutcomeUnknown, Rejected, Unreachable
from networks.gateways.drivers.driver import Driver
from networks.gateways.drivers.http import SHOWN, Http, boot
from networks.gateways.engine.features import Feature
from networks.gateways.engine.measurements import Measured, of_omada

PAGE = 500
# Omada's error codes for invalid credentials or missing permissions.
NOT_ALLOWED = {-1005, -1505, -44106, -44109, -44112, -44113, -44116, -44118}
UNITS = {"day": 86400, "h": 3600, "m": 60, "s": 1}


class Omada(Http, Driver):
    vendor: ClassVar[str] = "omada"
    pretended = {"errorCode": 0, "result": {"id": "{new}"}}

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint, "", keeps_path=False)
        self._name_of_site = unquote(self.path)
        self._root = ""
        self._token = ""

    def _version(self) -> str:
        found = self._checked(self.ask("GET", "api/info"))
        self._sign_in()
        return str(found.get("controllerVer", ""))

    def _measure(self) -> list[Measured]:
        return of_omada(self._name_of_site, self._list("devices"))

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if not feature.path:
            return ""
        device = next((d for d in self._list("devices") if d.get("mac") == values["mac"]), {})
        parts = re.findall(r"(\d+)\s*(day|h|m|s)", str(device.get("uptime", "")))
        uptime = sum(int(count) * UNITS[unit] for count, unit in parts)
        return f"{device.get('firmwareVersion', '')} {boot(uptime)}"

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        return list(self._rows(feature))

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        row = self._rows(feature).get(target)
        return None if row is None else feature.flat(row)

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if feature.action:
            self._tell("POST", feature.action.format(**values), {})
            return ""
        if operation == "create":
            return self._create(feature, values)
        if operation == "delete":
            self._tell("DELETE", f"{feature.deleted_at or feature.path}/{target}")
            return target
        row = self._rows(feature).get(target)
        if row is None:
            raise Rejected("It is not there any more.")
        # Updates need the complete object, without its read-only fields.
        known = {*feature.kept, *(name.split(".")[0] for name in feature.properties)}
        whole = {name: value for name, value in row.items() if name in known}
        sent = deep(whole, feature.typed(values))
        self._tell(feature.changed_by, f"{feature.path}/{target}", sent)
        return target

    def _activate(self, feature: Feature) -> None:
        """Do nothing: the controller provisions its devices by itself."""

    def _order(self, feature: Feature, target: str, within: Mapping[str, str]) -> list[str]:
        rows = self._rows(feature)
        return sorted(rows, key=lambda one: int(rows[one].get("index") or 0))

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        if new != old:
            indexes = {one: at for at, one in enumerate(new, 1)}
            self._tell("POST", "acls/modifyIndex", {"indexes": indexes, "type": "gateway"})

    def _create(self, feature: Feature, values: Mapping[str, str]) -> str:
        known = set(self._rows(feature))
        sent = deep(feature.defaults, feature.typed(values))
        made = self._tell("POST", feature.path, sent)
        if feature.identity:
            return values[feature.identity[0]]
        if isinstance(made, dict) and made.get("id"):
            return str(made["id"])
        shown = {n: v for n, v in values.items() if n not in feature.secret}
        for name, row in self._rows(feature).items():
            if name not in known and not feature.differs(shown, feature.flat(row)):
                return name
        raise OutcomeUnknown("The controller says that it is made, and does not list it.")

    def _rows(self, feature: Feature) -> dict[str, dict[str, Any]]:
        name = (*feature.identity, "id")[0]
        if feature.path not in self._kept:
            self._kept[feature.path] = self._list(feature.path)
        return {str(row[name]): row for row in self._kept[feature.path] if name in row}

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for number in range(1, PAGE):
            page = self._get(self._place + path, {"page": number, "pageSize": PAGE})
            rows = page.get("data") or []
            found += rows
            if len(rows) < PAGE or len(found) >= int(page.get("totalRows", 0)):
                break
        return found

    @property
    def _place(self) -> str:
        self._sign_in()
        return self._root

    def _sign_in(self) -> None:
        if self._root:
            return
        info = self._checked(self.ask("GET", "api/info"))
        controller = str(info.get("omadacId", ""))
        who = {
            "omadacId": controller,
            "client_id": self.credentials["key"],
            "client_secret": self.credentials["secret"],
        }
        asked = {"grant_type": "client_credentials"}
        told = self._checked(
            self.ask("POST", "openapi/authorize/token", params=asked, json=who)
        )
        self._token = str(told.get("accessToken", ""))
        base = f"openapi/v1/{controller}/sites"
        sites = self._get(base, {"page": 1, "pageSize": PAGE}).get("data") or []
        wanted = self._name_of_site
        fitting = [s for s in sites if not wanted or wanted in {s.get("name"), s.get("siteId")}]
        if len(fitting) != 1:
            names = ", ".join(str(one.get("name")) for one in sites)[:SHOWN]
            raise Unreachable(f"Say which site at the end of the address. There are: {names}.")
        self._root = f"{base}/{fitting[0]['siteId']}/"

    def _get(self, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        head = {"Authorization": f"AccessToken={self._token}"}
        return self._checked(self.ask("GET", path, params=asked, headers=head))

    def _tell(self, method: str, path: str, sent: Mapping[str, Any] | None = None) -> Any:
        place = self._place
        head = {"Authorization": f"AccessToken={self._token}"}
        how = {} if sent is None else {"json": dict(sent)}
        answer = self.ask(method, place + path, is_write=True, headers=head, **how)
        return self._checked(answer, is_write=True)

    def _checked(self, answer: Any, *, is_write: bool = False) -> dict[str, Any]:
        told = answer if isinstance(answer, dict) else {}
        code = int(told.get("errorCode", 0))
        if code in NOT_ALLOWED:
            raise Unreachable(
                "The controller does not accept the client, or it may not do this."
            )
        if code:
            kind = Rejected if is_write else Unreachable
            raise kind(f"Omada answers {code}: {str(told.get('msg', ''))[:SHOWN]}")
        found = told.get("result")
        return found if isinstance(found, dict) else {}


def deep(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old values with the new ones in them; what is empty is left out."""
    found = dict(old)
    for name, value in new.items():
        inner = found.get(name)
        if isinstance(inner, dict) and isinstance(value, dict):
            found[name] = {**inner, **value}
        elif value is None or value == "":
            found.pop(name, None)
        else:
            found[name] = value
    return found
