"""MikroTik RouterOS over its REST API, or its binary API if the address says so.

REST exists from RouterOS 7.1 (www-ssl). The ports 8729 and 8728, or a path of ``/api``,
select the binary API. Both use menus and items with ids such as ``*1A``.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar
from urllib.parse import urlsplit

from networks.gateways.drivers.contract import (
    Endpoint,
    OutcomeUnknown,
    Rejected,
    Unreachable,
)
from networks.gateways.drivers.driver import NEW, Driver, if_told
from networks.gateways.drivers.http import Http, boot, decoded
from networks.gateways.drivers.live import mikrotik as live
from networks.gateways.drivers.routeros import PORTS, Binary
from networks.gateways.drivers.savepoints import Transport, WayBack, moved
from networks.gateways.engine.backups import TEXT, BackupFile
from networks.gateways.engine.features import MASK, Feature
from networks.gateways.engine.live import Reader
from networks.gateways.engine.measurements import Measured, of_mikrotik, seconds

NOT_FOUND = 404
# The largest file that RouterOS takes as a text, and what a restored export is called.
LARGEST_FILE, RESTORED = 60_000, "muster-restore.rsc"
CLOSED = "Session closed"
# Nouns of features without items of their own: a menu with a single item, and the order of a list.
SETTINGS, ORDER = "settings", "order"
Rows = list[dict[str, str]]


class Rest(Http):
    pretended = {".id": "{new}"}

    def __init__(self, endpoint: Endpoint) -> None:
        auth = (endpoint.credentials["key"], endpoint.credentials["secret"])
        super().__init__(endpoint, "rest/", auth=auth)

    def rows(self, menu: str, target: str = "") -> Rows:
        answer = self.request("GET", f"{menu}/{target}" if target else menu)
        if target and answer.status_code == NOT_FOUND:
            return []
        self.checked(answer, is_write=False)
        found = decoded(answer)
        return found if isinstance(found, list) else [found]

    def add(self, menu: str, values: Mapping[str, str]) -> str:
        return str(self._tell("PUT", menu, values)[".id"])

    def put(self, menu: str, target: str, values: Mapping[str, str]) -> None:
        if target:
            self._tell("PATCH", f"{menu}/{target}", values)
        else:
            self._tell("POST", f"{menu}/set", values)

    def remove(self, menu: str, target: str) -> None:
        self._tell("DELETE", f"{menu}/{target}")

    def call(self, path: str, values: Mapping[str, str]) -> None:
        self._tell("POST", path, values)

    def run(self, path: str, values: Mapping[str, str]) -> Rows:
        """Run a command that changes nothing, and return what it answers."""
        answer = self.request("POST", path, json=dict(values))
        self.checked(answer, is_write=False)
        found = decoded(answer) or []
        return found if isinstance(found, list) else [found]

    def close(self) -> None:
        self._client.close()

    def _tell(self, method: str, path: str, values: Mapping[str, str] | None = None) -> Any:
        sent = None if values is None else dict(values)
        answer = self.request(method, path, is_write=True, json=sent)
        why = reason(answer.content and decoded(answer, is_write=True))
        if CLOSED in why:
            # It ran for longer than a minute, and perhaps still runs.
            raise OutcomeUnknown("The router closed the session before the command ended.")
        self.checked(answer, is_write=True, reason=why)
        return decoded(answer, is_write=True)


def reason(told: Any) -> str:
    return str(told.get("detail") or "") if isinstance(told, dict) else ""


class MikroTik(Driver):
    vendor: ClassVar[str] = "mikrotik"
    live_parts = live.PARTS

    def __init__(self, endpoint: Endpoint) -> None:
        url = urlsplit(endpoint.url)
        is_binary = url.port in PORTS or url.path.strip("/") == "api"
        self._router: Transport = Binary(endpoint) if is_binary else Rest(endpoint)
        self._way_back = WayBack(self._router)
        self.calls = self._router.calls

    @property
    def has_sent(self) -> bool:
        return self._router.has_sent

    @has_sent.setter
    def has_sent(self, is_so: bool) -> None:
        self._router.has_sent = is_so

    def __enter__(self) -> "MikroTik":
        return self

    def __exit__(self, *_: object) -> None:
        self._router.close()

    def _version(self) -> str:
        (resource,) = self._router.rows("system/resource")
        return resource.get("version", "")

    def _label(self) -> str:
        (identity,) = self._router.rows("system/identity")
        return identity.get("name", "MikroTik")

    def _measure(self) -> list[Measured]:
        (resource,) = self._router.rows("system/resource")
        health, arp, near = (
            if_told(partial(self._router.rows, menu), otherwise=[])
            for menu in ("system/health", "ip/arp", "ip/neighbor")
        )
        ports = self._router.rows("interface")
        return [of_mikrotik(self._label(), resource, ports, health, arp, near)]

    def _reader(self) -> Reader:
        def read(menu: str, values: Mapping[str, str] | None = None) -> Rows:
            return self._router.rows(menu) if values is None else self._router.run(menu, values)

        return read

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if feature.path:
            found = repr(sorted(map(sorted, (row.items() for row in self._list(feature)))))
            return hashlib.sha256(found.encode()).hexdigest()
        (resource,) = self._router.rows("system/resource")
        return boot(seconds(resource.get("uptime")) or 0)

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        if feature.noun:
            return [feature.noun]
        return [row[".id"] for row in self._list(feature) if ".id" in row]

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        if feature.noun == ORDER:
            return {ORDER: ",".join(self._movable(feature))}
        found = self._router.rows(feature.path, "" if feature.noun else target)
        return feature.flat(found[0]) if found else None

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        try:
            return self._written(feature, operation, target, values)
        except Rejected as error:
            raise Rejected(without(str(error), feature, values)) from None

    def _written(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if feature.action:
            self._router.call(
                feature.action, {**feature.defaults, **feature.constants, **values}
            )
            return ""
        if feature.noun == ORDER:
            self._reorder(feature, values[ORDER].split(","))
            return target
        if feature.has_savepoint:
            return self._way_back.write(feature, operation, target, values)
        if operation == "create":
            return self._router.add(feature.path, {**feature.constants, **values})
        if operation == "delete":
            self._router.remove(feature.path, target)
        else:
            self._router.put(feature.path, "" if feature.noun else target, values)
        return target

    def _create_at(self, feature: Feature, values: Mapping[str, Any], position: str) -> str:
        new = self._arranged(self._order(feature, "", {}), NEW, position)
        below = new[new.index(NEW) + 1 :]
        return self._write(feature, "create", "", {**values, **before(below)})

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        if new == old:
            return
        there, back = ((ids[ids.index(target) + 1 :] or [""])[0] for ids in (new, old))
        if feature.has_savepoint:
            self._way_back.move(feature, target, there, back)
        else:
            self._router.call(f"{feature.path}/move", moved(target, there))

    def _movable(self, feature: Feature) -> list[str]:
        """Return the ids of a list in their order, without those that the router makes."""
        return [row[".id"] for row in self._list(feature) if row.get("dynamic") != "true"]

    def _reorder(self, feature: Feature, wanted: list[str]) -> None:
        """Move what is not ahead of its successor, from the last to the first."""
        now = self._movable(feature)
        if sorted(wanted) != sorted(now):
            raise Rejected("The order has to name each rule that is there, once.")
        for one, successor in reversed([*pairwise(wanted)]):
            rest = [each for each in now if each != one]
            at = rest.index(successor)
            new = [*rest[:at], one, *rest[at:]]
            self._move(feature, one, now, new)
            now = new

    def _activate(self, feature: Feature) -> None:
        """Confirm guarded writes. All other writes are in effect at once."""
        if feature.has_savepoint:
            self._way_back.confirm(feature)

    def _back_up(self) -> BackupFile:
        """Return an export, with secrets: RouterOS 6 tells them unless it is asked not to."""
        words = "/export show-sensitive" if self.parsed_version >= (7,) else "/export"
        (told,) = self._router.run("execute", {"script": words, "as-string": ""})
        text = told.get("ret", "")
        if not text.startswith("#"):
            raise Unreachable("The router exports nothing: its account needs more policies.")
        return BackupFile("export.rsc", TEXT, text.encode())

    def _restore(self, backup: BackupFile) -> None:
        """Reset the router, which runs the export afterwards. Users stay."""
        if len(backup.contents) > LARGEST_FILE:
            raise Rejected(
                f"The export is larger than the {LARGEST_FILE // 1000} kB that RouterOS takes: "
                "download it and import it on the router."
            )
        router, files = self._router, self._router.rows("file")
        is_on_flash = any(one.get("name") == "flash" for one in files)
        name = f"flash/{RESTORED}" if is_on_flash else RESTORED
        for one in files:
            if one.get("name") == name:
                router.remove("file", one[".id"])
        router.add("file", {"name": name, "contents": backup.contents.decode()})
        router.call(
            "system/reset-configuration",
            {"keep-users": "yes", "no-defaults": "yes", "skip-backup": "yes",
             "run-after-reset": name},
        )  # fmt: skip

    def _list(self, feature: Feature) -> Rows:
        return [row for row in self._router.rows(feature.path) if feature.fits(row)]


def before(below: list[str]) -> dict[str, str]:
    return {"place-before": below[0]} if below else {}


def without(text: str, feature: Feature, values: Mapping[str, str]) -> str:
    """Mask the secrets that the router's error message may repeat."""
    for name in feature.secret & set(values):
        text = text.replace(values[name] or MASK, MASK)
    return text
