"""OPNsense's REST API: key and secret by Basic, the same five calls for every kind of thing.

Facts from docs.opnsense.org/development/api: an answer with status 200 can say that it failed.
Until 26.7 firewall and NAT are put into effect with a savepoint, and go back by themselves.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from networks.gateways.drivers.contract import Endpoint, Rejected, Unreachable
from networks.gateways.drivers.driver import Driver
from networks.gateways.drivers.http import SHOWN, Http, decoded
from networks.gateways.engine.features import Feature
from networks.gateways.engine.features.feature import inside

ALL_ROWS = -1
UUID_LENGTH = 36
FAILED = 500
# From here on there are no savepoints, and rules are listed whatever their interface.
WITHOUT_SAVEPOINTS, LISTS_ALL = (26, 7), (26, 1)
# Of source NAT: rules of its own are used in these modes alone.
OWN_RULES = {"hybrid", "advanced"}


class OPNsense(Http, Driver):
    vendor: ClassVar[str] = "opnsense"
    pretended = {"result": "saved", "uuid": "{new}", "revision": "{revision}"}

    def __init__(self, endpoint: Endpoint) -> None:
        auth = (endpoint.credentials["key"], endpoint.credentials["secret"])
        super().__init__(endpoint, "api/", auth=auth)
        # What firewall and NAT go back to.
        self._savepoint = ""

    def _version(self) -> str:
        """Of ``OPNsense 26.7.2-amd64``; the firmware's own call reads lists of packages for it."""
        told = self._ask("GET", "diagnostics/system/systemInformation").get("versions") or [""]
        return str(told[0]).removeprefix("OPNsense ").partition("-")[0].strip()

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if feature.action.startswith("core/firmware/"):
            return self.version
        return str(self._ask("GET", "diagnostics/system/systemTime").get("boottime", ""))

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        places = [""]
        if feature.path == "firewall/filter" and self.parsed_version < LISTS_ALL:
            # Without an interface it lists the rules that are of none, or of several.
            places += self._interfaces(feature)
        rows = [row for place in places for row in self._search(feature, place)]
        return list(
            dict.fromkeys(
                str(row["uuid"])
                for row in rows
                # What it has built in is listed too, under names.
                if len(str(row.get("uuid", ""))) == UUID_LENGTH and feature.fits(row)
            )
        )

    def _search(self, feature: Feature, interface: str) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {"current": 1, "rowCount": ALL_ROWS, "searchPhrase": ""}
        if interface:
            asked["interface"] = interface
        found = self._ask(
            "POST", f"{feature.path}/search{feature.listed or feature.noun}", asked
        )
        return [row for row in found.get("rows") or [] if isinstance(row, dict)]

    def _interfaces(self, feature: Feature) -> list[str]:
        """Those that a rule can be of: the options of one that is not made yet."""
        row = self._ask("GET", f"{feature.path}/get{feature.noun}").get(feature.wrapper, {})
        options = row.get("interface")
        return [name for name in options if name] if isinstance(options, dict) else []

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        row = self._row(feature, target)
        if row is None:
            return None
        return {
            name: chosen(value, feature.separator)
            for name in feature.properties
            if name not in feature.secret and (value := inside(row, name)) is not None
        }

    def _row(self, feature: Feature, target: str) -> dict[str, Any] | None:
        answer = self.request("GET", f"{feature.path}/get{feature.noun}/{target}")
        if answer.status_code == FAILED:
            # So answer some versions for what is not there.
            if target in self._ids(feature, {}):
                raise Unreachable("The gateway lists it, and does not tell it.")
            return None
        self.checked(answer, is_write=False)
        found = decoded(answer)
        row = found.get(feature.wrapper) if isinstance(found, dict) else None
        # Of an alias that is gone it tells the others, as what might be in it.
        is_there = isinstance(row, dict) and set(feature.required) <= row.keys()
        return row if is_there else None

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        if feature.action:
            self._do(feature.action.format(**values))
            return ""
        if feature.path == "firewall/source_nat" and operation != "delete":
            self._check_mode()
        sent = dict(values)
        if operation == "create":
            sent = {**feature.defaults, **feature.constants, **sent}
        elif operation == "update" and feature.always:
            row = self._read(feature, target) or {}
            sent = {**{n: row[n] for n in feature.always if row.get(n)}, **sent}
        if self._has_savepoints(feature):
            # It holds what is there now, and so comes before the change.
            self._savepoint = self._new_savepoint(feature)
        verb = {"create": "add", "update": "set", "delete": "del"}[operation]
        path = f"{feature.path}/{verb}{feature.noun}" + (f"/{target}" if target else "")
        answer = self._tell(path, {} if verb == "del" else {feature.wrapper: nested(sent)})
        if answer.get("result") not in {"saved", "deleted"}:
            raise Rejected(reason(answer))
        return str(answer.get("uuid") or target)

    def _check_mode(self) -> None:
        """Source NAT in automatic mode keeps rules, and neither lists nor uses them."""
        if self.parsed_version < WITHOUT_SAVEPOINTS:
            return
        found = self._ask("GET", "firewall/source_nat/get")
        mode = chosen(find(found, "snat_mode"), ",")
        if mode and mode not in OWN_RULES:
            raise Rejected(
                f"Source NAT is in the mode {mode!r}, in which rules are not used: set it to "
                "hybrid or manual under Firewall > NAT > Source NAT."
            )

    def _activate(self, feature: Feature) -> None:
        if not feature.activation:
            return
        if not feature.has_savepoint:
            self._do(feature.activation)
            return
        if not self._has_savepoints(feature):
            self._do(feature.activation)
            # Nothing takes it back: at least it is not called applied where it locked us out.
            self.reconnect()
            self._version()
            return
        # Unless it is told within a minute that all is well, it goes back by itself: a rule
        # that locks the portal out is undone.
        revision = self._savepoint or self._new_savepoint(feature)
        self._savepoint = ""
        self._do(f"{feature.activation}/{revision}")
        self.reconnect()
        self._tell(f"{feature.path}/cancelRollback/{revision}")

    def _has_savepoints(self, feature: Feature) -> bool:
        return feature.has_savepoint and self.parsed_version < WITHOUT_SAVEPOINTS

    def _new_savepoint(self, feature: Feature) -> str:
        return str(self._tell(f"{feature.path}/savepoint").get("revision", ""))

    def _do(self, path: str) -> None:
        answer = self._tell(path)
        if str(answer.get("result") or answer.get("status")) in {"failed", "failure", "error"}:
            raise Rejected(reason(answer))

    def _tell(self, path: str, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for something that changes the gateway."""
        return self._ask("POST", path, sent or {}, is_write=True)

    def _ask(
        self,
        method: str,
        path: str,
        sent: Mapping[str, Any] | None = None,
        *,
        is_write: bool = False,
    ) -> dict[str, Any]:
        answer = self.request(method, path, is_write=is_write, json=sent)
        if is_write and answer.status_code == FAILED and "/del" in path:
            # It is in use elsewhere, says the text; nothing was done.
            told = decoded(answer, is_write=True)
            if isinstance(told, dict) and told.get("errorTitle"):
                raise Rejected(str(told["errorTitle"])[:SHOWN])
        self.checked(answer, is_write=is_write)
        found = decoded(answer, is_write=is_write)
        # PHP writes an empty object as an empty list.
        return found if isinstance(found, dict) else {}


def find(row: Any, name: str) -> Any:
    """Return a property wherever it is inside."""
    if not isinstance(row, dict):
        return None
    if name in row:
        return row[name]
    return next((found for one in row.values() if (found := find(one, name)) is not None), None)


def nested(values: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in values.items():
        outer, _, last = name.rpartition(".")
        (found.setdefault(outer, {}) if outer else found)[last] = text
    return found


def reason(answer: Mapping[str, Any]) -> str:
    told = answer.get("validations")
    if isinstance(told, dict) and told:
        # The values themselves are not repeated: they may be secret.
        return "; ".join(f"{name}: {text}" for name, text in told.items())[:SHOWN]
    told = answer.get("result") or answer.get("status") or "nothing"
    return f"The gateway answers {str(told)[:60]!r}."


def chosen(value: Any, separator: str) -> str:
    """A field as text; of options (name → value, selected) those that are selected."""
    if isinstance(value, dict):
        picked = [
            n for n, one in value.items() if isinstance(one, dict) and one.get("selected")
        ]
        return separator.join(name for name in picked if name)
    # An empty reference is told as an empty list.
    return "" if value is None or value == [] else str(value)
