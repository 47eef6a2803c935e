"""Measurements of gateways of all vendors, from stand-ins, by the drivers that change them."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.base.errors import Refused
from controller.devices.models import Device
from controller.monitoring.engine import netjson
from controller.monitoring.models import MonitoredGateway, Sample
from controller.monitoring.rules import gateway_measurements
from networks.gateways.drivers import DRIVERS
from networks.gateways.drivers.contract import Endpoint
from networks.gateways.engine import measurements
from tests import factories
from tests.fleet.gateway import StandIn, serving
from tests.fleet.gateways import VENDORS
from tests.fleet.measurements import MAC
from tests.monitoring.test_checks import newest

RX, TX = 4000, 1000
# The values that the stand-ins' answers come to, computed by hand.
EXPECTED: dict[str, dict[str, float]] = {
    # 25 % of 4 processors; 700 of 1000 bytes free; 800 of 1000 free; 1w1d2h3m4s.
    "mikrotik": {"cpu": 25, "memory": 30, "disk": 20, "temperature": 41, "uptime": 698_584},
    # A load of 32768/65536; 400 of 1000 available; 600 of 1000 used.
    "openwrt": {"cpu": 50, "memory": 60, "disk": 60, "uptime": 4000},
    # A load of 0.5; 1000 of 4000 used; 3 days, 04:05:06.
    "opnsense": {"cpu": 50, "memory": 25, "disk": 25, "temperature": 38.5, "uptime": 273_906},
    "pfsense": {"cpu": 12.5, "memory": 30, "disk": 8, "temperature": 44, "uptime": 871_384},
    "proxmox": {"cpu": 12.5, "memory": 75, "disk": 30, "uptime": 1_000_000},
    "unifi": {"cpu": 12.5, "memory": 40, "temperature": 52, "uptime": 1_000_000},
    "omada": {"cpu": 9, "memory": 33, "uptime": 871_384},
}
PORTS = {"mikrotik": "ether1", "openwrt": "wan", "opnsense": "vtnet0", "pfsense": "vtnet0",
         "unifi": "eth8"}  # fmt: skip


@pytest.fixture(autouse=True)
def _gateways_are_on_this_machine(settings: Any) -> None:
    settings.MUSTER_LOCAL_GATEWAYS = True


def started(vendor: str) -> StandIn:
    device = VENDORS[vendor]()
    device.counters.fixed = RX
    return device


def row_of(organization: Organization, device: StandIn, vendor: str) -> Any:
    return factories.gateway(
        organization, vendor=vendor, url=device.url, key=device.key, secret=device.secret
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_vendor_tells_is_read_without_an_unknown_call(vendor: str) -> None:
    with serving(started(vendor)) as device:
        endpoint = Endpoint(
            device.url, {"key": device.key, "secret": device.secret}, seconds=20
        )
        with DRIVERS[vendor](endpoint) as driver:
            found = driver.measure()
        assert device.faults == []
        assert device.writes == []
    own = next(one for one in found if one.is_gateway)
    report = netjson.read(own.body)
    values = {key: one for key, one in report.values.items() if key in EXPECTED[vendor]}
    assert values == pytest.approx(EXPECTED[vendor])
    if port := PORTS.get(vendor):
        assert report.counters[f"rx_bytes {port}"] == RX
        assert report.counters[f"tx_bytes {port}"] == TX
    assert report.complaints == []


@pytest.mark.django_db
def test_a_gateway_is_measured_as_the_device_that_it_is(organization: Organization) -> None:
    with serving(started("mikrotik")) as device:
        gateway = row_of(organization, device, "mikrotik")
        router = factories.device(organization, mac_address=MAC)
        assert gateway_measurements.pull_due() == 1
        row = MonitoredGateway.objects.get(gateway=gateway)
        assert (row.device, row.reason, row.device_is_found) == (router, "", True)
        assert newest(router)["memory"] == 30
        # Not due again.
        assert gateway_measurements.pull_due() == 0
    assert Sample.objects.count() == 1


@pytest.mark.django_db
def test_devices_of_a_controller_are_measured_too(organization: Organization) -> None:
    stranger = factories.device(factories.organization(), mac_address="02:00:00:00:00:02")
    with serving(started("unifi")) as device:
        row_of(organization, device, "unifi")
        point = factories.device(organization, mac_address="02:00:00:00:00:02")
        off = factories.device(organization, mac_address="02:00:00:00:00:03")
        gateway_measurements.pull_due()
    assert (newest(point)["memory"], newest(point)["uptime"]) == (60, 5000)
    assert newest(point)["wifi_clients"] == 7
    for untold in (off, stranger):
        assert not hasattr(Device.objects.get(pk=untold.pk), "monitoring")


@pytest.mark.django_db
def test_a_gateway_that_is_no_device_can_be_added(
    organization: Organization, admin: User
) -> None:
    with serving(started("opnsense")) as device:
        gateway = row_of(organization, device, "opnsense")
        gateway_measurements.pull_due()
        row = MonitoredGateway.objects.get(gateway=gateway)
        assert (row.device, row.reason) == (None, gateway_measurements.NOT_IN_INVENTORY)
        made = gateway_measurements.add_to_inventory(row)
        assert (made.mac_address, made.kind) == (MAC.upper(), Device.Kind.FIREWALL)
        assert gateway_measurements.pull_due() == 1
    assert newest(made)["disk"] == 25
    with pytest.raises(Refused, match="already"):
        gateway_measurements.add_to_inventory(MonitoredGateway.objects.get(gateway=gateway))


@pytest.mark.django_db
def test_a_gateway_that_is_away_says_why_and_costs_no_other(organization: Organization) -> None:
    away = factories.gateway(
        organization, vendor="mikrotik", url="http://127.0.0.1:9", key="a", secret="b"
    )
    with serving(started("pfsense")) as device:
        row_of(organization, device, "pfsense")
        router = factories.device(organization, mac_address=MAC)
        assert gateway_measurements.pull_due() == 1
    assert MonitoredGateway.objects.get(gateway=away).reason == "The gateway cannot be reached."
    assert newest(router)["cpu"] == 12.5


@pytest.mark.django_db
def test_a_device_of_another_organization_is_not_chosen(organization: Organization) -> None:
    with serving(started("mikrotik")) as device:
        gateway = row_of(organization, device, "mikrotik")
        stranger = factories.device(factories.organization(), mac_address=MAC)
        gateway_measurements.pull_due()
    row = MonitoredGateway.objects.get(gateway=gateway)
    assert row.device is None
    with pytest.raises(Refused):
        gateway_measurements.choose_device(row, device=stranger)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1w2d3h4m5s", 788_645), ("3 days, 04:05:06", 273_906), ("04:05:06", 14_706),
        ("10 Days 02 Hours 03 Minutes 04 Seconds", 871_384), ("5day(s) 3h 2m 1s", 442_921),
        ("", None), ("soon", None),
    ],
)  # fmt: skip
def test_uptimes_of_vendors_are_read(text: str, expected: int | None) -> None:
    assert measurements.seconds(text) == expected
