"""The clients of access points."""

from collections.abc import Mapping
from typing import Any

from controller.monitoring.engine.mac_addresses import mac_of
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Client, Report, items, mapping, number, text

ACCESS_POINT = "access_point"
WEAKEST_SIGNAL = -130.0
LONGEST_SSID = 32


def read_clients(report: Report, name: str, interface: Mapping[str, Any]) -> list[float]:
    """Keep the clients of an access point, and return how strongly each is heard."""
    wireless = mapping(interface.get("wireless"))
    if wireless.get("mode") != ACCESS_POINT:
        return []
    report.access_points.add(name)
    known: dict[str, Client] = {}
    for at, found in items(wireless.get("clients")):
        mac = mac_of(found.get("mac"))
        if mac:
            known[mac] = client_of(mac, name, wireless, found)
        else:
            report.complain(f"{name}: client {at} has no MAC address")
    report.clients += known.values()
    report.put(Metric.WIFI_CLIENTS, len(known), name)
    return [one.signal for one in known.values() if one.signal is not None]


def client_of(
    mac: str, name: str, wireless: Mapping[str, Any], found: Mapping[str, Any]
) -> Client:
    mode = text(wireless.get("htmode"))
    return Client(
        mac=mac,
        interface=name,
        ssid=text(wireless.get("ssid"), LONGEST_SSID),
        signal=number(found.get("signal"), WEAKEST_SIGNAL, 0),
        ht=speaks(found, "ht", mode, ("HT", "VHT", "HE", "EHT")),
        vht=speaks(found, "vht", mode, ("VHT", "HE", "EHT")),
        he=speaks(found, "he", mode, ("HE", "EHT")),
        wmm=found.get("wmm") is True,
        wds=found.get("wds") is True,
        wps=found.get("wps") is True,
    )


def speaks(
    found: Mapping[str, Any], name: str, mode: str, modes: tuple[str, ...]
) -> bool | None:
    """Return whether a client speaks a generation; None where its radio does not."""
    if mode.rstrip("0123456789+-") not in modes or not isinstance(found.get(name), bool):
        return None
    return bool(found[name])
