"""Updates of many Home Assistant devices: in waves, halted at the gate, brought back."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from supervisor_proxy.models import SupervisorCall, UpdateCampaign
from supervisor_proxy.rules import campaigns
from tests import factories
from tests.fleet.hassio import HassioSupervisor

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(run: Any, organization: Organization) -> Any:
    """Stand-ins and their rows, in the order of the campaign."""

    def fleet(*versions: str) -> tuple[list[HassioSupervisor], list[Any]]:
        devices = [HassioSupervisor(version) for version in versions]
        run(*devices)
        return devices, [
            factories.supervisor(device, organization, flavor="hassio", app_id=None)
            for device in devices
        ]

    return fleet


@pytest.fixture
def begin(api: Any, admin: User, organization: Organization) -> Any:
    def begin(rows: list[Any], user: User | None = None, **values: Any) -> Any:
        body = {"organization": str(organization.pk), "name": "August",
                "supervisors": [row.pk for row in rows]} | values  # fmt: skip
        return api(user or admin).post("/api/v1/controller/update-campaign/", body)

    return begin


def test_two_of_twenty_that_fail_halt_it_and_are_brought_back(
    api: Any, admin: User, fleet: Any, begin: Any
) -> None:
    devices, rows = fleet(*["2026.08.0", "195"] * 10)
    for device in devices[1:3]:
        device.breaks_on_update = True
    made = begin(rows)
    assert made.status_code == 201, made.content
    assert campaigns.run_due() == 1

    told = api(admin).get(f"/api/v1/controller/update-campaign/{made.json()['id']}/").json()
    assert (told["state"], told["wave"]) == ("halted", 1)
    states = [one["state"] for one in told["devices"]]
    assert states == ["done", "rolled_back", "rolled_back", *["left"] * 17]
    first, second, third, *others = devices
    assert (first.core, first.is_broken) == (first.core_latest, False)
    for device, one in zip((second, third), told["devices"][1:3], strict=True):
        assert (device.core, device.is_broken) == (one["before"], False)
        assert one["after"] == one["before"] != device.core_latest
        assert one["backup"] in device.backups
        assert "Core does not run" in one["reason"]
    assert not any(device.requests for device in others)
    paths = list(
        SupervisorCall.objects.filter(supervisor=rows[1]).values_list("path", flat=True)
    )
    assert {"/core/update", "/backups/new/partial"} < set(paths)
    assert [path for path in paths if path.endswith("/restore/partial")]
    assert {call.actor for call in SupervisorCall.objects.all()} <= {"", admin.username}


def test_devices_that_are_well_are_all_updated_in_three_waves(fleet: Any, begin: Any) -> None:
    devices, rows = fleet(*["2026.08.0"] * 12)
    assert begin(rows).status_code == 201
    campaigns.run_due()
    campaign = UpdateCampaign.objects.get()
    assert campaign.state == "done"
    assert [row.wave for row in campaign.devices.all()] == [0, 1, *[2] * 10]
    assert all(device.core == device.core_latest for device in devices)


def test_a_device_that_is_away_is_not_touched_and_halts_it(fleet: Any, begin: Any) -> None:
    devices, rows = fleet("2026.08.0", "2026.08.0")
    devices[0].key = "another"
    begin(rows)
    campaigns.run_due()
    campaign = UpdateCampaign.objects.get()
    assert campaign.state == "halted"
    assert [row.state for row in campaign.devices.all()] == ["failed", "left"]
    assert devices[0].paths == [("GET", "/core/info")]


def test_it_is_begun_by_who_may_do_all_of_it(
    fleet: Any, begin: Any, organization: Organization
) -> None:
    _, rows = fleet("2026.08.0", "195")
    assert begin(rows, factories.user(organization, "operator")).status_code == 403
    stranger = factories.user(factories.organization())
    assert begin(rows, stranger).status_code == 400
    assert begin([]).status_code == 400
    assert not UpdateCampaign.objects.exists()


def test_a_campaign_whose_worker_died_goes_on_where_its_rows_are(
    fleet: Any, begin: Any
) -> None:
    devices, rows = fleet("2026.08.0", "2026.08.0")
    begin(rows)
    campaign = UpdateCampaign.objects.get()
    row = campaign.devices.get(wave=0)
    row.state, row.before, row.backup = "updated", devices[0].core, "ab"
    row.save()
    devices[0].core = devices[0].core_latest
    campaigns.run_due()
    assert [one.state for one in campaign.devices.all()] == ["done", "done"]
    assert ("POST", "/core/update") not in devices[0].paths
