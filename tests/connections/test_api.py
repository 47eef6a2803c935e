"""Credentials and connections in the OpenWISP dialect."""

from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.connections.models import Credentials, DeviceConnection
from tests import factories

URL = "/api/v1/controller/credential/"


@pytest.fixture
def client(api: Any, admin: User) -> Any:
    return api(admin)


def test_a_secret_is_stored_and_never_read_back(
    client: Any, organization: Organization
) -> None:
    params = {"username": "root", "password": "hunter2 hunter2", "port": 2222}
    created = client.post(
        URL,
        {
            "name": "ssh",
            "organization": str(organization.pk),
            "connector": Credentials.Connector.SSH,
            "params": params,
        },
    )
    assert created.status_code == 201, created.json()
    url = f"{URL}{created.json()['id']}/"
    for answer in (created, client.get(url), client.get(URL)):
        assert b"hunter2" not in answer.content
    shown = client.get(url).json()["params"]
    assert shown == {"username": "root", "password": "********", "port": 2222}
    # A client that sends the row back with another user keeps the stored password.
    client.patch(url, {"params": shown | {"username": "admin"}})
    assert Credentials.objects.get().params == params | {"username": "admin"}
    # Another port may be another service: the password is given again for it.
    moved = client.patch(url, {"params": shown | {"port": 22}})
    assert moved.status_code == 400, moved.json()
    assert Credentials.objects.get().params["port"] == 2222
    client.patch(url, {"params": {"username": "root", "password": "another one"}})
    assert Credentials.objects.get().params["password"] == "another one"
    documented = client.get(f"/api/v1/connection/credential/{created.json()['id']}/")
    assert documented.json() == client.get(url).json()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"username": "root"},
        {"username": 3, "password": "x"},
        {"username": "root", "password": "x", "port": 0},
        {"username": "root", "password": "x", "port": "22"},
        {"username": "root", "password": "x", "unknown": 1},
        [],
        "x",
    ],
)
def test_bad_parameters_are_refused_beside_their_field(
    client: Any, organization: Organization, params: Any
) -> None:
    answer = client.post(
        URL,
        {
            "name": "bad",
            "organization": str(organization.pk),
            "connector": Credentials.Connector.SSH,
            "params": params,
        },
    )
    assert (answer.status_code, list(answer.json())) == (400, ["params"])
    assert not Credentials.objects.exists()


def test_operators_know_no_credentials(api: Any, organization: Organization) -> None:
    credentials = factories.credentials(organization)
    viewer, stranger = (
        factories.user(organization, "viewer"),
        factories.user(factories.organization()),
    )
    assert api(viewer).patch(f"{URL}{credentials.pk}/", {"name": "x"}).status_code == 403
    assert api(stranger).get(f"{URL}{credentials.pk}/").status_code == 404


def test_a_connection_belongs_to_its_device(
    client: Any, api: Any, organization: Organization
) -> None:
    device, other = factories.device(organization), factories.device(organization)
    credentials = factories.credentials(organization)
    url = f"/api/v1/controller/device/{device.pk}/connection/"
    created = client.post(url, {"credentials": str(credentials.pk)})
    assert created.status_code == 201, created.json()
    row = DeviceConnection.objects.get()
    assert (row.device, row.update_strategy) == (device, "openwrt-agent")
    assert created.json()["update_strategy"].endswith("openwrt.ssh.OpenWrt")
    one = f"{url}{row.pk}/"
    assert client.patch(one, {"update_strategy": "linux-files"}).status_code == 200
    elsewhere = f"/api/v1/controller/device/{other.pk}/connection/{row.pk}/"
    assert client.get(elsewhere).status_code == 404
    stranger = api(factories.user(factories.organization()))
    for method, path in (("get", url), ("post", url), ("get", one), ("delete", one)):
        assert getattr(stranger, method)(path).status_code == 404
    foreign = factories.credentials(factories.organization())
    refused = client.post(url, {"credentials": str(foreign.pk)})
    assert (refused.status_code, list(refused.json())) == (400, ["credentials"])
    assert client.delete(one).status_code == 204


def test_credentials_in_use_are_kept(client: Any, organization: Organization) -> None:
    credentials = factories.credentials(organization)
    factories.connection(factories.device(organization), credentials)
    assert client.delete(f"{URL}{credentials.pk}/").status_code == 409
    assert Credentials.objects.exists()


def test_automatic_credentials_are_added_to_old_and_new_devices(
    organization: Organization,
) -> None:
    old = factories.device(organization, config={})
    factories.device(factories.organization(), config={})
    factories.credentials(organization, auto_add=True)
    new = factories.device(organization, config={})
    connected = set(DeviceConnection.objects.values_list("device", flat=True))
    assert connected == {old.pk, new.pk}
