"""OpenWrt over ubus (JSON-RPC at /ubus): UCI sections, staged in an rpcd session.

What is written is held in the session until ``uci apply``. It is applied with a way back:
unless ``uci confirm`` comes within half a minute, the router restores what it had. Services are
reloaded a second after the apply, so that it is confirmed only when that is over.
"""

import base64
import contextlib
import secrets
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from controller.base.errors import Refused
from networks.gateways.drivers.contract import (
    Call,
    Endpoint,
    OutcomeUnknown,
    Rejected,
    Unreachable,
)
from networks.gateways.drivers.driver import Driver, if_told
from networks.gateways.drivers.http import Http
from networks.gateways.drivers.live import openwrt as live
from networks.gateways.engine.backups import ARCHIVE, BackupFile
from networks.gateways.engine.features import Feature
from networks.gateways.engine.live import Reader
from networks.gateways.engine.measurements import Measured, of_openwrt

NOBODY = "0" * 32
# ubus status codes and their meaning here.
REFUSALS = {1: "it has no such command", 2: "an argument is not valid", 3: "it has no such method", 4: "it is not there",
            8: "it is not supported"}  # fmt: skip
NOT_FOUND, NO_DATA, DENIED = 4, 5, 6
# Errors of JSON-RPC after which it may have been done: no answer in time, and one of its own.
UNKNOWN_FAULTS = {-32003, -32603}
# Seconds until the router rolls back by itself.
WAY_BACK = 30
# Calls that only stage in the session until it is applied.
STAGING = {("uci", one) for one in ("add", "set", "delete", "rename", "order")}
# Of services: what the portal comes in by.
DOORS = {"uhttpd", "rpcd"}
# What sysupgrade writes, and the bytes of one call: uhttpd takes requests of 64 KiB.
ARCHIVE_PATH, PART = "/tmp/muster-backup.tar.gz", 24_000  # noqa: S108 - the router's
BOOT = "/proc/sys/kernel/random/boot_id"


