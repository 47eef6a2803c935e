"""Each operation of each feature in each version: every request and answer as the vendor publishes it."""

from collections.abc import Iterator
from typing import Any

import pytest

from networks.gateways.drivers import DRIVERS
from networks.gateways.drivers.contract import Endpoint, Gateway, Rejected
from networks.gateways.engine.features import ALL, FEATURES, Feature
from networks.gateways.engine.features.versions import parsed
from tests.fleet.gateway import StandIn, serving
from tests.fleet.gateways import VENDORS

VERSIONS = {
    "opnsense": ("25.7", "26.1.9", "26.1.11", "26.7.2"),
    "unifi": ("9.5.21", "10.0.162", "10.1.68", "10.1.89", "10.5.66"),
    "pfsense": ("2.2.0", "2.3.0", "2.4.3", "2.5.4", "2.6.8", "2.7.1"),
    "mikrotik": ("7.9", "7.15.3", "7.20.8", "7.22.3", "7.24"),
    "omada": ("5.15.20.18", "6.0.0.24"),
    "proxmox": ("8.4.1", "9.0.3"),
    "openwrt": ("22.03.7", "23.05.5", "24.10.2"),
}
CASES = [
    pytest.param(one.key, version, way, id=f"{one.key} {version}{' ' * bool(way)}{way}")
    for one in ALL
    for version in VERSIONS[one.vendor]
    for way in ("", "binary")
    if not way or one.vendor == "mikrotik"
]


@pytest.fixture(autouse=True)
def _gateways_are_on_this_machine(settings: Any) -> None:
    settings.MUSTER_LOCAL_GATEWAYS = True


def driver(device: Any, way: str) -> Gateway:
    url = f"http://127.0.0.1:{device.api_port}/api" if way else device.url
    known = {"key": device.key, "secret": device.secret}
    return DRIVERS[device.vendor](Endpoint(url, known, seconds=20, settles=0.01))


@pytest.mark.parametrize(("key", "version", "way"), CASES)
def test_each_operation_is_asked_for_and_answered_as_published(
    key: str, version: str, way: str
) -> None:
    feature = FEATURES[key]
    with (
        serving(VENDORS[feature.vendor](version=version)) as device,
        driver(device, way) as ours,
    ):
        ours.facts()
        if feature.lacking(parsed(version), feature.values(feature.example)):
            with pytest.raises(Rejected, match=r"needs .* or newer"):
                ours.write(feature, "create", "", feature.values(feature.example))
            assert not device.writes
        else:
            for _ in operations(feature, device, ours):
                assert not device.faults, device.faults


def operations(feature: Feature, device: StandIn, ours: Gateway) -> Iterator[None]:
    """Do what the feature can, one after the other."""
    values, target = feature.values(feature.example), device.sample(feature)
    if feature.action:
        ours.started(feature, values)
    if "create" in feature.operations:
        target = ours.write(feature, "create", "", values)
        ours.activate(feature)
        yield
    if feature.action:
        return
    if "create" in feature.operations:
        hidden = {*feature.secret, *feature.identity, "position"}
        sent = {n: v for n, v in values.items() if n not in hidden}
        # The stand-in spells values as the vendor does: that is no difference.
        assert not feature.differs(sent, ours.read(feature, target) or {})
    assert target or ours.ids(feature, values)
    (target,) = [target] if target else ours.ids(feature, values)[:1]
    assert target in ours.ids(feature, values)
    if "update" in feature.operations:
        wanted = feature.values(feature.change)
        target = ours.write(feature, "update", ours.lasting(feature, target), wanted)
        ours.activate(feature)
        assert not feature.differs(wanted, ours.read(feature, target) or {})
        yield
    if "delete" in feature.operations:
        ours.write(feature, "delete", ours.lasting(feature, target), {})
        ours.activate(feature)
        assert ours.read(feature, target) is None
        yield
