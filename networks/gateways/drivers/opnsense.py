"""OPNsense's REST API: HTTP Basic, and the same five calls for every object.

Source: docs.opnsense.org/development/api. A response with status 200 may report a failure.
Before 26.7, firewall and NAT changes are applied with a savepoint and roll back by
themselves.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from networks.gateways.drivers.contract import Endpoint, Rejected, Unreachable
from networks.gateways.drivers.driver import Driver, if_told
from networks.gateways.drivers.http import SHOWN, Http, decoded
from networks.gateways.drivers.live import opnsense as live
from networks.gateways.engine.backups import TEXT, BackupFile
from networks.gateways.engine.features import Feature
from networks.gateways.engine.features.feature import inside
from networks.gateways.engine.live import Reader
from networks.gateways.engine.measurements import Measured, of_opnsense

ALL_ROWS = -1
UUID_LENGTH = 36
FAILED = 500
# First versions without savepoints, and with rules of all interfaces in one list.
TELLS_MODE, LISTS_ALL = (26, 7), (26, 1)
# Modes of source NAT in which own rules are used.
OWN_RULES = {"hybrid", "advanced"}
# Operations of what there is one of.
SETTINGS = ("update",)
REFUSED = {"failed", "failure", "error", "not_found"}


class OPNsense(Http, Driver):
    vendor: ClassVar[str] = "opnsense"
    live_parts = live.PARTS
    pretended = {"result": "saved", "uuid": "{new}", "revision": "{revision}"}

    def __init__(self, endpoint: Endpoint) -> None:
        auth = (endpoint.credentials["key"], endpoint.credentials["secret"])
        super().__init__(endpoint, "api/", auth=auth)
        # Savepoint to roll back to.
        self._savepoint = ""

    def _version(self) -> str:
        """Return the version of ``OPNsense 26.7.2-amd64``; core/firmware/info is slow."""
        told = self._ask("GET", "diagnostics/system/systemInformation").get("versions") or [""]
        return str(told[0]).removeprefix("OPNsense ").partition("-")[0].strip()

    def _measure(self) -> list[Measured]:
        name = str(self._ask("GET", "diagnostics/system/systemInformation").get("name", ""))
        memory, disks, ports = (
            if_told(partial(self._ask, "GET", f"diagnostics/{path}"), otherwise={})
            for path in (
                "system/systemResources", "system/systemDisk",
                "interface/getInterfaceStatistics",
            )
        )  # fmt: skip
        heat, arp = (
            if_told(partial(self._listed, f"diagnostics/{path}"), otherwise=[])
            for path in ("system/systemTemperature", "interface/getArp")
        )
        clock = self._ask("GET", "diagnostics/system/systemTime")
        counters = ports.get("statistics") or {}
        return [of_opnsense(name, clock, memory, disks, heat, counters, arp)]

    def _listed(self, path: str) -> list[dict[str, Any]]:
        answer = self.request("GET", path)
        self.checked(answer, is_write=False)
        found = decoded(answer)
        return found if isinstance(found, list) else []

    def _reader(self) -> Reader:
        return self._ask

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if feature.action.startswith("core/firmware/"):
            return self.version
        return str(self._ask("GET", "diagnostics/system/systemTime").get("boottime", ""))

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        if feature.operations == SETTINGS:
            return ["settings"]
        places = [""]
        if feature.path == "firewall/filter" and self.parsed_version < LISTS_ALL:
            # Without an interface only rules of none or several interfaces are listed.
            places += self._interfaces(feature)
        rows = [row for place in places for row in self._search(feature, place)]
        return list(
            dict.fromkeys(
                str(row["uuid"])
                for row in rows
                # Built-in rules are listed, too, with names instead of UUIDs.
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
        """Return the interfaces a rule can have: the options of a new rule."""
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
        place = "" if feature.operations == SETTINGS else f"/{target}"
        answer = self.request("GET", f"{feature.path}/get{feature.noun}{place}")
        if answer.status_code == FAILED:
            # Some versions answer with status 500 for a missing object.
            if target in self._ids(feature, {}):
                raise Unreachable("The gateway lists it, and does not tell it.")
            return None
        self.checked(answer, is_write=False)
        found = decoded(answer)
        row = found.get(feature.wrapper) if isinstance(found, dict) else None
        # For a missing alias the answer contains the other aliases as options.
        is_there = isinstance(row, dict) and set(feature.required) <= row.keys()
        return row if is_there else None

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, Any]
    ) -> str:
        if feature.action:
            rest = {n: v for n, v in values.items() if f"{{{n}}}" not in feature.action}
            self._do(feature.action.format(**values), rest)
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
            # The savepoint must be created before the change.
            self._savepoint = self._new_savepoint(feature)
        verb = {"create": "add", "update": "set", "delete": "del"}[operation]
        place = "" if feature.operations == SETTINGS or not target else f"/{target}"
        path = f"{feature.path}/{verb}{feature.noun}{place}"
        answer = self._tell(path, {} if verb == "del" else {feature.wrapper: nested(sent)})
        if answer.get("result") not in {"saved", "deleted"}:
            raise Rejected(reason(answer))
        return str(answer.get("uuid") or target)

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        """Before another, by its own call; after all others, by a number above theirs."""
        at = new.index(target)
        if new == old:
            return
        if at + 1 < len(new):
            method = "POST" if feature.path == "firewall/filter" else "GET"
            path = f"{feature.path}/moveRuleBefore/{target}/{new[at + 1]}"
            answer = self._ask(method, path, {} if method == "POST" else None, is_write=True)
            if answer.get("status") != "ok":
                raise Rejected(reason(answer))
        elif at:
            rows = {str(one.get("uuid")): one for one in self._search(feature, "")}
            highest = max(int(one.get("sequence") or 0) for one in rows.values())
            sent = {feature.wrapper: {"sequence": str(highest + 100)}}
            self._tell(f"{feature.path}/set{feature.noun}/{target}", sent)

    def _back_up(self) -> BackupFile:
        return BackupFile("config.xml", TEXT, self._configuration("core/backup/download/this"))

    def _configuration(self, path: str) -> bytes:
        answer = self.request("GET", path)
        self.checked(answer, is_write=False)
        if not answer.content.lstrip().startswith(b"<?xml"):
            raise Unreachable("The firewall does not give its configuration.")
        return answer.content

    def _restore(self, backup: BackupFile) -> None:
        """Go back to the same configuration in the firewall's own history: it takes no other."""
        known = self._ask("GET", "core/backup/backups/this").get("items") or []
        same = (
            str(one["id"])
            for one in known
            if int(one.get("filesize") or 0) in {0, len(backup.contents)}
            and self._configuration(f"core/backup/download/this/{one['id']}") == backup.contents
        )
        if (name := next(same, "")) == "":
            raise Rejected(
                "This configuration is no longer in the firewall's own history, and its API takes "
                "none from outside: download it here, and restore it under System > "
                "Configuration > Backups."
            )
        answer = self._tell(f"core/backup/revertBackup/{name}")
        if not self.rehearses and answer.get("status") != "reverted":
            raise Rejected(reason(answer))
        # Services take up the configuration when they start.
        self._do("core/system/reboot")

    def _check_mode(self) -> None:
        """Refuse rules in automatic mode, which stores but does not use them."""
        if self.parsed_version < TELLS_MODE:
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
            # No rollback: at least do not report it as applied if it has locked the portal out.
            self.reconnect()
            self._version()
            return
        # Unless the savepoint is confirmed within a minute, OPNsense rolls back by itself,
        # which undoes a rule that locks the portal out.
        revision = self._savepoint or self._new_savepoint(feature)
        self._savepoint = ""
        self._do(f"{feature.activation}/{revision}")
        self.reconnect()
        self._tell(f"{feature.path}/cancelRollback/{revision}")

    def _has_savepoints(self, feature: Feature) -> bool:
        return feature.goes_back(self.parsed_version)

    def _new_savepoint(self, feature: Feature) -> str:
        return str(self._tell(f"{feature.path}/savepoint").get("revision", ""))

    def _do(self, path: str, sent: Mapping[str, Any] | None = None) -> None:
        answer = self._tell(path, sent)
        if str(answer.get("result") or answer.get("status")) in REFUSED:
            raise Rejected(reason(answer))

    def _tell(self, path: str, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a POST that changes the gateway."""
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
            # The object is in use elsewhere; nothing was done.
            told = decoded(answer, is_write=True)
            if isinstance(told, dict) and told.get("errorTitle"):
                raise Rejected(str(told["errorTitle"])[:SHOWN])
        self.checked(answer, is_write=is_write)
        found = decoded(answer, is_write=is_write)
        # PHP encodes an empty object as an empty list.
        return found if isinstance(found, dict) else {}


def find(row: Any, name: str) -> Any:
    """Return a property at any depth, or None."""
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
        # Do not repeat values: they may be secret.
        return "; ".join(f"{name}: {text}" for name, text in told.items())[:SHOWN]
    told = answer.get("result") or answer.get("status") or "nothing"
    return f"The gateway answers {str(told)[:60]!r}."


def chosen(value: Any, separator: str) -> str:
    """Return a field as text; for options (name → value, selected) the selected names."""
    if isinstance(value, dict):
        picked = [
            n for n, one in value.items() if isinstance(one, dict) and one.get("selected")
        ]
        return separator.join(name for name in picked if name)
    # An empty reference is encoded as an empty list.
    return "" if value is None or value == [] else str(value)
