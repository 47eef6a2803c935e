"""Upgrades and rollouts over the API of OpenWISP's firmware upgrader."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.firmware.models import DeviceFirmware, FirmwareRollout, Upgrade
from controller.firmware.rules import rollouts
from tests import factories
from tests.firmware import fleet

pytestmark = pytest.mark.django_db
API = "/api/v1/firmware-upgrader"
OPERATION = {"id", "device", "image", "status", "log", "progress", "modified", "created"}
Client = Callable[[User | None], APIClient]


@pytest.fixture
def client(api: Client, organization: Organization) -> APIClient:
    return api(factories.user(organization, "admin"))


def end(rows: Any, state: str) -> None:
    rows.update(state=state, ended=timezone.now())


def test_assigning_an_image_upgrades_the_device_in_the_shape_of_the_contract(
    client: APIClient, organization: Organization
) -> None:
    device, image = fleet.device(organization), fleet.add_image(fleet.build(organization))
    url = f"{API}/device/{device.pk}/firmware/"
    assert client.get(url).status_code == 404
    assert client.patch(url, {"image": str(image.pk)}).status_code == 404
    answer = client.put(url, {"image": str(image.pk)})
    assert answer.status_code == 201, answer.data
    assert set(answer.data) == {"id", "image", "installed", "modified", "upgrade_operation"}
    operation = answer.data["upgrade_operation"]["id"]
    assert set(client.get(url).data) == {"id", "image", "installed", "modified"}
    shown = client.get(f"{API}/upgrade-operation/{operation}/").data
    assert set(shown) >= OPERATION
    assert (shown["status"], shown["progress"]) == ("in-progress", 0)
    listed = client.get(f"{API}/device/{device.pk}/upgrade-operation/").data["results"]
    assert set(listed[0]) >= OPERATION - {"created"}
    assert "created" not in listed[0]
    # Another image while it is under way.
    other = fleet.add_image(fleet.build(organization, "25"))
    assert client.put(url, {"image": str(other.pk)}).status_code == 409
    end(Upgrade.objects.all(), "confirmed")
    DeviceFirmware.objects.update(installed=True)
    again = client.put(url, {"image": str(image.pk)})
    assert (again.status_code, again.data["upgrade_operation"]["id"]) == (
        200,
        operation,
    )
    assert Upgrade.objects.count() == 1
    assert client.patch(url, {"image": str(other.pk)}).status_code == 200
    assert Upgrade.objects.count() == 2
    assert client.delete(url).status_code == 204


def test_an_image_that_cannot_be_for_the_device_is_a_400(
    client: APIClient, organization: Organization
) -> None:
    device = fleet.device(organization)
    url = f"{API}/device/{device.pk}/firmware/"
    wrong = fleet.add_image(fleet.build(organization), "example,other")
    assert client.put(url, {"image": str(wrong.pk)}).data == {
        "__all__": ["Device model and image model do not match"]
    }
    foreign = fleet.add_image(fleet.build(factories.organization("Elsewhere")))
    assert "Invalid pk" in str(client.put(url, {"image": str(foreign.pk)}).data["image"])
    image = fleet.add_image(fleet.build(organization, "25"))
    refused = client.put(url, {"image": str(image.pk), "upgrade_options": {"F": True}})
    assert set(refused.data) == {"upgrade_options"}
    device.connections.all().delete()
    assert "does not have a related connection" in str(
        client.put(url, {"image": str(image.pk)}).data["__all__"]
    )
    assert not DeviceFirmware.objects.exists()
    device.is_deactivated = True
    device.save()
    answer = client.put(url, {"image": str(image.pk)})
    assert answer.status_code == 403
    assert "deactivated" in answer.data["detail"]


def test_a_mass_upgrade_has_a_dry_run_and_becomes_a_batch(
    client: APIClient, organization: Organization
) -> None:
    build = fleet.build(organization)
    fleet.add_image(build)
    group = factories.group(organization)
    known, new = fleet.device(organization, group=group), fleet.device(organization)
    other, unread = fleet.device(organization, "example,other"), fleet.device(organization, "")
    old = fleet.add_image(fleet.build(organization, "24.10.1"))
    rows = [
        DeviceFirmware.objects.create(device=one, image=old, installed=True)
        for one in (known, other, unread)
    ]
    url = f"{API}/build/{build.pk}/upgrade/"
    found = client.get(url).data
    assert set(found) == {"device_firmwares", "devices"}
    assert set(found["device_firmwares"]) == {row.pk for row in rows}
    assert found["devices"] == [new.pk]
    assert client.get(f"{url}?group={group.pk}").data == {
        "device_firmwares": [rows[0].pk],
        "devices": [],
    }
    assert client.get(f"{url}?group={build.pk}").status_code == 400
    reasons = {
        one["device"]: one["reasons"][0]["code"]
        for one in client.get(f"{url}?reasons").data["left_out"]
    }
    assert reasons == {other.pk: "no_image", unread.pk: "unknown_board"}

    answer = client.post(url, {"upgrade_all": True, "upgrade_options": {"n": True}})
    assert (answer.status_code, set(answer.data)) == (201, {"batch"})
    batch = client.get(f"{API}/batch-upgrade-operation/{answer.data['batch']}/").data
    assert set(batch) >= {
        "id", "build", "created", "modified", "upgrade_options", "status", "group", "location",
        "progress_report", "success_rate", "failed_rate", "aborted_rate", "cancelled_rate",
        "upgradeoperations",
    }  # fmt: skip
    assert (batch["status"], batch["progress_report"]) == ("in-progress", "2 out of 4")
    assert (batch["aborted_rate"], batch["upgrade_options"]) == (50, {"n": True})
    assert set(batch["upgradeoperations"][0]) >= OPERATION
    listed = client.get(f"{API}/batch-upgrade-operation/?status=in-progress&build={build.pk}")
    assert set(listed.data["results"][0]["build"]) >= {"id", "category_relation", "version"}
    assert client.get(f"{API}/batch-upgrade-operation/?status=idle").data["count"] == 0


def test_a_mass_upgrade_of_nobody_is_a_400(
    client: APIClient, organization: Organization
) -> None:
    build = fleet.build(organization)
    url = f"{API}/build/{build.pk}/upgrade/"
    assert client.get(url).data == {"device_firmwares": [], "devices": []}
    answer = client.post(url, {"upgrade_all": True})
    assert (answer.status_code, set(answer.data)) == (400, {"error"})
    assert "No devices found matching" in answer.data["error"]
    for wrong in (
        {"waves": ["1"]},
        {"group": "x"},
        {"upgrade_options": {"x": 1}},
        {"window": "x"},
    ):
        assert client.post(url, wrong).status_code == 400, wrong
    assert not FirmwareRollout.objects.exists()


def test_an_operation_is_cancelled_once_and_not_after_the_flash_began(
    client: APIClient, organization: Organization
) -> None:
    device, image = fleet.device(organization), fleet.add_image(fleet.build(organization))
    client.put(f"{API}/device/{device.pk}/firmware/", {"image": str(image.pk)})
    row = Upgrade.objects.get()
    url = f"{API}/upgrade-operation/{row.pk}/cancel/"
    Upgrade.objects.update(state="flashing", sent=timezone.now())
    answer = client.post(url)
    assert answer.status_code == 409
    assert "reflashing has already started" in answer.data["error"]
    Upgrade.objects.update(state="sending", sent=None)
    assert client.post(url).data == {"message": "Upgrade operation cancelled successfully"}
    assert "Cannot cancel operation with status" in client.post(url).data["error"]
    for missing in (row.device_id, "nonsense"):
        answer = client.post(f"{API}/upgrade-operation/{missing}/cancel/")
        assert answer.status_code == 404
    again = client.post(f"{API}/upgrade-operation/{row.pk}/retry/")
    assert again.status_code == 201
    assert Upgrade.objects.filter(state="queued").count() == 1


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=in-progress", 1), ("status=success", 0), ("device={device}", 1),
        ("image={image}", 1), ("image={device}", 0), ("device__organization={owner}", 1),
        ("organization={slug}", 1), ("device__organization__slug={slug}", 1),
        ("device__organization__slug=x", 0), ("ordering=-device_id", 1),
    ],
)  # fmt: skip
def test_operations_are_filtered_as_the_contract_says(
    client: APIClient, organization: Organization, query: str, count: int
) -> None:
    device, image = fleet.device(organization), fleet.add_image(fleet.build(organization))
    client.put(f"{API}/device/{device.pk}/firmware/", {"image": str(image.pk)})
    query = query.format(
        device=device.pk, image=image.pk, owner=organization.pk, slug=organization.slug
    )
    assert client.get(f"{API}/upgrade-operation/?{query}").data["count"] == count


def test_strangers_see_and_move_nothing(
    api: Client, client: APIClient, organization: Organization
) -> None:
    device, build = fleet.device(organization), fleet.build(organization)
    fleet.add_image(build)
    batch = client.post(f"{API}/build/{build.pk}/upgrade/", {"upgrade_all": True}).data["batch"]
    operation = Upgrade.objects.get().pk
    stranger = api(factories.user(factories.organization("Elsewhere"), "admin"))
    urls = [
        f"batch-upgrade-operation/{batch}/", f"upgrade-operation/{operation}/",
        f"device/{device.pk}/firmware/", f"device/{device.pk}/upgrade-operation/",
        f"device/{device.pk}/system/", f"build/{build.pk}/upgrade/",
    ]  # fmt: skip
    for url in urls:
        assert stranger.get(f"{API}/{url}").status_code == 404, url
        assert api(None).get(f"{API}/{url}").status_code == 401, url
    assert stranger.post(f"{API}/upgrade-operation/{operation}/cancel/").status_code == 404
    assert stranger.get(f"{API}/upgrade-operation/").data["count"] == 0
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.get(f"{API}/upgrade-operation/{operation}/").status_code == 200
    assert viewer.post(f"{API}/upgrade-operation/{operation}/cancel/").status_code == 403
    assert viewer.post(f"{API}/build/{build.pk}/upgrade/", {}).status_code == 403
    assert viewer.get(f"{API}/device/{device.pk}/system/").data["board"] == fleet.BOARD


def test_a_batch_is_paused_resumed_and_stopped(
    client: APIClient, organization: Organization
) -> None:
    build = fleet.build(organization)
    fleet.add_image(build)
    for _ in range(3):
        fleet.device(organization)
    batch = client.post(f"{API}/build/{build.pk}/upgrade/", {"upgrade_all": True}).data["batch"]
    url = f"{API}/batch-upgrade-operation/{batch}"
    assert client.post(f"{url}/pause/").data["state"] == "paused"
    assert client.post(f"{url}/pause/").status_code == 409
    assert client.post(f"{url}/resume/").data["status"] == "in-progress"
    assert client.post(f"{url}/stop/").data["status"] == "cancelled"
    assert set(Upgrade.objects.values_list("state", flat=True)) == {"cancelled"}


def test_the_status_of_a_batch_follows_from_its_operations(
    client: APIClient, organization: Organization
) -> None:
    build = fleet.build(organization)
    fleet.add_image(build)
    fleet.device(organization)
    batch = client.post(f"{API}/build/{build.pk}/upgrade/", {"upgrade_all": True}).data["batch"]
    for state, word in (
        ("confirmed", "success"), ("failed", "failed"), ("aborted", "failed"),
        ("cancelled", "cancelled"),
    ):  # fmt: skip
        end(Upgrade.objects.all(), state)
        FirmwareRollout.objects.update(state="done")
        shown = client.get(f"{API}/batch-upgrade-operation/{batch}/").data
        assert shown["status"] == word, state
    assert rollouts.health(FirmwareRollout.objects.get()).total == 1
