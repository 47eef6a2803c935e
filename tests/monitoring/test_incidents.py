"""Problems of several devices: one row for each cause, on the dashboard and in lists."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.accounts.rules.sites import create_site
from controller.devices.models import Device
from controller.monitoring.models import Condition, MonitoredDevice
from controller.monitoring.rules.incidents import incidents
from tests import factories

pytestmark = pytest.mark.django_db


def wrong(device: Device, metric: str, **values: Any) -> Condition:
    row, _ = MonitoredDevice.objects.get_or_create(
        device=device, defaults={"health": "critical" if metric == "reachable" else "problem"}
    )
    known: dict[str, Any] = {"value": 0, "limit": 1, "minutes": 15, "source": "portal default"}
    return Condition.objects.create(
        monitored=row, metric=metric, is_shown=True, **known | {"bad_since": 1000} | values
    )


def test_forty_devices_behind_an_uplink_are_one_problem(
    organization: Organization, admin: User, client: Any
) -> None:
    uplink = factories.device(organization, name="edge-1")
    wrong(uplink, "reachable")
    for _ in range(40):
        wrong(factories.device(organization), "reachable", behind=uplink, bad_since=2000)
    (found,) = incidents(admin)
    assert found.text == "edge-1 is away, and 40 devices are behind it"
    assert (found.count, found.since, found.device) == (41, 2000, uplink.pk)
    client.force_login(admin)
    page = client.get("/admin/").content.decode()
    assert "edge-1 is away, and 40 devices are behind it" in page


def test_a_site_and_a_metric_are_one_problem_each_and_the_worst_comes_first(
    organization: Organization, admin: User, client: Any
) -> None:
    site = create_site(organization=organization, name="Yard", slug="yard")
    for _ in range(3):
        wrong(factories.device(organization, site=site), "reachable")
    hot = [factories.device(organization) for _ in range(4)]
    for device in hot:
        wrong(device, "temperature")
    # Two alone are no cause of their own.
    for _ in range(2):
        wrong(factories.device(organization), "memory")
    assert [one.text for one in incidents(admin)] == [
        "3 devices of Yard are away", "Temperature is above its limit on 4 devices",
    ]  # fmt: skip
    client.force_login(admin)
    text = client.get("/admin/devices/device/?condition=temperature").content.decode()
    assert all(device.name in text for device in hot)
    assert "4 devices" in text or text.count("/change/") >= 4


def test_what_is_over_or_another_organizations_is_no_problem(
    organization: Organization,
) -> None:
    other = factories.organization()
    for _ in range(3):
        wrong(factories.device(organization), "cpu", ended=5000)
        wrong(factories.device(other), "disk")
    assert incidents(factories.user(organization, "viewer")) == []
    assert len(incidents(factories.user(other, "viewer"))) == 1