class OpenWrt(Http, Driver):
    vendor: ClassVar[str] = "openwrt"
    live_parts = live.PARTS

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint, "")
        self._session = ""
        self._settles = endpoint.settles

    def _version(self) -> str:
        return str(self._board().get("release", {}).get("version", ""))

    def _label(self) -> str:
        return str(self._board().get("hostname", "OpenWrt"))

    def _board(self) -> dict[str, Any]:
        if "board" not in self._kept:
            self._kept["board"] = self._call("system", "board")[1]
        return dict(self._kept["board"])

    def _measure(self) -> list[Measured]:
        name = self._label()
        told = self._tell("system", "info")
        devices = if_told(lambda: self._tell("network.device", "status"), otherwise={})
        return [of_openwrt(name, told, devices)]

    def _reader(self) -> Reader:
        return self._tell

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        return str(self._tell("file", "read", {"path": BOOT}).get("data", "")).strip()

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        return [name for name, row in self._sections(feature).items() if feature.fits(row)]

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        row = self._sections(feature).get(target)
        return feature.flat(row) if row is not None else None

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if feature.action:
            return self._do(feature, {**feature.typed(values), **feature.constants})
        if operation == "create":
            return self._add(feature, {**feature.constants, **values})
        if operation == "delete":
            self._tell("uci", "delete", at(feature, target))
            return target
        return self._set(feature, target, values)

    def _activate(self, feature: Feature) -> None:
        if feature.action:
            return
        way = {"rollback": True, "timeout": WAY_BACK}
        code, _ = self._call("uci", "apply", way, is_write=True)
        if code == NO_DATA:
            return  # nothing staged: already in effect
        if code:
            raise Unreachable("Another change of the router is not confirmed yet.")
        # It lets the portal in when the change is in effect, and still does a while later.
        self._still_lets_in(self._settles)
        self._still_lets_in(self._settles / 2)
        self._tell("uci", "confirm", is_write=True)

    def _still_lets_in(self, after: float) -> None:
        """Raise unless a new connection can be made after so many seconds."""
        if not self.rehearses:
            threading.Event().wait(after)
        self.reconnect()
        self._tell("session", "access", {"scope": "ubus", "object": "uci", "function": "apply"})

    def _lasting(self, feature: Feature, target: str) -> str:
        """Give a section a name: the one that OpenWrt gave it may be another's after a change."""
        row = self._sections(feature).get(target)
        if row is None or not row.get(".anonymous"):
            return target
        name = self._free_name(feature)
        try:
            self._tell("uci", "rename", {**at(feature, target), "name": name})
            self._activate(feature)
        except Refused as error:
            raise Unreachable(f"The section could not be named: {error}") from error
        return name

    def _back_up(self) -> BackupFile:
        self._execute("-b", ARCHIVE_PATH)
        try:
            told = self._tell("file", "read", {"path": ARCHIVE_PATH, "base64": True})
        except Rejected as error:
            raise Rejected(
                "The archive has 256 KiB or more, which the router does not tell by ubus."
            ) from error
        finally:
            self._tell("file", "remove", {"path": ARCHIVE_PATH})
        contents = base64.b64decode(str(told.get("data", "")))
        return BackupFile("backup.tar.gz", ARCHIVE, contents)

    def _restore(self, backup: BackupFile) -> None:
        """Unpack the archive over the files, and restart."""
        for at in range(0, len(backup.contents), PART):
            part = base64.b64encode(backup.contents[at : at + PART]).decode()
            sent = {"path": ARCHIVE_PATH, "data": part, "base64": True, "append": at > 0}
            self._tell("file", "write", sent, is_write=True)
        self._execute("-r", ARCHIVE_PATH, is_write=True)
        self._tell("system", "reboot", is_write=True)

    def _execute(self, *words: str, is_write: bool = False) -> None:
        sent = {"command": "/sbin/sysupgrade", "params": list(words)}
        told = self._tell("file", "exec", sent, is_write=is_write)
        if told.get("code"):
            raise Rejected(f"sysupgrade {words[0]} ends with code {told['code']}.")

    def _free_name(self, feature: Feature) -> str:
        taken = self._all(feature)
        return next(
            name for _ in range(99) if (name := f"muster_{secrets.token_hex(4)}") not in taken
        )

    def _do(self, feature: Feature, args: dict[str, Any]) -> str:
        name, method = feature.action.split("/")
        is_service = (name, method) == ("rc", "init")
        if is_service and args["name"] in DOORS and args["action"] == "stop":
            raise Rejected(
                f"The portal comes in by {args['name']}: it is restarted, not stopped."
            )
        try:
            self._tell(name, method, args, is_write=True)
        except OutcomeUnknown:
            # What it was asked to restart may be what answers.
            if not is_service or not self._runs(
                args["name"], is_expected=args["action"] != "stop"
            ):
                raise
        return ""

    def _runs(self, service: str, *, is_expected: bool) -> bool:
        """Whether a service is, after a while, as it was asked to be."""
        threading.Event().wait(self._settles)
        self.reconnect()
        self._session = ""
        try:
            code, found = self._call("rc", "list", {"name": service})
        except Refused:
            return False
        return not code and found.get(service, {}).get("running") is is_expected

    def __exit__(self, *_: object) -> None:
        # Sessions are few, and live for minutes; whoever cannot be reached has lost it anyway.
        if self._session:
            with contextlib.suppress(Refused):
                self._call("session", "destroy")
        super().__exit__()

    def _add(self, feature: Feature, values: Mapping[str, str]) -> str:
        head, inner = kind_of(feature)
        name = values[feature.identity[0]] if feature.identity and not inner else ""
        name = name or self._free_name(feature)
        known = {"config": feature.path, "type": head + (values[inner] if inner else "")}
        if name in self._all(feature):
            raise Rejected(f"There is a section {name} already.")
        sent = {n: v for n, v in values.items() if n not in feature.identity}
        self._tell("uci", "add", {**known, "name": name, "values": options(feature, sent)})
        return name

    def _set(self, feature: Feature, target: str, values: Mapping[str, str]) -> str:
        found = self._sections(feature)
        sent = {n: v for n, v in values.items() if v and n not in feature.identity}
        if sent:
            self._tell("uci", "set", {**at(feature, target), "values": options(feature, sent)})
        gone = [n for n, v in values.items() if not v and n in found.get(target, {})]
        if gone:
            self._tell("uci", "delete", {**at(feature, target), "options": gone})
        return target

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        """Sections of other kinds keep their places: those of this kind change among themselves."""
        self._kept.clear()
        kind = iter(new)
        names = [next(kind) if name in new else name for name in self._all(feature)]
        self._tell("uci", "order", {"config": feature.path, "sections": names})

    def _all(self, feature: Feature) -> dict[str, dict[str, Any]]:
        """Every section of a package, by name, in the order of the file."""
        if feature.path not in self._kept:
            code, told = self._call("uci", "get", {"config": feature.path})
            if code and code != NOT_FOUND:
                raise Unreachable(f"The router does not tell its {feature.path} ({code}).")
            self._kept[feature.path] = told
        rows = self._kept[feature.path].get("values", {})
        return dict(sorted(rows.items(), key=lambda one: int(one[1].get(".index", 0))))

    def _sections(self, feature: Feature) -> dict[str, dict[str, Any]]:
        """Return the feature's sections by name."""
        head, inner = kind_of(feature)
        kept = {}
        for name, row in self._all(feature).items():
            kind = str(row.get(".type", ""))
            if kind == head or (inner and kind.startswith(head)):
                told = {inner: kind.removeprefix(head)} if inner else {}
                if feature.identity and not inner:
                    told = {feature.identity[0]: name}
                kept[name] = {**row, **told}
        return kept

    def _tell(
        self,
        name: str,
        method: str,
        args: Mapping[str, Any] | None = None,
        *,
        is_write: bool = False,
    ) -> dict[str, Any]:
        """Call a ubus method; raise unless it succeeds. Staging calls count as reads."""
        self._kept.clear()
        code, found = self._call(name, method, args, is_write=is_write)
        if code == DENIED:
            raise Unreachable(f"The account may not call {name} {method}.")
        if code in REFUSALS:
            raise Rejected(f"The router refuses {name} {method}: {REFUSALS[code]}.")
        if code:
            kind = OutcomeUnknown if is_write else Unreachable
            raise kind(f"The router answers {name} {method} with status {code}.")
        return found

    def _call(
        self,
        name: str,
        method: str,
        args: Mapping[str, Any] | None = None,
        *,
        is_write: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        if not self._session:
            self._sign_in()
        return self._exchange(self._session, name, method, args or {}, is_write=is_write)

    def _sign_in(self) -> None:
        who = {"username": self.credentials["key"], "password": self.credentials["secret"]}
        code, found = self._exchange(NOBODY, "session", "login", who)
        if code or "ubus_rpc_session" not in found:
            raise Unreachable("The router does not accept the user and password.")
        self._session = str(found["ubus_rpc_session"])

    def _exchange(
        self,
        session: str,
        name: str,
        method: str,
        args: Mapping[str, Any],
        *,
        is_write: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        sent = {
            "jsonrpc": "2.0", "id": 1, "method": "call",
            "params": [session, name, method, dict(args)],
        }  # fmt: skip
        if self.rehearses and (is_write or (name, method) in STAGING):
            self.calls.append(Call("ubus", f"{name} {method}", dict(args)))
            return 0, {}
        answer = self.ask("POST", "ubus", is_write=is_write, json=sent)
        fault = answer.get("error") if isinstance(answer, dict) else {"code": 0}
        if is_write and isinstance(fault, dict) and fault.get("code") in UNKNOWN_FAULTS:
            raise OutcomeUnknown(f"The router did not end {name} {method} in time.")
        if fault is not None:
            raise Unreachable(f"The account may not call {name} {method}.")
        code, *rest = answer.get("result") or [NO_DATA]
        found = rest[0] if rest else {}
        return int(code), found if isinstance(found, dict) else {}


def kind_of(feature: Feature) -> tuple[str, str]:
    """Split the section type into its fixed part and the property that completes it."""
    head, _, inner = feature.noun.partition("{")
    return head, inner.rstrip("}")


def at(feature: Feature, target: str) -> dict[str, str]:
    return {"config": feature.path, "section": target}


def options(feature: Feature, values: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: text.split(feature.separator) if feature.is_list(name) and text else text
        for name, text in values.items()
        if text
    }
