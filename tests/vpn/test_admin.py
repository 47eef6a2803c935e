import io
import json
import tarfile
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization, User
from controller.configs.models import Template
from controller.vpn.models import Vpn
from networks.ipam.models import IpAddress, Subnet
from tests import factories

LIST = "/admin/vpn/vpn/"
SUBNETS = "/admin/networks/subnet/"
ADDRESSES = "/admin/networks/ipaddress/"
TEMPLATES = "/admin/configs/template/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(organization: Organization, role: str = "org_admin") -> Client:
    return signed_in(factories.user(organization, role, is_staff=True))


def form_of(organization: Organization, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Server",
        "organization": str(organization.pk),
        "host": "vpn.example.org",
        "backend": Vpn.Backend.WIREGUARD.value,
        "ca": "",
        "subnet": "",
        "key": "",
        "webhook_endpoint": "",
        "auth_token": "",
        "config": json.dumps(factories.WIREGUARD),
        "notes": "",
    } | changes


def test_a_server_is_made_on_the_page_with_all_that_it_needs(
    organization: Organization,
) -> None:
    subnet = factories.subnet(organization)
    sent = form_of(organization, subnet=str(subnet.pk))
    answer = member(organization).post(f"{LIST}add/", sent)
    assert answer.status_code == 302, answer.content.decode()
    vpn = Vpn.objects.get()
    assert (vpn.public_key, vpn.ip.subnet, bool(vpn.key)) == (vpn.public_key, subnet, True)


def test_what_a_rule_refuses_stands_on_the_page(organization: Organization) -> None:
    answer = member(organization).post(f"{LIST}add/", form_of(organization))
    assert answer.status_code == 200
    assert "Subnet is required for this VPN backend." in answer.content.decode()
    broken = form_of(organization, config='{"wireguard": []}')
    assert (
        "should be non-empty"
        in member(organization).post(f"{LIST}add/", broken).content.decode()
    )
    assert not Vpn.objects.exists()


def test_the_page_of_a_server_lists_its_clients(organization: Organization) -> None:
    vpn = factories.wireguard(organization)
    template = factories.vpn_template(vpn)
    devices = [
        factories.device(organization, config={"templates": [template]}) for _ in range(3)
    ]
    shown = member(organization).get(f"{LIST}{vpn.pk}/change/").content.decode()
    for device in devices:
        assert device.name in shown
    assert str(vpn.ip) in shown
    assert vpn.public_key in shown
    assert vpn.private_key not in shown


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_who_may_only_read_sees_no_secret(organization: Organization, role: str) -> None:
    config = {"wireguard": [factories.WIREGUARD["wireguard"][0] | {"peers": [
        {"public_key": "x", "allowed_ips": "10.0.0.1/32", "preshared_key": "hidden-word"},
    ]}]}  # fmt: skip
    vpn = factories.wireguard(organization, auth_token="hidden-token", config=config)
    client = member(organization, role)
    shown = client.get(f"{LIST}{vpn.pk}/change/").content.decode()
    assert vpn.name in shown
    for secret in (vpn.key, vpn.private_key, "hidden-token", "hidden-word"):
        assert secret not in shown
    assert client.get(f"{LIST}{vpn.pk}/configuration.tar.gz").status_code == 403
    assert client.post(f"{LIST}{vpn.pk}/change/", form_of(organization)).status_code == 403


