"""TP-Link Omada's Open API, with credentials of its *Platform Integration*.

The address may end in a site's name; without it the controller's only site is used.
According to the controller's API document, responses have status 200 and an errorCode, most
objects can only be read as lists, and creating an object often does not return its id.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from networks.gateways.drivers import omada_parts
from networks.gateways.drivers.contract import Endpoint, OutcomeUnknown, Rejected, Unreachable
from networks.gateways.drivers.driver import Driver
from networks.gateways.drivers.http import SHOWN, Http, boot
from networks.gateways.drivers.live import omada as live
from networks.gateways.engine.features import Feature
from networks.gateways.engine.live import Reader
from networks.gateways.engine.measurements import Measured, of_omada, seconds

PAGE = 500
# Omada's error codes for invalid credentials or missing permissions.
NOT_ALLOWED = {-1005, -1505, -44106, -44109, -44112, -44113, -44116, -44118}
# Lists that are told whole, without pages.
WHOLE = {
    "profiles/groups", "rate-limit-profiles", "profiles/ldap", "upgrade-schedules", "reboot-schedules",
}  # fmt: skip
SETTINGS = "settings"
# Lists of objects, which are told in one text each: the fields in their order.
OBJECTS: Mapping[str, tuple[str, ...]] = {
    "macAddressList": ("macAddress", "name"), "ouiCombine": ("oui", "description"),
    "domainNamePort": ("address", "port"), "ipList": ("ip", "mask"),
    "userRemoteSubnets": ("ip", "mask"),
}  # fmt: skip
NUMBERS = {"mask"}


class Omada(Http, Driver):
    vendor: ClassVar[str] = "omada"
    live_parts = live.PARTS
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

    def _reader(self) -> Reader:
        def read(path: str, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
            found = self._get(self._place + path, asked)
            return found if isinstance(found, list) else found.get("data") or []

        return read

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if not feature.path:
            return ""
        device = next((d for d in self._list("devices") if d.get("mac") == values["mac"]), {})
        return f"{device.get('firmwareVersion', '')} {boot(seconds(device.get('uptime')) or 0)}"

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        if omada_parts.is_part(feature):
            return omada_parts.ids(feature, self._one, self._list)
        return [SETTINGS] if feature.noun == SETTINGS else list(self._rows(feature))

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        row = self._row(feature, target)
        return None if row is None else feature.flat(flattened(row))

    def _row(self, feature: Feature, target: str) -> dict[str, Any] | None:
        if omada_parts.is_part(feature):
            if target not in self._ids(feature, {}):
                return None
            return omada_parts.row(feature, self._one, target)
        if feature.noun == SETTINGS:
            return dict(self._one(feature.path))
        return self._rows(feature).get(target)

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if feature.action:
            rest = {n: v for n, v in values.items() if f"{{{n}}}" not in feature.action}
            sent = {**feature.defaults, **feature.typed(rest)}
            self._tell("POST", feature.action.format(**values), sent)
            return ""
        if operation == "create":
            return self._create(feature, values)
        if feature.noun == omada_parts.PORT:
            omada_parts.change_port(feature, self._tell, target, feature.typed(values))
            return target
        if operation == "delete":
            place = feature.deleted_at or feature.changed_at or feature.path
            self._tell("DELETE", located(feature, place, target))
            return target
        row = self._row(feature, target)
        if row is None:
            raise Rejected("It is not there any more.")
        # Updates need the complete object, without its read-only fields.
        known = {*feature.kept, *(name.split(".")[0] for name in feature.properties)}
        known -= {*feature.given_once, *feature.scope} - feature.constants.keys()
        whole = {name: writable(name, value) for name, value in row.items() if name in known}
        sent = deep(whole, native(feature, values))
        place = feature.changed_at or feature.path
        path = place if feature.noun == SETTINGS else located(feature, place, target)
        self._tell(feature.changed_by, path, sent)
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
        known = set(self._ids(feature, {}))
        given = deep(feature.defaults, feature.typed(feature.constants))
        sent = deep(given, native(feature, values))
        place = {name: sent.pop(name) for name in feature.scope}
        made = self._tell("POST", feature.path.format(**place), sent)
        if feature.identity:
            return values[feature.identity[0]]
        if isinstance(made, dict) and made.get("id"):
            return str(made["id"])
        shown = {n: v for n, v in values.items() if n not in feature.secret}
        for name in self._ids(feature, {}):
            if name not in known and not feature.differs(
                shown, self._read(feature, name) or {}
            ):
                return name
        raise OutcomeUnknown("The controller says that it is made, and does not list it.")

    def _rows(self, feature: Feature) -> dict[str, dict[str, Any]]:
        name = (*feature.identity, feature.noun or "id")[0]
        path = feature.listed or feature.path
        if path not in self._kept:
            self._kept[path] = self._list(path)
        return {
            str(row[name]): row for row in self._kept[path] if name in row and feature.fits(row)
        }

    def _one(self, path: str) -> Any:
        return self._get(self._place + path, None)

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if path in WHOLE:
            return list(self._one(path))
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

    def _get(self, path: str, asked: Mapping[str, Any] | None) -> Any:
        head = {"Authorization": f"AccessToken={self._token}"}
        return self._checked(self.ask("GET", path, params=asked, headers=head))

    def _tell(self, method: str, path: str, sent: Mapping[str, Any] | None = None) -> Any:
        place = self._place
        head = {"Authorization": f"AccessToken={self._token}"}
        how = {} if sent is None else {"json": dict(sent)}
        answer = self.ask(method, place + path, is_write=True, headers=head, **how)
        return self._checked(answer, is_write=True)

    def _checked(self, answer: Any, *, is_write: bool = False) -> Any:
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
        return found if isinstance(found, dict | list) else {}


def located(feature: Feature, place: str, target: str) -> str:
    """Return the path of one object: below a place, or where the place has its id."""
    scope, name = feature.located(target)
    path = place if "{id}" in place else f"{place}/{{id}}"
    return path.format(**scope, id=name)


def native(feature: Feature, values: Mapping[str, str]) -> dict[str, Any]:
    """Return values with Omada's types; lists of objects are made of their texts."""
    found = feature.typed(values)
    for name in OBJECTS.keys() & found.keys():
        found[name] = [as_object(OBJECTS[name], text) for text in found[name]]
    return found


def as_object(names: tuple[str, ...], text: str) -> dict[str, Any]:
    parts = dict(zip(names, text.split("/", 1), strict=False))
    return {n: int(part) if n in NUMBERS else part for n, part in parts.items()}


def writable(name: str, value: Any) -> Any:
    """Return a told value without what is only told in it."""
    if name not in OBJECTS or not isinstance(value, list):
        return value
    return [{n: one[n] for n in OBJECTS[name] if one.get(n)} for one in value]


def flattened(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its lists of objects as texts."""
    told = {
        name: ["/".join(str(one[n]) for n in names if one.get(n)) for one in row[name]]
        for name, names in OBJECTS.items()
        if row.get(name)
    }
    return {**row, **told}


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
