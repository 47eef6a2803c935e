from typing import Any

import asyncssh
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization, User
from controller.connections.models import (
    Command,
    CommandBatch,
    Credentials,
    DeviceConnection,
)
from controller.connections.rules import commands
from tests import factories
from tests.devices.test_admin import form_of as device_form

LIST = "/admin/connections/credentials/"
DEVICES = "/admin/devices/device/"
COMMANDS = "/admin/connections/command/"
BATCHES = "/admin/connections/commandbatch/"


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
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    params = {"username": "root", "password": "hidden-word", "key": key}
    row = factories.credentials(organization, params=params)
    client = signed_in(factories.user(organization, role, is_staff=True))
    shown = client.get(f"{LIST}{row.pk}/change/").content.decode()
    assert row.name in shown
    assert "hidden-word" not in shown
    assert key.splitlines()[1] not in shown


def test_secrets_left_empty_stay_and_those_typed_replace(organization: Organization) -> None:
    client = signed_in(factories.user(organization, "operator", is_staff=True))
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
    client = signed_in(factories.user(organization, "operator", is_staff=True))
    answer = client.post(f"{LIST}add/", form_of(organization))
    assert answer.status_code == 200
    assert "Either password or key" in answer.content.decode()


def test_credentials_in_use_are_not_deleted(admin: User, organization: Organization) -> None:
    row = factories.credentials(organization)
    factories.connection(factories.device(organization), row)
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
    device, credentials = factories.device(organization), factories.credentials(organization)
    client = signed_in(factories.user(organization, "operator", is_staff=True))
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
    device, foreign = (
        factories.device(organization),
        factories.credentials(factories.organization()),
    )
    page = f"/admin/devices/device/{device.pk}/change/"
    answer = signed_in(admin).post(page, connection_form(device, foreign, name="renamed"))
    assert answer.status_code == 200
    assert "do not match" in answer.content.decode()
    device.refresh_from_db()
    assert device.name != "renamed"
    assert not DeviceConnection.objects.exists()


def batch_form(devices: list[Any], **changes: Any) -> dict[str, Any]:
    return {
        "action": "run_command",
        "_selected_action": [str(device.pk) for device in devices],
        "select_across": "0",
        "type": "custom",
        "input": '{"command": "uptime"}',
        "label": "How long",
        "count": str(len(devices)),
        "confirmed": "1",
    } | changes


def reachable(organization: Organization, count: int = 1) -> list[Any]:
    credentials = factories.credentials(organization)
    devices = [
        factories.device(organization, management_ip="10.0.0.1", config={})
        for _ in range(count)
    ]
    for device in devices:
        factories.connection(device, credentials)
    return devices


def test_a_command_for_many_devices_is_asked_for_and_then_sent(
    organization: Organization,
) -> None:
    devices = reachable(organization, 2)
    devices.append(factories.device(organization))
    client = signed_in(factories.user(organization, "operator", is_staff=True))
    form = batch_form(devices)
    asked = client.post(DEVICES, {key: form[key] for key in form if key != "confirmed"})
    assert "Run on 2 devices" in asked.content.decode()
    assert "It has no enabled connection." in asked.content.decode()
    assert not Command.objects.exists()
    answer = client.post(DEVICES, form | {"count": "2"}, follow=True)
    batch = CommandBatch.objects.get()
    assert answer.redirect_chain[-1][0] == f"{BATCHES}{batch.pk}/change/"
    shown = answer.content.decode()
    assert "2 of 2 devices still to answer" in shown
    batch.commands.filter(device=devices[0]).update(status="failed", output="a\nno such file")
    part = client.get(f"{BATCHES}{batch.pk}/results/").content.decode()
    assert "no such file" in part
    assert "1 of 2 devices still to answer" in part
    assert "1 of 2, 1 in trouble" in client.get(BATCHES).content.decode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "zzz"}, "not a valid choice"),
        ({"input": "{"}, "not JSON"),
        ({"input": "{}"}, "is a required property"),
        ({"count": "7"}, "It is 1 devices now, and not 7"),
    ],
)
def test_a_bad_command_for_many_is_refused_on_its_page(
    organization: Organization, changes: dict[str, str], said: str
) -> None:
    client = signed_in(factories.user(organization, "operator", is_staff=True))
    answer = client.post(DEVICES, batch_form(reachable(organization), **changes))
    assert said in answer.content.decode()
    assert not Command.objects.exists()


def test_devices_of_two_organizations_make_a_batch_for_each(admin: User) -> None:
    devices = [*reachable(factories.organization()), *reachable(factories.organization())]
    answer = signed_in(admin).post(DEVICES, batch_form(devices))
    assert answer["Location"] == BATCHES
    assert CommandBatch.objects.count() == 2


def test_nobody_runs_commands_where_they_may_only_look(organization: Organization) -> None:
    devices = reachable(organization)
    viewer = factories.user(organization, "viewer", is_staff=True)
    signed_in(viewer).post(DEVICES, batch_form(devices))
    factories.organization().memberships.create(user=viewer, role="operator")
    told = signed_in(viewer).post(DEVICES, batch_form(devices)).content.decode()
    assert "You may not run commands on it." in told
    assert not Command.objects.exists()
    page = signed_in(viewer).get(f"{DEVICES}{devices[0].pk}/change/").content.decode()
    assert 'data-tab="commands"' in page
    assert "data-commands-form" not in page
    guest = factories.user(organization, "guest", is_staff=True)
    page = signed_in(guest).get(f"{DEVICES}{devices[0].pk}/change/").content.decode()
    assert 'data-tab="commands"' not in page


def test_commands_of_others_are_not_there_and_passwords_are_not_shown(
    organization: Organization,
) -> None:
    (device,) = reachable(organization)
    (theirs,) = reachable(factories.organization())
    given = {"password": "a new secret", "confirm_password": "a new secret"}
    mine = commands.send(device, type="change_password", input=given)
    other = commands.send(theirs, type="custom", input={"command": "their-word"})
    batch = commands.send_to_many([theirs], organization=theirs.organization, type="reboot")
    client = signed_in(factories.user(organization, "org_admin", is_staff=True))
    shown = client.get(COMMANDS).content.decode()
    assert device.name in shown
    assert "a new secret" not in shown
    assert "their-word" not in shown
    page = client.get(f"{COMMANDS}{mine.pk}/change/").content.decode()
    assert f"/api/v1/controller/device/{device.pk}/command/{mine.pk}/" in page
    assert "a new secret" not in page
    assert client.get(f"{COMMANDS}{other.pk}/change/").status_code == 302
    assert client.get(f"{BATCHES}{batch.pk}/results/").status_code == 404
    assert client.post(f"{COMMANDS}{mine.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_list_of_commands_asks_as_often_for_many_as_for_few(
    admin: User, organization: Organization
) -> None:
    client = signed_in(admin)
    counts = []
    for more in (2, 20):
        for device in reachable(organization, more):
            commands.send(device, type="custom", input={"command": "id"})
        client.get(COMMANDS)
        with CaptureQueriesContext(connection) as queries:
            client.get(COMMANDS)
        counts.append(len(queries))
    assert counts[0] == counts[1]
