"""OPNsense's REST API: key and secret by Basic, the same five calls for every kind of thing.

Facts from docs.opnsense.org/development/api: an answer with status 200 can say that it failed.
"""

from collections.abc import Mapping
from typing import Any

from networks.gateways.drivers.contract import Endpoint, Rejected
from networks.gateways.drivers.http import SHOWN, Http
from networks.gateways.engine.features import Feature
from networks.gateways.engine.features.feature import inside

MOST_ROWS = 5000


class OPNsense(Http):
    pretended = {"result": "saved", "uuid": "{new}", "revision": "{revision}"}

    def __init__(self, endpoint: Endpoint) -> None:
        auth = (endpoint.credentials["key"], endpoint.credentials["secret"])
        super().__init__(endpoint, "api/", auth=auth)

    def facts(self) -> dict[str, str]:
        found = self._ask("GET", "core/firmware/info")
        return {
            "version": str(found.get("product_version", ""))[:64],
            "name": str(found.get("product_name", "OPNsense"))[:64],
        }

    def started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if feature.action.startswith("core/firmware/"):
            return str(self._ask("GET", "core/firmware/info").get("product_version", ""))
        return str(self._ask("GET", "diagnostics/system/systemTime").get("boottime", ""))

    def ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        asked = {"current": 1, "rowCount": MOST_ROWS, "searchPhrase": ""}
        rows = self._ask("POST", f"{feature.path}/search{feature.noun}", asked).get("rows", [])
        return [
            str(row["uuid"])
            for row in rows
            if isinstance(row, dict) and "uuid" in row and feature.fits(row)
        ]

    def read(self, feature: Feature, target: str) -> dict[str, str] | None:
        found = self._ask("GET", f"{feature.path}/get{feature.noun}/{target}")
        row = found.get(feature.wrapper)
        if not isinstance(row, dict):
            return None
        return {
            name: chosen(value, feature.separator)
            for name in feature.properties
            if name not in feature.secret and (value := inside(row, name)) is not None
        }

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        if feature.action:
            self._tell(feature.action.format(**values))
            return ""
        sent = nested({**(feature.constants if operation == "create" else {}), **values})
        verb = {"create": "add", "update": "set", "delete": "del"}[operation]
        path = f"{feature.path}/{verb}{feature.noun}" + (f"/{target}" if target else "")
        answer = self._tell(path, {} if verb == "del" else {feature.wrapper: sent})
        if answer.get("result") not in {"saved", "deleted"}:
            raise Rejected(reason(answer))
        return str(answer.get("uuid") or target)

    def activate(self, feature: Feature) -> None:
        if not feature.activation:
            return
        if not feature.has_savepoint:
            self._tell(feature.activation)
            return
        # Unless it is told within a minute that all is well, it goes back by itself: a rule
        # that locks the portal out is undone.
        revision = str(self._tell(f"{feature.path}/savepoint").get("revision", ""))
        self._tell(f"{feature.activation}/{revision}")
        self.reconnect()
        self._tell(f"{feature.path}/cancelRollback/{revision}")

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
        found = self.ask(method, path, is_write=is_write, json=sent)
        # PHP writes an empty object as an empty list.
        return found if isinstance(found, dict) else {}


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
    return f"The gateway answers {str(answer.get('result', 'nothing'))[:60]!r}."


def chosen(value: Any, separator: str) -> str:
    """A field as text; of options (name → value, selected) those that are selected."""
    if isinstance(value, dict):
        picked = [
            n for n, one in value.items() if isinstance(one, dict) and one.get("selected")
        ]
        return separator.join(name for name in picked if name)
    return "" if value is None else str(value)
