"""UniFi Network on a UniFi OS console, with an API key.

Uses the official integration API (/proxy/network/integration/v1) where possible, otherwise
the older API (/proxy/network/api, /proxy/network/v2/api); both accept the key. The address
may end in /network/<site> like the console's own URL; the default site is ``default``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from controller.base.outbound.http import Response
from networks.gateways.drivers import unifi_devices
from networks.gateways.drivers.contract import Endpoint, Rejected, Unreachable
from networks.gateways.drivers.driver import Driver
from networks.gateways.drivers.http import Http, boot, decoded
from networks.gateways.drivers.live import unifi as live
from networks.gateways.engine.backups import OPAQUE, BackupFile, written
from networks.gateways.engine.features import Feature
from networks.gateways.engine.features.feature import inside
from networks.gateways.engine.live import Reader
from networks.gateways.engine.measurements import Measured, of_unifi

MOST, MAC_COLONS = 200, 5
# Noun of features that are settings of a device.
DEVICE = "device"
NOT_THERE = {400, 404}
# Read-only fields of the official API, which rejects them in writes.
TOLD_ONLY = {"id", "metadata", "index", "default"}
# Older API: DHCP reservations are a property of the known clients.
CLIENTS = "user"
# Where policies are that the console itself has made.
PARTS = ("beforeSystemDefined", "afterSystemDefined")


class UniFi(Http, Driver):
    vendor: ClassVar[str] = "unifi"
    live_parts = live.PARTS
    pretended = {"data": [{}], "vouchers": [{}]}

    def __init__(self, endpoint: Endpoint) -> None:
        key = {"X-API-KEY": endpoint.credentials["secret"]}
        super().__init__(endpoint, "proxy/network/", headers=key, keeps_path=False)
        parts = self.path.removeprefix("network/").split("/")
        self._site = parts[0] or "default"
        self._site_id = ""

    def _version(self) -> str:
        return str(self._get("integration/v1/info").get("applicationVersion", ""))

    def _measure(self) -> list[Measured]:
        return of_unifi(self._site, self._table("stat/device"))

    def _reader(self) -> Reader:
        def read(path: str, asked: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
            return self._get(f"{self._older}/{path}", asked).get("data") or []

        return read

    def _started(self, feature: Feature, values: Mapping[str, str]) -> str:
        if feature.key == "unifi.devices.restart":
            device = self._device(values["device"])
            told = self._get(f"{self._official}/devices/{device}/statistics/latest")
            return boot(int(told.get("uptimeSec", 0)))
        if feature.key == "unifi.devices.upgrade":
            (told,) = self._table(f"stat/device/{values['mac']}")
            return f"{told.get('version')} {boot(int(told.get('uptime', 0)))}"
        return ""

    def _ids(self, feature: Feature, within: Mapping[str, str]) -> list[str]:
        if feature.noun == DEVICE:
            return unifi_devices.ids(feature, self._table("stat/device"))
        if feature.noun == "v1":
            return [str(row["id"]) for row in self._pages(f"{self._official}/{feature.path}")]
        return [
            str(row["_id"])
            for row in self._rows(feature)
            if feature.fits(row) and is_meant(feature, row)
        ]

    def _read(self, feature: Feature, target: str) -> dict[str, str] | None:
        if feature.noun == DEVICE:
            one = unifi_devices.found(feature, self._table("stat/device"), target)
            return None if one is None else feature.flat(one[2])
        row = self._row(feature, target)
        return None if row is None or not is_meant(feature, row) else feature.flat(row)

    def _write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if feature.action:
            self._do(feature, lower_macs(feature, values))
            return ""
        if feature.noun == DEVICE:
            return self._write_device(feature, target, values)
        sent = feature.typed(lower_macs(feature, values))
        if operation == "create":
            sent = merged(feature.defaults, {**feature.constants, **sent})
            if feature.path == CLIENTS and (known := self._known(sent["mac"])):
                self._tell("PUT", f"{self._path(feature)}/{known}", sent)
                return known
            if feature.path == "wlanconf" and "ap_group_ids" not in sent:
                sent["ap_group_ids"] = self._ap_groups()
            made = self._tell("POST", self._path(feature), sent)
            return id_of(made, feature)
        path = f"{self._path(feature)}/{target}"
        if operation == "update" and feature.noun != "rest":
            # These two APIs need the complete object.
            row = self._row(feature, target) or {}
            sent = merged({n: v for n, v in row.items() if n not in TOLD_ONLY}, sent)
        if operation == "delete" and feature.path == CLIENTS:
            # Keep the client with its name and history; only remove the reservation.
            self._tell("PUT", path, {"use_fixedip": False})
        else:
            self._tell("PUT" if operation == "update" else "DELETE", path, sent or None)
        return target

    def _write_device(self, feature: Feature, target: str, values: Mapping[str, str]) -> str:
        one = unifi_devices.found(feature, self._table("stat/device"), target)
        if one is None:
            raise Rejected("There is no such device, port or radio.")
        device, part, _ = one
        body = unifi_devices.written(feature, device, part, values)
        self._tell("PUT", f"{self._older}/rest/device/{device['_id']}", body)
        return target

    def _order(self, feature: Feature, target: str, within: Mapping[str, str]) -> list[str]:
        if not target:
            return self._ids(feature, {})
        return [one for part in self._ordering(feature, target)[1].values() for one in part]

    def _ordering(
        self, feature: Feature, target: str
    ) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Return the zones that a policy is between, and the policies between them in order."""
        row = self._row(feature, target) or {}
        ends = {
            f"{side}FirewallZoneId": str(
                inside(row, f"{side}.zoneId") or inside(row, f"{side}.firewallZoneId")
            )
            for side in ("source", "destination")
        }
        found = self._get(f"{self._path(feature)}/ordering", ends)
        told = found.get("orderedFirewallPolicyIds", {})
        return ends, {name: [str(one) for one in told.get(name) or []] for name in PARTS}

    def _move(self, feature: Feature, target: str, old: list[str], new: list[str]) -> None:
        if new == old:
            return
        ends, told = self._ordering(feature, target)
        # It is put ahead of the system's own if what it is put beside is.
        at, ahead = new.index(target), {*told[PARTS[0]]} - {target}
        is_ahead = at == 0 or bool(ahead & {*new[at - 1 : at + 2]})
        cut = len(ahead) + is_ahead
        sent = {PARTS[0]: new[:cut], PARTS[1]: new[cut:]}
        answer = self.request(
            "PUT", f"{self._path(feature)}/ordering", is_write=True, params=ends,
            json={"orderedFirewallPolicyIds": sent},
        )  # fmt: skip
        self.checked(answer, is_write=True, reason=reason(answer))

    def _back_up(self) -> BackupFile:
        """Return the console's own file, and besides it what the portal can read."""
        answer = self.request(
            "POST", f"{self._older}/cmd/backup", json={"cmd": "backup", "days": 0}
        )
        self.checked(answer, is_write=False)
        (told,) = (decoded(answer) or {}).get("data") or [{}]
        where = str(told.get("url", "")).lstrip("/")
        if not where.startswith("dl/"):
            raise Unreachable("The console makes no backup.")
        file = self.request("GET", where)
        self.checked(file, is_write=False)
        return BackupFile("network.unf", OPAQUE, file.content, written(self._settings()))

    def _known(self, mac: str) -> str:
        """Return the id of a known client; empty if the console has not seen it."""
        rows = self._get(f"{self._older}/rest/user").get("data") or []
        found = [str(r["_id"]) for r in rows if str(r.get("mac", "")).lower() == mac.lower()]
        return found[0] if found else ""

    def _ap_groups(self) -> list[str]:
        """Return all AP groups, the default of a wireless network."""
        return [str(one["_id"]) for one in self._get(f"v2/api/site/{self._site}/apgroups")]

    def _activate(self, feature: Feature) -> None:
        """Do nothing: the console provisions its devices by itself."""

    @property
    def _official(self) -> str:
        if not self._site_id:
            found = self._pages("integration/v1/sites")
            self._site_id = next(
                (
                    str(one["id"])
                    for one in found
                    if self._site in {one.get("internalReference"), one.get("name")}
                ),
                "",
            )
        if not self._site_id:
            raise Unreachable(f"The console has no site {self._site}.")
        return f"integration/v1/sites/{self._site_id}"

    @property
    def _older(self) -> str:
        return f"api/s/{self._site}"

    def _path(self, feature: Feature) -> str:
        if feature.noun == "v1":
            return f"{self._official}/{feature.path}"
        if feature.noun == "v2":
            return f"v2/api/site/{self._site}/{feature.path}"
        return f"{self._older}/rest/{feature.path}"

    def _row(self, feature: Feature, target: str) -> dict[str, Any] | None:
        if feature.noun == "v2":
            return next((row for row in self._rows(feature) if row["_id"] == target), None)
        answer = self.request("GET", f"{self._path(feature)}/{target}")
        if answer.status_code in NOT_THERE:
            return None
        self.checked(answer, is_write=False)
        found = decoded(answer) or {}
        if feature.noun == "v1":
            return dict(found)
        return next(iter(found.get("data") or []), None)

    def _rows(self, feature: Feature) -> list[dict[str, Any]]:
        found = self._get(self._path(feature))
        return list(found if isinstance(found, list) else found.get("data") or [])

    def _table(self, path: str) -> list[dict[str, Any]]:
        return list(self._get(f"{self._older}/{path}").get("data") or [{}])

    def _pages(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._get(path, {"offset": len(found), "limit": MOST})
            rows = page.get("data") or []
            found += rows
            if not rows or len(found) >= int(page.get("totalCount", 0)):
                return found

    def _do(self, feature: Feature, values: Mapping[str, str]) -> None:
        path, command = feature.action.split()
        if feature.noun == "v1":
            known = {**values, "device": self._device(values["device"])}
            self._tell("POST", f"{self._official}/{path.format(**known)}", {"action": command})
        else:
            self._tell(
                "POST", f"{self._older}/cmd/{path}", {"cmd": command, **feature.typed(values)}
            )

    def _device(self, name: str) -> str:
        """Return the console's id of a device; clients name devices by MAC address."""
        mac = name.replace("-", ":").lower()
        if mac.count(":") != MAC_COLONS:
            return name
        for one in self._pages(f"{self._official}/devices"):
            if str(one.get("macAddress", "")).lower() == mac:
                return str(one["id"])
        raise Rejected("The console has no device with this MAC address.")

    def _get(self, path: str, asked: Mapping[str, Any] | None = None) -> Any:
        answer = self.request("GET", path, params=asked)
        self.checked(answer, is_write=False)
        return decoded(answer) or {}

    def _tell(self, method: str, path: str, sent: Mapping[str, Any] | None) -> Any:
        answer = self.request(method, path, is_write=True, json=sent and dict(sent))
        told = reason(answer)
        self.checked(answer, is_write=True, reason=told)
        found = decoded(answer, is_write=True) or {}
        if isinstance(found, dict) and found.get("meta", {}).get("rc") == "error":
            raise Rejected(told)
        return found


def id_of(made: Any, feature: Feature) -> str:
    if feature.wrapper:
        made = made[feature.wrapper][0]
    if "data" in made:
        made = (made["data"] or [{}])[0]
    return str(made.get("id") or made.get("_id") or "")


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Merge new values into the old ones. Empty values are removed."""
    found = dict(old)
    for name, value in new.items():
        within = found.get(name)
        if isinstance(value, dict):
            found[name] = merged(within if isinstance(within, dict) else {}, value)
        elif value is None or value == "":
            found.pop(name, None)
        else:
            found[name] = value
    return found


def is_meant(feature: Feature, row: Mapping[str, Any]) -> bool:
    """Return whether a client has a reservation; always True for other objects."""
    return feature.path != CLIENTS or row.get("use_fixedip") is True


def lower_macs(feature: Feature, values: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text.lower() if is_mac(feature.properties.get(name, {})) else text
        for name, text in values.items()
    }


def is_mac(schema: Mapping[str, Any]) -> bool:
    return "mac" in {schema.get("compare"), (schema.get("items") or {}).get("compare")}


def reason(answer: Response) -> str:
    """Return the refusal's code only; its message may repeat values."""
    try:
        told = answer.json()
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    code = told.get("code") or told.get("meta", {}).get("msg") or ""
    return f"UniFi answers {code}." if code else ""