def test_an_administrator_downloads_the_configuration(organization: Organization) -> None:
    vpn = factories.wireguard(organization)
    answer = member(organization).get(f"{LIST}{vpn.pk}/configuration.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        assert tar.getnames() == ["wg0.conf"]
    stranger = member(factories.organization())
    assert stranger.get(f"{LIST}{vpn.pk}/configuration.tar.gz").status_code == 404


def test_the_schema_of_every_backend_is_there_for_the_editor(
    organization: Organization,
) -> None:
    client = member(organization)
    for backend in Vpn.Backend.values:
        schema = client.get(f"{LIST}schema/{backend}.json").json()
        assert "private_key" not in json.dumps(schema["required"])
    assert client.get(f"{LIST}schema/nonsense.json").status_code == 404


def test_saving_the_page_unchanged_changes_nothing(organization: Organization) -> None:
    vpn = factories.wireguard(organization, name="Server")
    sent = form_of(
        organization, subnet=str(vpn.subnet_id), key=vpn.key, host=vpn.host
    )  # fmt: skip
    before = Vpn.objects.values().get()
    assert member(organization).post(f"{LIST}{vpn.pk}/change/", sent).status_code == 302
    after = Vpn.objects.values().get()
    assert {k for k in before if before[k] != after[k]} <= {
        "modified",
        "auth_token",
        "webhook_endpoint",
        "revision",
    }


def test_a_server_in_use_says_by_what(organization: Organization) -> None:
    vpn = factories.wireguard(organization)
    template = factories.vpn_template(vpn)
    client = member(organization)
    answer = client.post(f"{LIST}{vpn.pk}/delete/", {"post": "yes"}, follow=True)
    assert f"in use by {template.name}" in answer.content.decode()
    assert Vpn.objects.exists()


@pytest.mark.parametrize("page", [LIST, SUBNETS, ADDRESSES])
def test_foreign_rows_are_not_listed_and_lists_cost_the_same_however_long(
    organization: Organization, page: str
) -> None:
    def rows(many: int) -> None:
        for _ in range(many):
            vpn = factories.wireguard(organization)
            template = factories.vpn_template(vpn)
            factories.device(organization, config={"templates": [template]})

    foreign = factories.wireguard(factories.organization())
    rows(1)
    client = member(organization)
    client.get(page)
    with CaptureQueriesContext(connection) as few:
        shown = client.get(page).content.decode()
    rows(3)
    with CaptureQueriesContext(connection) as many:
        client.get(page)
    assert len(many) <= len(few), [query["sql"] for query in many]
    for text in (foreign.name, foreign.subnet.subnet):
        assert text not in shown


def test_an_address_left_empty_is_the_next_free_one(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.3.0.0/24")
    client = member(organization, "operator")
    sent = {"subnet": str(subnet.pk), "ip_address": "", "description": "printer"}
    assert client.post(f"{ADDRESSES}add/", sent).status_code == 302
    assert client.post(f"{ADDRESSES}add/", sent | {"ip_address": "10.3.0.9"}).status_code == 302
    assert [str(row) for row in IpAddress.objects.all()] == ["10.3.0.1", "10.3.0.9"]
    twice = client.post(f"{ADDRESSES}add/", sent | {"ip_address": "10.3.0.9"})
    assert "already used" in twice.content.decode()
    row = IpAddress.objects.first()
    page = f"{ADDRESSES}{row.pk}/change/"
    assert client.post(page, sent | {"ip_address": "10.3.0.7"}).status_code == 302
    row.refresh_from_db()
    assert str(row) == "10.3.0.7"


def test_an_operator_takes_no_address_of_a_shared_subnet(organization: Organization) -> None:
    shared = factories.subnet(None, "10.4.0.0/24")
    sent = {"subnet": str(shared.pk), "ip_address": "", "description": ""}
    answer = member(organization, "operator").post(f"{ADDRESSES}add/", sent)
    assert answer.status_code == 200
    assert not IpAddress.objects.exists()


def test_a_subnet_shows_how_full_it_is(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.5.0.0/24")
    factories.wireguard(organization, subnet=subnet)
    shown = member(organization, "viewer").get(f"{SUBNETS}{subnet.pk}/change/").content.decode()
    assert "1 of 254 used" in shown
    assert "10.5.0.2" in shown
    huge = factories.subnet(organization, "fd00::/64")
    client = member(organization)
    assert "2^64" in client.get(f"{SUBNETS}{huge.pk}/change/").content.decode()
    sent = {"name": "x", "organization": str(organization.pk), "subnet": "10.5.0.0/16"}
    answer = client.post(f"{SUBNETS}add/", sent | {"master_subnet": "", "description": ""})
    assert "Subnet overlaps with 10.5.0.0/24" in answer.content.decode()
    assert Subnet.objects.count() == 2


def test_a_vpn_template_is_made_on_its_page_without_a_configuration(
    organization: Organization,
) -> None:
    vpn = factories.openvpn(organization)
    sent = {
        "name": "x", "organization": str(organization.pk), "type": "vpn", "vpn": str(vpn.pk),
        "auto_cert": "on", "backend": "netjsonconfig.OpenWrt", "tags": "",
        "default_values": "{}", "config": "{}", "notes": "",
    }  # fmt: skip
    answer = member(organization).post(f"{TEMPLATES}add/", sent)
    assert answer.status_code == 302, answer.content.decode()
    assert Template.objects.get().vpn == vpn
    draft = {
        "type": "vpn",
        "vpn": str(vpn.pk),
        "backend": "netjsonconfig.OpenWrt",
        "config": {},
    }
    shown = member(organization).post(
        f"{TEMPLATES}preview/", json.dumps(draft), content_type="application/json"
    )
    assert "config openvpn" in json.dumps(shown.json()["files"])
    stranger = member(factories.organization()).post(
        f"{TEMPLATES}preview/", json.dumps(draft), content_type="application/json"
    )
    assert vpn.host not in stranger.content.decode()


def test_the_keys_of_vpn_clients_are_masked_for_who_may_not_read_them(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(organization)
    device = factories.device(organization, config={"templates": [factories.vpn_template(vpn)]})
    client = member(organization, "viewer")
    shown = client.get(f"/admin/devices/device/{device.pk}/change/").content.decode()
    assert vpn.clients.get().private_key not in shown


def test_a_clone_of_a_template_is_another_one_that_nobody_has(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(organization)
    row = factories.vpn_template(vpn, name="x" * 64, default=True, tags=["mesh"])
    sent = {"action": "clone", "_selected_action": [str(row.pk)]}
    for _ in range(2):
        answer = member(organization, "operator").post(TEMPLATES, sent, follow=True)
        assert answer.status_code == 200
    names = set(Template.objects.values_list("name", flat=True))
    assert names == {"x" * 64, "x" * 56 + " (Clone)", "x" * 54 + " (Clone 2)"}
    clone = Template.objects.get(name="x" * 56 + " (Clone)")
    assert (clone.vpn, clone.tags, clone.default) == (vpn, ["mesh"], False)
    viewer = member(organization, "viewer")
    viewer.post(TEMPLATES, sent, follow=True)
    assert Template.objects.count() == 3
