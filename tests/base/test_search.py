"""Global search by name, address or serial number, limited to visible rows."""

import pytest
from django.test import Client

from controller.accounts.models import Organization
from networks.gateways.models import Change
from networks.ipam.rules.addresses import add_address
from tests import factories

pytestmark = pytest.mark.django_db


def found(client: Client, term: str) -> str:
    return client.get("/admin/search/", {"s": term, "extended": "1"}).content.decode()


@pytest.fixture
def client(organization: Organization) -> Client:
    client = Client()
    client.force_login(factories.user(organization, "org_admin", is_staff=True))
    return client


def test_devices_are_found_by_each_of_their_names(
    client: Client, organization: Organization
) -> None:
    factories.device(
        organization, name="harbor-ap", mac_address="02:00:00:00:AB:CD", hardware_id="SN-4711",
        management_ip="10.9.8.7",
    )  # fmt: skip
    foreign = factories.device(factories.organization(), name="harbor-foreign")
    for term in ("harbor", "00:ab:cd", "SN-47", "10.9.8.7"):
        text = found(client, term)
        assert "harbor-ap" in text
        assert foreign.name not in text


def test_everything_else_is_found_too(client: Client, organization: Organization) -> None:
    factories.gateway(organization, name="quay gateway")
    factories.location(organization, name="quay location")
    factories.group(organization, name="quay group")
    factories.template(organization, name="quay template")
    factories.credentials(organization, name="quay credentials")
    cert = factories.cert(
        factories.ca(organization, name="quay authority"), name="quay certificate"
    )
    subnet = factories.subnet(organization, "10.7.0.0/24", name="quay subnet")
    add_address(subnet=subnet, ip_address="10.7.0.9")
    text = found(client, "quay")
    for kind in (
        "gateway", "location", "group", "template", "credentials", "authority", "certificate",
        "subnet",
    ):  # fmt: skip
        assert f"quay {kind}" in text
    assert "10.7.0.9" in found(client, "10.7.0.9")
    assert "quay certificate" in found(client, str(cert.serial_number))


def test_an_empty_list_tells_what_to_do(client: Client) -> None:
    text = client.get("/admin/networks/gateway/").content.decode()
    assert "staged and reviewed before they are applied" in text
    assert "No matches" in client.get("/admin/networks/gateway/?q=x").content.decode()


def test_the_dashboard_tells_what_waits_for_approval(
    client: Client, organization: Organization
) -> None:

    factories.device(organization)
    assert "Pending approval" not in client.get("/admin/").content.decode()
    Change.objects.create(
        gateway=factories.gateway(organization), feature="opnsense.firewall.alias",
        operation="create", state="pending",
    )  # fmt: skip
    assert "Pending approval" in client.get("/admin/").content.decode()


def test_far_pages_show_the_right_devices(client: Client, organization: Organization) -> None:
    for number in range(53):
        factories.device(organization, name=f"ap-{number:02}")
    text = client.get("/admin/devices/device/?p=2").content.decode()
    assert "ap-52" in text
    assert "ap-49" not in text
    assert "ap-50" in client.get("/admin/devices/device/?q=ap-5&p=1").content.decode()
