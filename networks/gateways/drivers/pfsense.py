"""pfSense with the REST API package (pfrest.org) at /api/v2.

Objects are numbered by position, so every call looks them up again. Credentials are a local
user and password or, with the user ``api-key``, a key created under *System → REST API*.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from controller.base.outbound.http import Response
from networks.gateways.drivers.contract import Endpoint, Rejected, TimedOut, Unreachable
from networks.gateways.drivers.driver import NEW, Driver, if_told
from networks.gateways.drivers.http import BUSY, REFUSALS, Http, boot, decoded
from networks.gateways.drivers.labels import Rows, is_ambiguous, name_of, named
from networks.gateways.drivers.live import pfsense as live
from networks.gateways.drivers.waiting import is_done_within
from networks.gateways.engine.backups import TEXT, BackupFile
from networks.gateways.engine.features import Feature
from networks.gateways.engine.live import Reader
from networks.gateways.engine.measurements import Measured, of_pfsense, seconds

BY_KEY = "api-key"
# Lists of objects in the API, written here with slashes, as in 10.0.0.0/24 or
# aes/256/sha256/14.
OBJECTS = {
    "addresses": ("address", "mask"),
    "allowedips": ("address", "mask"),
    "encryption": (
        "encryption_algorithm_name", "encryption_algorithm_keylen", "hash_algorithm", "dhgroup",
    ),
    "encryption_algorithm_option": ("name", "keylen"),
}  # fmt: skip
NUMBERS = {"mask", "encryption_algorithm_keylen", "dhgroup", "keylen"}
HOST_MASK = {"mask": "32"}
# Properties that are cleared by null: the package rejects an empty text.
NULLABLE = {"source_port", "destination_port", "gateway", "monitor", "endpoint"}
OUTBOUND = "firewall/nat/outbound/mapping"
# Respond only when done: an asynchronous response hides failures.
AT_ONCE = {"async": False}
SETTINGS = "settings"
CONFIGURATION, RESTORED = "/conf/config.xml", "/tmp/muster-restore.xml"  # noqa: S108 - the firewall's
# Characters of one command.
PART = 48_000


class PfSense(Http, Driver):
    vendor: ClassVar[str] = "pfsense"
    live_parts = live.PARTS
    pretended = {"data": {}}
    # 424: a package is missing. 503: busy with another task.
    refusals = REFUSALS | {424}
    busy = BUSY | {503}

    def __init__(self, endpoint: Endpoint) -> None:
        self._version_before = endpoint.version
        user, secret = endpoint.credentials["key"], endpoint.credentials["secret"]
        if user == BY_KEY:
            super().__init__(endpoint, "api/v2/", headers={"X-API-Key": secret})
        else:
            super().__init__(endpoint, "api/v2/", auth=(user, secret))

    def _version(self) -> str:
        """Return the versions of the package and of pfSense.

        The package looks for updates when asked, so its version is reused while pfSense's
        is unchanged.
        """
        system = f"(pfSense {self._get('system/version').get('version', '')})"
        if self._version_before.endswith(system):
            return self._version_before
        told = str(self._get("system/restapi/version").get("current_version") or "")
        return f"{told.removeprefix('v')} {system}" if told else system

    def _measure(self) -> list[Measured]:
        host = if_told(lambda: self._get("system/hostname"), otherwise={})
        ports, arp = (
            if_told(partial(self._get, path, {"limit": "0"}), otherwise=[])
            for path in ("status/interfaces", "diagnostics/arp_table")
        )
        return [
            of_pfsense(str(host.get("hostname", "")), self._get("status/system"), ports, arp)
        ]

    def _reader(self) -> Reader:
        def read(method: str, path: str, sent: Mapping[str, Any]) -> Any:
            if method == "GET":
                return self._get(path, sent)
            answer = self.request(method, path, json=dict(sent))
            self.checked(answer, is_write=False)
            return (decoded(answer) or {}).get("data") or {}

        return read

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if "diagnostics/" not in feature.action:
            return ""
        told = str(self._get("status/system").get("uptime", ""))
        return boot(seconds(told) or 0)

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        return [SETTINGS] if not feature.noun else list(self._rows(feature))

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        if not feature.noun:
            return feature.flat(flattened(feature, self._get(feature.path)))
        row = self._rows(feature).get(target)
        return None if row is None else feature.flat(row)

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if feature.action:
            return self._do(feature, values)
        sent = native(feature, values)
        if "interface" in sent:
            self._check_names()
        if operation == "create":
            return self._create(feature, sent)
        if not feature.noun:
            self._tell("PATCH", feature.path, sent)
            return target
        found = self._rows(feature)
        if target not in found:
            raise Rejected("It is not there any more.")
        row = found[target]
        where: dict[str, Any] = {n: row[n] for n in ("id", "parent_id") if n in row}
        if operation == "update":
            made = self._tell("PATCH", feature.path, {**where, **sent})
            is_told = feature.identity and set(feature.identity) <= made.keys()
            return name_of(feature, flattened(feature, made)) if is_told else target
        if is_ambiguous(found, target):
            raise Rejected("There are several that hold the same: delete the last of them.")
        self._tell("DELETE", feature.path, where, in_address=True)
        return target

    def _create_at(self, feature: Feature, values: Mapping[str, Any], position: str) -> str:
        new = self._arranged(self._order(feature, "", {}), NEW, position)
        sent = {**native(feature, values), "placement": new.index(NEW)}
        return self._create(feature, sent)

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        if new != old:
            where = {"id": self._rows(feature)[target]["id"], "placement": new.index(target)}
            self._tell("PATCH", feature.path, where)

    def _create(self, feature: Feature, sent: dict[str, Any]) -> str:
        given = {name: value for name, value in sent.items() if value is not None}
        sent = {**feature.defaults, **feature.constants, **given}
        if feature.path == OUTBOUND and "target_subnet" not in sent:
            sent["target_subnet"] = 128 if ":" in str(sent.get("target")) else 32
        made = self._tell("POST", feature.path, sent)
        if feature.identity:
            return name_of(feature, flattened(feature, made))
        return self._newest(feature, made)

    def _activate(self, feature: Feature) -> None:
        if feature.activation:
            self._apply(feature.activation)

    def _apply(self, path: str) -> None:
        """Reload what has changed; a package may answer before that is over, and tells when."""
        if self._tell("POST", path, AT_ONCE).get("applied") is False and not is_done_within(
            self.seconds, lambda: self._get(path).get("applied") is not False
        ):
            raise TimedOut("It is still being applied.")

    def _check_names(self) -> None:
        """Refuse if the package is set to represent interfaces by other names than ids."""
        answer = self.request("GET", "system/restapi/settings")
        told = (decoded(answer) or {}).get("data") if answer.is_success else None
        how = (told or {}).get("represent_interfaces_as", "id")
        if how != "id":
            raise Rejected(
                f"The REST API package calls interfaces by their {how}: set Represent Interfaces "
                "As to Internal ID under System > REST API > Settings."
            )

    def _do(self, feature: Feature, values: Mapping[str, str]) -> str:
        if feature.action.endswith("/apply"):
            self._apply(feature.action)
            return ""
        sent: dict[str, Any] = {**feature.constants, **values}
        if feature.action == "status/service":
            services = self._get("status/services")
            sent["id"] = next(
                (one["id"] for one in services if one.get("name") == values["name"]), None
            )
            if sent["id"] is None:
                raise Rejected("There is no such service.")
        self._tell("POST", feature.action, sent)
        return ""

    def _back_up(self) -> BackupFile:
        told = self._run(f"openssl base64 -A -in {CONFIGURATION}")
        contents = base64.b64decode(told)
        if not contents.lstrip().startswith(b"<?xml"):
            raise Unreachable("The firewall does not give its configuration.")
        return BackupFile("config.xml", TEXT, contents)

    def _restore(self, backup: BackupFile) -> None:
        """Write the configuration in parts, compare it, put it in place, and restart."""
        told = base64.b64encode(backup.contents).decode()
        self._run(f"rm -f {RESTORED} {RESTORED}.b64")
        for at in range(0, len(told), PART):
            self._run(f"printf %s '{told[at : at + PART]}' >> {RESTORED}.b64", is_write=True)
        digest = self._run(
            f"openssl base64 -d -A -in {RESTORED}.b64 -out {RESTORED} && sha256 -q {RESTORED}",
            is_write=True,
        ).strip()
        if not self.rehearses and digest != hashlib.sha256(backup.contents).hexdigest():
            raise Rejected("The configuration did not arrive whole: nothing was changed.")
        self._run(
            f"cp {RESTORED} {CONFIGURATION} && "
            f"rm -f /tmp/config.cache {RESTORED} {RESTORED}.b64",
            is_write=True,
        )
        self._tell("POST", "diagnostics/reboot", {})

    def _run(self, command: str, *, is_write: bool = False) -> str:
        """Run a command on the firewall: the package has no call for its configuration."""
        answer = self.request(
            "POST", "diagnostics/command_prompt", is_write=is_write, json={"command": command}
        )
        self.checked(answer, is_write=is_write, reason=reason(answer))
        told = (decoded(answer, is_write=is_write) or {}).get("data") or {}
        if told.get("result_code"):
            kind = Rejected if is_write else Unreachable
            raise kind(f"The firewall's shell ends with code {told['result_code']}.")
        return str(told.get("output") or "")

    def _newest(self, feature: Feature, made: Mapping[str, Any]) -> str:
        found = self._rows(feature)
        fitting = [n for n, row in found.items() if row.get("id") == made.get("id")]
        return fitting[0] if fitting else name_of(feature, flattened(feature, made))

    def _rows(self, feature: Feature) -> Rows:
        if feature.noun not in self._kept:
            found = self._get(feature.noun, {"limit": "0"})
            self._kept[feature.noun] = named(
                feature, [flattened(feature, one) for one in found]
            )
        rows: Rows = self._kept[feature.noun]
        return rows

    def _get(self, path: str, asked: Mapping[str, str] | None = None) -> Any:
        answer = self.request("GET", path, params=asked)
        self.checked(answer, is_write=False)
        return (decoded(answer) or {}).get("data") or {}

    def _tell(
        self, method: str, path: str, sent: Mapping[str, Any], *, in_address: bool = False
    ) -> Any:
        how = {"params": sent} if in_address else {"json": dict(sent)}
        answer = self.request(method, path, is_write=True, **how)
        self.checked(answer, is_write=True, reason=reason(answer))
        return (decoded(answer, is_write=True) or {}).get("data") or {}


def reason(answer: Response) -> str:
    """Return the package's response_id, which contains no values."""
    try:
        told = answer.json()
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    fields = ", ".join(re.findall(r"`([\w.-]{1,60})`", str(told.get("message", ""))))
    return f"pfSense answers {told.get('response_id', '')!s}{fields and f' ({fields})'}."


def native(feature: Feature, values: Mapping[str, str]) -> dict[str, Any]:
    found = feature.typed(values)
    for name, value in found.items():
        if (value == "" and name in NULLABLE) or value == feature.empty_as.get(name):
            found[name] = None
        elif feature.properties.get(name, {}).get("compare") == "ports":
            found[name] = value.replace("-", ":")
    for name in OBJECTS.keys() & found.keys():
        found[name] = [as_object(OBJECTS[name], one) for one in found[name]]
    return found


def as_object(names: Sequence[str], text: str) -> dict[str, Any]:
    parts = HOST_MASK | dict(zip(names, text.split("/"), strict=False))
    return {n: int(parts[n]) if n in NUMBERS else parts[n] for n in names if n in parts}


def flattened(feature: Feature, row: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        name: ["/".join(str(one[n]) for n in names if n in one) for one in row[name]]
        for name, names in OBJECTS.items()
        if row.get(name)
    }
    unsaid = {n: text for n, text in feature.empty_as.items() if row.get(n, text) is None}
    return {**row, **told, **unsaid}
