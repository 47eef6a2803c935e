"""Proxmox VE's API at /api2/json, with an API token.

Long operations run as tasks, identified by a UPID. An action waits for its task as long as
the timeout allows; a task that runs longer counts as started. Source:
pve.proxmox.com/pve-docs/api-viewer.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from controller.base.outbound.http import Response
from networks.gateways.drivers.contract import Endpoint, Rejected, TimedOut
from networks.gateways.drivers.driver import Driver, if_told
from networks.gateways.drivers.http import SHOWN, Http, boot, decoded
from networks.gateways.drivers.labels import is_ambiguous, named
from networks.gateways.drivers.live import proxmox as live
from networks.gateways.drivers.waiting import is_done_within
from networks.gateways.engine.features import Feature
from networks.gateways.engine.live import Reader
from networks.gateways.engine.measurements import Measured, of_proxmox

# An error of the API's own code. Of these it is known that nothing was done.
FAILED = 500
NOTHING_DONE = re.compile(
    r"(?i)already (exists|defined|used)|does not exist|no such|not found|not running|is running"
    r"|can't lock|locked|detected modified configuration|invalid|not a template|unable to parse"
)
# The API's own property with the position of an object without a name.
BY_PLACE = "pos"


class Proxmox(Http, Driver):
    vendor: ClassVar[str] = "proxmox"
    live_parts = live.PARTS
    live_lacks = frozenset({"neighbors"})
    pretended = {"data": None}

    def __init__(self, endpoint: Endpoint) -> None:
        known = endpoint.credentials
        token = f"PVEAPIToken={known['key']}={known['secret']}"
        super().__init__(endpoint, "api2/json/", headers={"Authorization": token})
        # Scope of the last read or write; `activate` applies to it.
        self._place: dict[str, str] = {}
        # Digest of a list, so that a write by position is refused if it has changed.
        self._guard: dict[str, str] = {}

    def _version(self) -> str:
        return str(self._get("version").get("version", ""))

    def _measure(self) -> list[Measured]:
        names = [str(one["node"]) for one in self._get("nodes")]
        told = {
            name: if_told(partial(self._get, f"nodes/{name}/status"), otherwise={})
            for name in names
        }
        return of_proxmox(names[0] if names else "", {n: one for n, one in told.items() if one})

    def _reader(self) -> Reader:
        return self._get

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        """Return the newest task of the action's type, or the node's boot time."""
        node = values.get("node", "")
        if feature.noun:
            kind = feature.noun.format(**values)
            asked = {"limit": "1", "typefilter": kind, "source": "all"}
            asked |= {"vmid": values["vmid"]} if "vmid" in values else {}
            found = self._get(f"nodes/{node}/tasks", asked)
            return str(found[0]["upid"]) if found else "none"
        if not node:
            return ""
        return boot(int(self._get(f"nodes/{node}/status").get("uptime", 0)))

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        places = self._places(feature, within)
        if feature.operations == ("update",):
            return [":".join(place.values()) or "settings" for place in places]
        return [
            ":".join([*place.values(), name])
            for place in places
            for name in named(feature, self._get(feature.path.format(**place)))
        ]

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        place, name = self._locate(feature, target)
        if feature.operations == ("update",):
            return feature.flat(self._get(feature.path.format(**place)))
        found = named(feature, self._get(feature.path.format(**place)))
        return feature.flat({**found[name], **place}) if name in found else None

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if feature.action:
            return self._do(feature, values)
        if operation == "create":
            return self._create(feature, {**feature.constants, **values})
        place, name = self._locate(feature, target)
        path = feature.path.format(**place)
        if feature.operations != ("update",):
            path = f"{path}/{self._last_part(feature, path, name)}"
        if operation == "delete":
            self._tell("DELETE", path, self._guard)
            return target
        kept = {n: v for n, v in values.items() if v}
        gone = ",".join(n for n, v in values.items() if not v)
        self._tell("PUT", path, {**kept, **({"delete": gone} if gone else {})})
        return target

    def _activate(self, feature: Feature) -> None:
        if feature.activation:
            method, path = feature.activation.split()
            task = self._tell(method, path.format(**self._place))
            # Networks are reloaded by a task: they are not in effect before its end.
            if is_task(task) and not self._ends(task):
                raise TimedOut("It is still being applied.")

    def _order(self, feature: Feature, target: str, within: Mapping[str, str]) -> list[str]:
        """Return the rules of the cluster, or of one guest."""
        place = feature.located(target)[0] if target else within
        return self._ids(feature, {n: place[n] for n in feature.scope})

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        if new == old:
            return
        place, name = self._locate(feature, target)
        path = feature.path.format(**place)
        row = self._sole(feature, path, name)
        was, at = old.index(target), new.index(target)
        # It is put before what has that position now, itself counted.
        sent = {"moveto": str(at if at < was else at + 1), **unchanged(row)}
        self._tell("PUT", f"{path}/{row[BY_PLACE]}", sent)

    def _locate(self, feature: Feature, target: str) -> tuple[dict[str, str], str]:
        self._place, name = feature.located(target)
        return self._place, name

    def _create(self, feature: Feature, values: Mapping[str, str]) -> str:
        self._place = place = {name: values[name] for name in feature.scope}
        path = feature.path.format(**place)
        known = set(named(feature, self._get(path)))
        self._tell("POST", path, {n: v for n, v in values.items() if n not in place})
        if feature.identity:
            name = values[feature.identity[0]]
        else:
            name = next(iter(set(named(feature, self._get(path))) - known), "")
        return ":".join([*place.values(), name])

    def _do(self, feature: Feature, values: Mapping[str, str]) -> str:
        *method, path = feature.action.split()
        rest: dict[str, Any] = {
            n: v.split(feature.separator) if feature.is_list(n) else v
            for n, v in values.items()
            if f"{{{n}}}" not in path
        }
        # A volume has slashes of its own.
        place = {name: quote(value, safe=":@!+") for name, value in values.items()}
        sent = {**feature.constants, **rest}
        task = self._tell("".join(method) or "POST", path.format(**place), sent)
        if not is_task(task):
            return ""
        self._ends(task)
        return str(task)[:128]

    def _ends(self, task: str) -> bool:
        """Return whether a task ends in time. Raises Rejected if it fails."""
        return is_done_within(self.seconds, lambda: self._is_over(task))

    def _is_over(self, task: str) -> bool:
        # UPID:<node>:…
        told = self._get(f"nodes/{task.split(':')[1]}/tasks/{task}/status")
        if told.get("status") != "stopped":
            return False
        outcome = str(told.get("exitstatus", ""))
        if outcome != "OK" and not outcome.startswith("WARNINGS"):
            raise Rejected(f"The task failed: {outcome[:SHOWN]}")
        return True

    def _last_part(self, feature: Feature, path: str, name: str) -> str:
        """Return the last path segment of an object: its name or current position."""
        self._guard = {}
        if feature.identity:
            return name
        row = self._sole(feature, path, name)
        self._guard = unchanged(row)
        return str(row[BY_PLACE])

    def _sole(self, feature: Feature, path: str, name: str) -> dict[str, Any]:
        """Return an object that is named by what it holds, unless another holds the same."""
        found = named(feature, self._get(path))
        if name not in found:
            raise Rejected("It is not there any more.")
        if is_ambiguous(found, name):
            raise Rejected("There are several that hold the same: delete the last of them.")
        return found[name]

    def _places(self, feature: Feature, within: Mapping[str, str]) -> list[dict[str, str]]:
        """Return the scopes to search: the given one, otherwise all nodes or guests."""
        scope = feature.scope
        if all(name in within for name in scope):
            return [{name: within[name] for name in scope}]
        if scope == ("node",):
            return [{"node": str(one["node"])} for one in self._get("nodes")]
        kind = "lxc" if "/lxc/" in feature.path else "qemu"
        guests = self._get("cluster/resources", {"type": "vm"})
        return [
            {"node": str(one["node"]), "vmid": str(one["vmid"])}
            for one in guests
            if one.get("type") == kind
        ]

    def _get(self, path: str, asked: Mapping[str, str] | None = None) -> Any:
        answer = self.request("GET", path, params=asked)
        self.checked(answer, is_write=False)
        return (decoded(answer) or {}).get("data")

    def _tell(self, method: str, path: str, sent: Mapping[str, Any] | None = None) -> Any:
        how = {"params": sent} if method == "DELETE" else {"data": sent}
        answer = self.request(method, path, is_write=True, **how)
        if answer.status_code == FAILED and NOTHING_DONE.search(reason(answer)):
            raise Rejected(f"Proxmox refuses: {reason(answer)[:SHOWN]}")
        self.checked(answer, is_write=True, reason=reason(answer))
        return (decoded(answer, is_write=True) or {}).get("data")


def unchanged(row: Mapping[str, Any]) -> dict[str, str]:
    return {"digest": str(row["digest"])} if row.get("digest") else {}


def is_task(told: Any) -> bool:
    return isinstance(told, str) and told.startswith("UPID:")


def reason(answer: Response) -> str:
    """Return the reason of a refusal with parameter names but without values."""
    try:
        told = answer.json()
    except ValueError:
        return answer.reason_phrase
    errors = told.get("errors") if isinstance(told, dict) else None
    if isinstance(errors, dict):
        return "; ".join(f"{name}: {text}" for name, text in errors.items())
    return str((told or {}).get("message") or answer.reason_phrase).strip()
