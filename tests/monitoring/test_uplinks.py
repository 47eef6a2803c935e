"""What devices are behind: found in reports, set by people, and never in a circle."""

import json
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.base.errors import Refused
from controller.devices.models import Device
from controller.monitoring.models import MonitoredDevice
from controller.monitoring.rules import reports, uplinks
from controller.monitoring.rules.sample_history import now_seconds
from tests import factories
from tests.monitoring.test_engine_reports import payload

pytestmark = pytest.mark.django_db


def report(device: Device) -> None:
    content = json.dumps(payload("1_small_ap")).encode()
    reports.receive([reports.Posted(device.pk, device.key, content, now_seconds())])


def row(device: Device) -> MonitoredDevice:
    return MonitoredDevice.objects.get(device=device)


@pytest.mark.parametrize(
    "values", [{"mac_address": "00:16:3E:00:00:01"}, {"management_ip": "192.0.2.1"}]
)
def test_the_default_gateway_of_a_report_is_the_uplink(
    organization: Organization, values: Any
) -> None:
    gateway, device = factories.device(organization, **values), factories.device(organization)
    factories.device(factories.organization(), mac_address="00:16:3e:00:00:01")
    report(device)
    assert uplinks.find_uplinks() == 1
    assert row(device).uplink == gateway
    assert uplinks.find_uplinks() == 0


def test_what_a_person_set_stays(organization: Organization) -> None:
    factories.device(organization, mac_address="00:16:3e:00:00:01")
    device, other = factories.device(organization), factories.device(organization)
    report(device)
    uplinks.set_uplink(row(device), uplink=other)
    assert uplinks.find_uplinks() == 0
    assert row(device).uplink == other
    uplinks.set_uplink(row(device), uplink=None)
    assert uplinks.find_uplinks() == 1


def test_no_device_is_behind_itself_or_behind_anothers(organization: Organization) -> None:
    one, two = factories.device(organization), factories.device(organization)
    report(one)
    report(two)
    uplinks.set_uplink(row(one), uplink=two)
    for uplink in (one, factories.device(factories.organization())):
        with pytest.raises(Refused):
            uplinks.set_uplink(row(two), uplink=uplink)
