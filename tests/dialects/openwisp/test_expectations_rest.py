"""Numbered expectations about connections, commands, certificates and locations."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from controller.accounts.models import Organization
from controller.configs.rules import devices, organization_settings
from controller.devices.models import Device
from controller.devices.rules import settings_of
from pki.models import Cert
from tests import factories

JSON = "application/json"
DEVICE = "/api/v1/controller/device/"


@pytest.fixture
def device(organization: Organization) -> Device:
    row = factories.device(organization, name="roof", config={})
    factories.connection(row, factories.credentials(organization))
    return row


NESTED = ["connection/", "command/", "location/"]


def test_56_what_is_nested_in_a_device_is_for_its_own_organization(
    client: Client, organization: Organization, device: Device
) -> None:
    own = factories.bearer(factories.user(organization, "operator"))
    other = factories.bearer(factories.user(factories.organization(), "operator"))
    for path in NESTED:
        url = f"{DEVICE}{device.pk}/{path}"
        assert client.get(url, headers=other).status_code == 404, path
        assert client.get(url).status_code == 401, path
        if path != "location/":
            assert client.get(url, headers=own).status_code == 200, path
    sent = {"type": "custom", "input": {"command": "uptime"}}
    url = f"{DEVICE}{device.pk}/command/"
    assert client.post(url, sent, content_type=JSON, headers=own).status_code == 201
    assert client.post(url, sent, content_type=JSON, headers=other).status_code == 404


def test_57_a_kind_that_the_organization_does_not_permit_is_no_choice(
    client: Client, organization: Organization, device: Device
) -> None:
    headers = factories.bearer(factories.user(organization))
    organization_settings.update_settings(settings_of(organization), command_types=["reboot"])
    url = f"{DEVICE}{device.pk}/command/"
    custom = {"type": "custom", "input": {"command": "uptime"}}
    refused = client.post(url, custom, content_type=JSON, headers=headers)
    assert (refused.status_code, refused.json()) == (
        400, {"type": ['"custom" is not a valid choice.']},
    )  # fmt: skip
    reboot = {"type": "reboot", "input": None}
    assert client.post(url, reboot, content_type=JSON, headers=headers).status_code == 201


def test_57_the_kinds_of_an_organization_are_set_over_the_api(
    client: Client, organization: Organization
) -> None:
    headers = factories.bearer(factories.user(organization))
    url = f"/api/v1/controller/organization/{organization.pk}/settings/"
    chosen = {"command_types": ["reboot", "ping"]}
    done = client.patch(url, chosen, content_type=JSON, headers=headers)
    assert sorted(done.json()["command_types"]) == ["ping", "reboot"]
    bad = client.patch(url, {"command_types": ["fly"]}, content_type=JSON, headers=headers)
    assert (bad.status_code, list(bad.json())) == (400, ["command_types"])


def test_57_a_device_without_credentials_takes_no_command(
    client: Client, organization: Organization
) -> None:
    bare = factories.device(organization)
    answer = client.post(
        f"{DEVICE}{bare.pk}/command/",
        {"type": "reboot", "input": None},
        content_type=JSON,
        headers=factories.bearer(factories.user(organization)),
    )
    assert (answer.status_code, list(answer.json())) == (400, ["device"])


def test_58_a_deactivated_device_is_read_and_not_written(
    client: Client, organization: Organization, device: Device
) -> None:
    headers = factories.bearer(factories.user(organization))
    devices.deactivate(device)
    for path, values in {
        "connection/": {"credentials": str(uuid4())},
        "command/": {"type": "reboot", "input": None},
    }.items():
        url = f"{DEVICE}{device.pk}/{path}"
        assert client.get(url, headers=headers).status_code == 200
        written = client.post(url, values, content_type=JSON, headers=headers)
        assert written.status_code == 403


def test_59_an_authority_is_imported_and_a_certificate_renewed_and_revoked(
    client: Client, organization: Organization
) -> None:
    headers = factories.bearer(factories.user(organization))
    theirs = factories.ca(organization, name="theirs")
    imported = {
        "name": "imported", "organization": str(organization.pk),
        "certificate": theirs.certificate, "private_key": theirs.private_key,
        "passphrase": "a passphrase",
    }  # fmt: skip
    theirs.delete()
    answer = client.post("/api/v1/controller/ca/", imported, content_type=JSON, headers=headers)
    if answer.status_code == 400:
        # The key has no passphrase; an unnecessary one is reported.
        assert list(answer.json()) == ["passphrase"]
        del imported["passphrase"]
        answer = client.post(
            "/api/v1/controller/ca/", imported, content_type=JSON, headers=headers
        )
    assert answer.status_code == 201, answer.content
    assert answer.json()["common_name"] == "theirs"
    assert "passphrase" not in answer.json()

    cert = factories.cert(factories.ca(organization))
    url = f"/api/v1/controller/cert/{cert.pk}/"
    renewed = client.post(f"{url}renew/", headers=headers)
    assert renewed.status_code == 200
    assert renewed.json()["serial_number"] != cert.serial_number
    revoked = client.post(f"{url}revoke/", headers=headers)
    assert revoked.json()["revoked"] is True
    assert Cert.objects.get(pk=cert.pk).revoked


def test_60_a_device_is_placed_and_what_is_elsewhere_refused(
    client: Client, organization: Organization, device: Device
) -> None:
    headers = factories.bearer(factories.user(organization))
    url = f"{DEVICE}{device.pk}/location/"
    here, there = factories.location(organization), factories.location(factories.organization())

    def send(**values: Any) -> Any:
        return client.put(url, values, content_type=JSON, headers=headers)

    assert send(location=str(here.pk)).status_code == 201
    assert send(location=str(here.pk)).status_code == 200
    assert send(location=str(there.pk)).status_code == 400
    plan = factories.floor_plan(factories.location(organization))
    foreign = send(location=str(here.pk), floorplan=str(plan.pk), indoor="1,1")
    assert foreign.status_code == 400
    coordinates = f"{DEVICE}{device.pk}/coordinates/"
    assert client.get(coordinates, {"key": device.key}).status_code == 200
    assert client.get(coordinates, {"key": "wrong"}).status_code in {401, 403}
    geo = f"/api/v1/controller/organization/{organization.pk}/geo-settings/"
    assert client.get(geo).status_code == 401
    assert client.get(geo, headers=headers).status_code == 200
    stranger = factories.bearer(factories.user(factories.organization()))
    assert client.get(geo, headers=stranger).status_code == 404
    on = {"estimated_location_enabled": True}
    assert client.put(geo, on, content_type=JSON, headers=headers).status_code == 400


def test_a_batch_takes_the_devices_that_the_filters_find(
    client: Client, organization: Organization, device: Device
) -> None:
    headers = factories.bearer(factories.user(organization))
    other = factories.device(organization, name="cellar", config={})
    factories.connection(other, factories.credentials(organization))
    sent = {"organization": str(organization.pk), "type": "reboot", "input": None}
    url = "/api/v1/controller/command-batch/"
    answer = client.post(f"{url}?name=roof", sent, content_type=JSON, headers=headers)
    assert answer.status_code == 201, answer.content
    assert answer.json()["total"] == 1
    everyone = client.post(url, sent, content_type=JSON, headers=headers)
    assert everyone.json()["total"] == 2
    bad = client.post(f"{url}?config__templates=x", sent, content_type=JSON, headers=headers)
    assert bad.status_code == 400
