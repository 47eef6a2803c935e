"""What scripts made for OpenWISP 1.3 send and read, beyond the recorded exchanges."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import asyncssh
import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from controller.accounts.models import ApiToken, GroupRole, Membership, Organization, User
from controller.accounts.rules.initial_groups import add_default_groups
from controller.connections.models import Credentials, DeviceConnection
from controller.connections.rules import usable_connections
from controller.devices.models import Device
from geo.models import Location
from networks.ipam.models import Subnet
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "/api/v1/controller"
SSH = "openwisp_controller.connection.connectors.ssh.Ssh"
SNMP = "openwisp_controller.connection.connectors.openwrt.snmp.OpenWRTSnmp"
FORM = "application/x-www-form-urlencoded"
FILES = {"files": [{"path": "/etc/x", "mode": "0644", "contents": "x"}]}
Api = Callable[[User | None], APIClient]


@pytest.fixture
def client(api: Api, admin: User) -> APIClient:
    return api(admin)


def form(client: APIClient, url: str, values: dict[str, Any], method: str = "post") -> Any:
    return getattr(client, method)(url, urlencode(values, doseq=True), content_type=FORM)


# --- JSON in forms


def test_json_fields_of_forms_are_stored(client: APIClient, organization: Organization) -> None:
    owner = str(organization.pk)
    group = form(client, f"{BASE}/group/", {
        "name": "g", "organization": owner, "context": '{"a": "b"}', "meta_data": '{"c": 1}',
    })  # fmt: skip
    assert group.status_code == 201, group.content
    assert (group.json()["context"], group.json()["meta_data"]) == ({"a": "b"}, {"c": 1})
    template = form(client, f"{BASE}/template/", {
        "name": "t", "organization": owner, "backend": "netjsonconfig.OpenWrt",
        "config": json.dumps(FILES),
    })  # fmt: skip
    assert template.status_code == 201, template.content
    assert template.json()["config"] == FILES
    device = form(client, f"{BASE}/device/", {
        "name": "dev", "organization": owner, "mac_address": "00:11:22:33:44:55",
        "config.backend": "netjsonconfig.OpenWrt", "config.context": '{"x": "y"}',
        "config.config": json.dumps(FILES), "config.templates": template.json()["id"],
    })  # fmt: skip
    assert device.status_code == 201, device.content
    config = client.get(f"{BASE}/device/{device.json()['id']}/").json()["config"]
    assert (config["context"], config["config"]) == ({"x": "y"}, FILES)
    assert config["templates"] == [template.json()["id"]]
    credential = form(client, f"{BASE}/credential/", {
        "name": "c", "organization": owner, "connector": SSH,
        "params": '{"username": "root", "password": "x"}',
    })  # fmt: skip
    assert credential.status_code == 201, credential.content


@pytest.mark.parametrize("sent", ["[1]", "5", '"x"', "{", "{'username': 'root'}", "null"])
def test_what_is_no_object_is_refused_in_forms_and_in_json(
    client: APIClient, organization: Organization, sent: str
) -> None:
    group = factories.group(organization)
    credentials = factories.credentials(organization)
    for url, name in (
        (f"{BASE}/group/{group.pk}/", "context"),
        (f"{BASE}/credential/{credentials.pk}/", "params"),
    ):
        answer = form(client, url, {name: sent}, "patch")
        assert answer.status_code == 400, (url, answer.content)
        assert name in answer.json()
    for value in ("x", [1], 5, None):
        answer = client.patch(f"{BASE}/credential/{credentials.pk}/", {"params": value})
        assert answer.status_code == 400
        assert "params" in answer.json()


def test_half_characters_in_the_json_of_a_form_are_refused(
    client: APIClient, organization: Organization
) -> None:
    url = f"{BASE}/group/{factories.group(organization).pk}/"
    for text in (r'{"a": "\u0000"}', r'{"a": "\ud800"}'):
        assert form(client, url, {"context": text}, "patch").status_code == 400
    assert form(client, url, {"context": "[" * 100_000}, "patch").status_code == 400
    # An empty field of a form is nothing that was sent.
    assert form(client, url, {"context": " ", "name": "kept"}, "patch").status_code == 200


def test_the_form_of_a_page_written_back_changes_nothing(
    client: APIClient, organization: Organization
) -> None:
    template = factories.template(organization)
    group = factories.group(organization)
    device = factories.device(
        organization, name="kept", group=group, notes="x", config={"templates": [template]}
    )
    url = f"{BASE}/device/{device.pk}/"
    before = client.get(url).json()
    page = client.get(url, headers={"Accept": "text/html"}).content.decode()
    for text in (">kept<", 'value="kept"', f'value="{template.pk}" selected', ">x</textarea>"):
        assert text in page or text == ">kept<", text
    sent = {name: before[name] for name in ("name", "organization", "group", "mac_address",
                                            "key", "notes")}  # fmt: skip
    sent |= {f"config.{name}": before["config"][name] for name in ("backend", "templates")}
    sent |= {
        f"config.{name}": json.dumps(before["config"][name]) for name in ("context", "config")
    }
    after = form(client, url, sent, "put")
    assert after.status_code == 200, after.content
    assert {**after.json(), "modified": 0} == {**before, "modified": 0}


# --- people


def test_the_groups_that_scripts_name_by_number(
    client: APIClient, api: Api, organization: Organization
) -> None:
    add_default_groups(Group, GroupRole)
    add_default_groups(Group, GroupRole)
    names = {
        one["name"]: one["id"] for one in client.get("/api/v1/users/group/").json()["results"]
    }
    assert list(names) == ["Administrator", "Operator"]
    made = client.post("/api/v1/users/user/", {
        "username": "op", "password": "Tester-1234", "email": "op@peer.example",
        "groups": [names["Operator"]],
        "organization_users": {"is_admin": False, "organization": str(organization.pk)},
    })  # fmt: skip
    assert made.status_code == 201, made.content
    operator = api(User.objects.get(username="op"))
    values = {"name": "x", "organization": str(organization.pk), "mac_address": factories.mac()}
    assert operator.post(f"{BASE}/device/", values).status_code == 201
    assert operator.get("/api/v1/users/user/").status_code == 403
    elsewhere = values | {"organization": str(factories.organization().pk)}
    assert operator.post(f"{BASE}/device/", elsewhere).status_code == 400


def test_a_membership_ends_with_a_role_of_null(
    client: APIClient, organization: Organization
) -> None:
    person = factories.user(organization, "operator")
    url = f"/api/v1/users/user/{person.pk}/"
    member = {"organization": str(organization.pk), "is_admin": False}
    assert client.patch(url, {"organization_users": member}).status_code == 200
    assert Membership.objects.get(user=person).role == "operator"
    left = client.patch(url, {"organization_users": [member | {"role": None}]})
    assert left.status_code == 200
    assert left.json()["organization_users"] == []
    assert not Membership.objects.filter(user=person).exists()
    wrong = client.patch(url, {"organization_users": {"organization": "x"}})
    assert list(wrong.json()["organization_users"]) == ["organization"]


def test_an_organization_is_given_an_owner(
    client: APIClient, organization: Organization
) -> None:
    url = f"/api/v1/users/organization/{organization.pk}/"
    member = factories.user(organization, "viewer").memberships.get()
    other = factories.user(factories.organization(), "viewer").memberships.get()
    assert client.get(url).json()["owner"] is None
    given = client.patch(url, {"owner": {"organization_user": member.pk}})
    assert given.json()["owner"] == {"organization_user": member.pk}, given.content
    for bad in ("x", {"organization_user": "x"}, {"organization_user": other.pk}):
        assert client.patch(url, {"owner": bad}).status_code == 400
    assert client.put(url, client.get(url).json()).status_code == 200
    newest = factories.organization()
    listed = client.get("/api/v1/users/organization/").json()["results"]
    assert listed[0]["id"] == str(newest.pk)


def test_a_program_that_signs_in_each_time_leaves_few_tokens(api: Api, admin: User) -> None:
    admin.set_password("a good password")
    admin.save()
    sign_in = {"username": admin.username, "password": "a good password"}
    tokens = [
        api(None).post("/api/v1/users/token/", sign_in).json()["token"] for _ in range(22)
    ]
    assert ApiToken.objects.filter(user=admin, name="API sign-in").count() == 20
    last = APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens[-1]}")
    assert last.get("/api/v1/auth/me").status_code == 200


# --- credentials and connections


def test_snmp_credentials_and_the_first_firmware_are_kept_and_not_used(
    client: APIClient, organization: Organization
) -> None:
    made = client.post(f"{BASE}/credential/", {
        "name": "snmp", "organization": str(organization.pk), "connector": SNMP,
        "params": {"community": "public", "agent": "10.0.0.1", "port": 161},
    })  # fmt: skip
    assert made.status_code == 201, made.content
    assert made.json()["params"] == {"community": "********", "agent": "10.0.0.1", "port": 161}
    url = f"{BASE}/credential/{made.json()['id']}/"
    assert client.put(url, made.json()).status_code == 200
    assert Credentials.objects.get().params["community"] == "public"
    assert client.patch(url, {"params": {"agent": 5}}).status_code == 400
    assert client.patch(url, {"connector": SSH}).status_code == 400
    device = factories.device(organization, management_ip="10.0.0.1")
    connections = f"{BASE}/device/{device.pk}/connection/"
    strategy = "openwisp_controller.connection.connectors.openwrt.ssh.OpenWisp1"
    connected = client.post(
        connections, {"credentials": made.json()["id"], "update_strategy": strategy}
    )
    assert connected.status_code == 201, connected.content
    assert connected.json()["update_strategy"] == strategy
    assert DeviceConnection.objects.count() == 1
    assert usable_connections([device.pk]) == {}


def test_a_private_key_that_is_none_is_refused(
    client: APIClient, organization: Organization
) -> None:
    values = {"name": "k", "organization": str(organization.pk), "connector": SSH}
    bad = client.post(
        f"{BASE}/credential/", values | {"params": {"username": "root", "key": "x" * 40}}
    )
    assert bad.status_code == 400
    assert "private key" in bad.json()["params"][0]
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    good = client.post(
        f"{BASE}/credential/", values | {"params": {"username": "root", "key": key}}
    )
    assert good.status_code == 201


# --- places, templates, subnets


def test_a_moving_device_tells_of_itself_before_it_knows_where_it_is(
    api: Api, client: APIClient, organization: Organization
) -> None:
    device = factories.device(organization)
    url = f"{BASE}/device/{device.pk}/coordinates/?key={device.key}"
    told = api(None).put(url)
    assert told.status_code == 200, told.content
    assert told.json()["geometry"] is None
    location = Location.objects.get()
    assert (location.is_mobile, location.geometry) == (True, None)
    again = api(None).put(url, {"geometry": {"type": "Point", "coordinates": [1, 2]}})
    assert again.json()["geometry"]["coordinates"] == [1, 2]
    Device.objects.filter(pk=device.pk).update(is_deactivated=True)
    assert client.delete(f"{BASE}/device/{device.pk}/location/").status_code == 403


def test_estimated_places_are_told_and_found(
    client: APIClient, organization: Organization
) -> None:
    here, there = factories.location(organization), factories.location(organization)
    device = factories.placed(here)
    factories.placed(there)
    changed = client.patch(f"{BASE}/location/{here.pk}/", {"is_estimated": True})
    assert changed.json()["is_estimated"] is True
    for path in ("location/", "location/geojson/"):
        found = client.get(f"{BASE}/{path}", {"is_estimated": "true"}).json()
        assert [one["id"] for one in found.get("results", found.get("features"))] == [
            str(here.pk)
        ]
    devices = client.get(f"{BASE}/device/", {"geo_is_estimated": "true"}).json()["results"]
    assert [one["id"] for one in devices] == [str(device.pk)]


def test_words_that_scripts_look_for(client: APIClient, organization: Organization) -> None:
    device = factories.device(organization)
    url = f"{BASE}/device/{device.pk}/location/"
    for wrong in ("x", str(device.pk)):
        answer = client.put(url, {"location": wrong})
        assert answer.json() == {
            "location": ["Location object with entered ID does not exists"]
        }
    assert client.put(url, {"location": ["x"]}).status_code == 400
    outdoor = client.post(f"{BASE}/location/", {
        "name": "square", "type": "outdoor", "organization": str(organization.pk),
        "geometry": {"type": "Point", "coordinates": [1, 2]}, "floorplan": {"floor": 12},
    })  # fmt: skip
    assert outdoor.status_code == 400
    assert "outdoor" in outdoor.json()["floorplan"][0]
    assert not Location.objects.exists()


def test_templates_are_tagged_and_found_by_tags(
    client: APIClient, organization: Organization
) -> None:
    template, _ = factories.template(organization), factories.template(organization)
    url = f"{BASE}/template/{template.pk}/"
    changed = client.patch(url, {"tags": ["mesh", "indoor"]})
    assert changed.json()["tags"] == ["mesh", "indoor"], changed.content
    assert client.patch(url, {"tags": "mesh"}).status_code == 400
    for asked, count in (("mesh", 1), ("mesh,indoor", 1), ("mes", 0), ("mesh,x", 0)):
        found = client.get(f"{BASE}/template/", {"tags": asked}).json()
        assert found["count"] == count, asked


@pytest.mark.parametrize("header", ["ip address,description", "ip_address,description", "Host"])
def test_the_columns_of_an_import_have_any_names(client: APIClient, header: str) -> None:
    organization = factories.organization("lab")
    text = f"Lab\n10.0.0.0/24\n{organization.slug}\n{header}\n10.0.0.1,x\n"
    file = SimpleUploadedFile("lab.csv", text.encode())
    answer = client.post("/api/v1/ipam/import-subnet/", {"csvfile": file}, "multipart")
    assert answer.status_code == 200, answer.content
    assert Subnet.objects.get().addresses.get().ip_address == "10.0.0.1"


def test_an_expired_account_says_when(client: APIClient, organization: Organization) -> None:
    person = factories.user(organization)
    tomorrow = str(timezone.localdate() + timedelta(days=1))
    url = f"/api/v1/users/user/{person.pk}/"
    assert (
        client.patch(url, {"expiration_date": tomorrow}).json()["expiration_date"] == tomorrow
    )


def test_mass_commands_answer_under_their_later_names(
    api: Api, client: APIClient, organization: Organization
) -> None:
    group = factories.group(organization)
    device, other = factories.device(organization, group=group), factories.device(organization)
    for one in (device, other):
        factories.connection(one, factories.credentials(organization))
    url = f"{BASE}/batch-command/execute/"
    plan = client.get(url, {"group": str(group.pk)}).json()
    assert (plan["count"], plan["devices"]) == (
        1,
        [{"id": str(device.pk), "name": device.name}],
    )
    sent = {"organization": str(organization.pk), "type": "reboot", "input": None}
    made = client.post(url, sent | {"group": str(group.pk), "notes": "why"})
    assert made.status_code == 201, made.content
    assert (made.json()["total"], made.json()["label"]) == (1, "why")
    found = client.get(f"{BASE}/batch-command/{made.json()['id']}/").json()
    assert found["id"] == made.json()["id"]
    assert client.get(f"{BASE}/batch-command/").json()["count"] == 1
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.post(url, sent).status_code == 403


def test_a_shared_authority_is_imported_for_an_organization(
    client: APIClient, organization: Organization
) -> None:
    shared = factories.ca(None)
    known = {"organization": str(organization.pk), "certificate": shared.certificate,
             "private_key": shared.private_key}  # fmt: skip
    made = client.post(f"{BASE}/ca/", known | {"name": "imported"}, format="json")
    assert made.status_code == 201, made.content
    assert made.json()["common_name"] == shared.common_name
    twice = client.post(f"{BASE}/ca/", known | {"name": "again"}, format="json")
    assert "common_name" in twice.json()
