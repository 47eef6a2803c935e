"""Staged Home Assistant updates: waves, halt on failure, and rollback."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from controller.accounts.models import Organization, User
from supervisor_proxy.models import SupervisorCall, UpdateCampaign
from supervisor_proxy.rules import call_requests, campaigns
from tests import factories
from tests.fleet.hassio import HassioSupervisor

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(run: Any, organization: Organization) -> Any:
    """Create stand-ins with their rows, in the order of the campaign."""

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
    assert devices[0].paths == [("GET", "/core/info"), ("GET", "/info")]


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


def interrupted(begin: Any, rows: list[Any], **values: Any) -> UpdateCampaign:
    """A campaign whose worker was lost just after it had sent what the first device waits for."""
    begin(rows)
    campaign: UpdateCampaign = UpdateCampaign.objects.get()
    past = timezone.now() - timedelta(seconds=1)
    UpdateCampaign.objects.update(lease_holder=uuid4(), leased_until=past)
    campaign.devices.filter(wave=0).update(sent=past, **values)
    return campaign


def go_on() -> None:
    """Beat comes again, some times."""
    for _ in range(3):
        campaigns.run_due()
        UpdateCampaign.objects.update(not_before=timezone.now())


def test_an_update_that_was_done_while_nobody_listened_is_not_done_again(
    fleet: Any, begin: Any
) -> None:
    devices, rows = fleet("2026.08.0", "2026.08.0")
    before, devices[0].core = devices[0].core, devices[0].core_latest
    campaign = interrupted(begin, rows, state="backed_up", before=before, backup="ab")
    go_on()
    assert [one.state for one in campaign.devices.all()] == ["done", "done"]
    assert ("POST", "/core/update") not in devices[0].paths


def test_a_device_that_is_at_its_update_is_waited_for(fleet: Any, begin: Any) -> None:
    devices, rows = fleet("2026.08.0")
    device = devices[0]
    campaign = interrupted(begin, rows, state="backed_up", before=device.core, backup="ab")
    device.jobs.append({"name": "update", "progress": 40, "done": False, "created": "1"})
    go_on()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.leased_until) == ("running", None)
    assert ("POST", "/core/update") not in device.paths
    device.jobs.clear()
    go_on()
    assert device.paths.count(("POST", "/core/update")) == 1
    assert campaign.devices.get().state == "done"


def test_a_backup_of_a_lost_worker_is_found_on_the_device(fleet: Any, begin: Any) -> None:
    devices, rows = fleet("2026.08.0")
    device = devices[0]
    campaign = interrupted(begin, rows, before=device.core)
    name = campaigns.device_name(campaign.devices.get())
    device.backups["ab12cd34"] = {"slug": "ab12cd34", "name": name}
    go_on()
    assert campaign.devices.get().backup == "ab12cd34"
    assert ("POST", "/backups/new/partial") not in device.paths


def test_a_device_whose_turn_does_not_come_is_neither_judged_nor_restored(
    fleet: Any, begin: Any, admin: User
) -> None:
    """Where a step ends before all devices had their turn, the others have it in the next one."""
    devices, rows = fleet("2026.08.0")
    begin(rows)
    # Another call has the device.
    other = call_requests.start(
        admin, rows[0], call_requests.match_route("hassio", method="POST", path="/core/restart")
    )
    assert other.is_ready
    go_on()
    campaign = UpdateCampaign.objects.get()
    assert (campaign.state, campaign.devices.get().state) == ("running", "waiting")
    assert not [path for _, path in devices[0].paths if path.endswith("/restore/partial")]
    call_requests.release_lease(other.call)
    go_on()
    campaign.refresh_from_db()
    assert campaign.state == "done"
