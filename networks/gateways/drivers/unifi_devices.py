"""UniFi devices' own settings: some are rows of a list that is only written as a whole."""

from collections.abc import Iterable, Mapping
from typing import Any

from networks.gateways.engine.features import Feature

Device = Mapping[str, Any]
PORTS = "port_overrides"


def parts(feature: Feature, device: Device) -> dict[str, dict[str, Any]]:
    """Return what a feature is about in a device, by the last part of its id."""
    if not feature.wrapper:
        return {"": dict(device)}
    (name,) = feature.identity
    rows = {
        str(row[name]): dict(row) for row in device.get(feature.wrapper) or [] if name in row
    }
    if feature.wrapper != PORTS:
        return rows
    # A port without settings of its own has those of its profile.
    return {
        str(port[name]): {**port, **rows.get(str(port[name]), {})}
        for port in device.get("port_table") or []
        if name in port
    }


def ids(feature: Feature, devices: Iterable[Device]) -> list[str]:
    return [
        ":".join(filter(None, (str(one["_id"]), part)))
        for one in devices
        if "_id" in one
        for part in parts(feature, one)
    ]


def found(
    feature: Feature, devices: Iterable[Device], target: str
) -> tuple[Device, str, dict[str, Any]] | None:
    """Return the device of an id (or MAC address), the part and what it holds."""
    name, _, part = target.rpartition(":") if feature.wrapper else (target, "", "")
    for one in devices:
        if name.lower() in {one.get("_id"), one.get("mac")} and name:
            row = parts(feature, one).get(part)
            return None if row is None else (one, part, row)
    return None


def written(
    feature: Feature, device: Device, part: str, values: Mapping[str, str]
) -> dict[str, Any]:
    """Return what is sent to change a part of a device; what is emptied has its usual value."""
    usual = {n: one["default"] for n, one in feature.properties.items() if "default" in one}
    emptied = [name for name, text in values.items() if not text]
    given = feature.typed({name: text for name, text in values.items() if text})
    given |= {name: usual[name] for name in emptied if name in usual}
    if not feature.wrapper:
        return given
    (name,) = feature.identity
    rows = [dict(row) for row in device.get(feature.wrapper) or []]
    mine = [row for row in rows if str(row.get(name)) == part]
    if not mine:
        mine = [feature.typed({name: part})]
        rows += mine
    for one in emptied:
        mine[0].pop(one, None)
    mine[0].update(given)
    return {feature.wrapper: rows}
