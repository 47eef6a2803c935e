from typing import Any

import pytest
from django.test import Client

from controller.accounts.models import Organization, User
from controller.connections.models import Credentials, DeviceConnection
from tests import make
from tests.devices.test_admin import form_of as device_form

LIST = "/admin/connections/credentials/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def form_of(organization: Organization, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Root",
        "organization": str(organization.pk),
        "connector": Credentials.Connector.SSH.value,
        "username": "root",
        "port": "22",
        "password": "",
        "key": "",
        "passphrase": "",
    } | changes


@pytest.mark.parametrize("role", ["org_admin", "operator", "viewer"])
def test_what_is_stored_is_never_shown(organization: Organization, role: str) -> None:
    params = {"username": "root", "password": "hidden-word", "key": "hidden-key"}
    row = make.credentials(organization, params=params)
    client = signed_in(make.user(organization, role, is_staff=True))
    shown = client.get(f"{LIST}{row.pk}/change/").content.decode()
    assert row.name in shown
    assert "hidden-word" not in shown
    assert "hidden-key" not in shown


def test_secrets_left_empty_stay_and_those_typed_replace(organization: Organization) -> None:
    client = signed_in(make.user(organization, "operator", is_staff=True))
    client.post(f"{LIST}add/", form_of(organization, password="first"))
    row = Credentials.objects.get()
    page = f"{LIST}{row.pk}/change/"
    assert client.post(page, form_of(organization, username="admin")).status_code == 302
    row.refresh_from_db()
    assert row.params == {"username": "admin", "port": 22, "password": "first"}
    client.post(page, form_of(organization, username="admin", password="second"))
    row.refresh_from_db()
    assert row.params["password"] == "second"


def test_credentials_without_any_secret_are_refused_on_the_page(
    organization: Organization,
) -> None:
    client = signed_in(make.user(organization, "operator", is_staff=True))
    answer = client.post(f"{LIST}add/", form_of(organization))
    assert answer.status_code == 200
    assert "Either password or key" in answer.content.decode()


def test_credentials_in_use_are_not_deleted(admin: User, organization: Organization) -> None:
    row = make.credentials(organization)
    make.connection(make.device(organization), row)
    answer = signed_in(admin).post(f"{LIST}{row.pk}/delete/", {"post": "yes"}, follow=True)
    assert "Remove their connections first" in answer.content.decode()
    assert Credentials.objects.filter(pk=row.pk).exists()


def connection_form(device: Any, credentials: Credentials, **changes: Any) -> dict[str, Any]:
    return (
        device_form(device)
        | {
            "connections-TOTAL_FORMS": "1",
            "connections-0-device": str(device.pk),
            "connections-0-credentials": str(credentials.pk),
            "connections-0-update_strategy": "linux-files",
            "connections-0-enabled": "on",
            "connections-0-port": "",
            "connections-0-host_key": "",
        }
        | changes
    )


def test_connections_are_made_changed_and_removed_on_the_devices_page(
    organization: Organization,
) -> None:
    device, credentials = make.device(organization), make.credentials(organization)
    client = signed_in(make.user(organization, "operator", is_staff=True))
    page = f"/admin/devices/device/{device.pk}/change/"
    answer = client.post(page, connection_form(device, credentials))
    assert answer.status_code == 302
    row = DeviceConnection.objects.get(device=device)
    kept = {"connections-INITIAL_FORMS": "1", "connections-0-id": str(row.pk)}
    client.post(
        page, connection_form(device, credentials, **kept, **{"connections-0-port": "2222"})
    )
    row.refresh_from_db()
    assert (row.credentials, row.port) == (credentials, 2222)
    client.post(
        page, connection_form(device, credentials, **kept, **{"connections-0-DELETE": "on"})
    )
    assert not DeviceConnection.objects.exists()


def test_nothing_is_saved_when_a_connection_is_refused(
    admin: User, organization: Organization
) -> None:
    device, foreign = make.device(organization), make.credentials(make.organization())
    page = f"/admin/devices/device/{device.pk}/change/"
    answer = signed_in(admin).post(page, connection_form(device, foreign, name="renamed"))
    assert answer.status_code == 200
    assert "do not match" in answer.content.decode()
    device.refresh_from_db()
    assert device.name != "renamed"
    assert not DeviceConnection.objects.exists()
