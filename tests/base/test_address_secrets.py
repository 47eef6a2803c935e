"""Secrets do not follow an address: every model that has both, and every rule that writes them."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.apps import apps

from controller.accounts.models import Organization, User
from controller.base.errors import Refused
from controller.base.secrets import (
    EncryptedBytesField,
    EncryptedJSONField,
    EncryptedTextField,
)
from controller.connections import rules as connections
from controller.connections.models import Credentials, DeviceConnection
from controller.connections.rules.device_approval import approve
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Device
from controller.devices.rules import ClaimRefused, change_device, claim_management_ip
from controller.notifications.models import Webhook
from controller.notifications.rules import webhooks
from controller.vpn.models import Vpn
from controller.vpn.rules import servers
from networks.gateways.models import Gateway
from networks.gateways.rules import gateways
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules import supervisors
from tests import factories

pytestmark = pytest.mark.django_db
ENCRYPTED = (EncryptedTextField, EncryptedJSONField, EncryptedBytesField)
KEY = "0123456789abcdef"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdlVfwTsjGs3oXMtTmFs0JHDJk2RrWEr6mRZ8HdCEj7"

# Secrets that are sent to no address that somebody can change, and why.
STAY_HERE = {
    "accounts.Version": "a version is restored with the address it had",
    "accounts.Authenticator": "is compared here",
    "accounts.Session": "is a key of the portal's own table of sessions",
    "configs.Snapshot": "is fetched by the device, with its own key",
    "connections.Command": "goes to the device by its connection",
    "connections.Credentials": "params: see the test of connections",
    "devices.Device": "what the device signs in with here",
    "devices.OrganizationSettings": "what devices register with here",
    "firmware.ConfigurationBackup": "is shown here",
    "discovery.Scan": "is the scan's own, which is never changed",
    "networks.Change": "goes to the gateway",
    "networks.StoredConfiguration": "goes back to its gateway, when somebody restores it",
    "networks.JoinCode": "what devices join with here",
    "networks.Node": "is fetched by the device",
    "pki.Ca": "signs here",
    "pki.Cert": "is fetched by its owner",
    "supervisor_proxy.StoredBackup": "opens a backup that is kept here",
    "supervisor_proxy.BackupPlan": "opens a backup that is kept here",
    "supervisor_proxy.IngressSession": "is deleted when its supervisor moves",
    "connections.TerminalPart": "is shown here",
    "supervisor_proxy.SupervisorCall": "goes to its supervisor",
    "supervisor_proxy.RememberedAnswer": "is compared here",
    "vpn.VpnClient": "is fetched by the device",
}


def test_every_model_with_a_secret_says_whether_it_goes_to_an_address() -> None:
    found = {
        model._meta.label
        for model in apps.get_models()
        if any(isinstance(field, ENCRYPTED) for field in model._meta.get_fields())
        and not hasattr(model, "address_secrets")
    }
    assert found == set(STAY_HERE)


@pytest.fixture
def gateway(organization: Organization) -> Gateway:
    return gateways.create_gateway(
        organization=organization, name="gw", url="https://192.168.1.1", key=KEY, secret="s3cret",
    )  # fmt: skip


@pytest.fixture
def webhook(organization: Organization) -> Webhook:
    return webhooks.create_webhook(
        organization=organization, name="hook", url="https://hooks.example.org/a"
    )


@pytest.fixture
def supervisor(organization: Organization, settings: Any) -> Supervisor:
    settings.MUSTER_SUPERVISOR_NETWORKS = ["private"]
    return supervisors.add_supervisor(
        device=factories.device(organization), address="10.0.0.1", port=48484, key=KEY
    )


@pytest.fixture
def vpn(organization: Organization) -> Vpn:
    return factories.openvpn(
        organization, webhook_endpoint="https://vpn.example.org/hook", auth_token="t0ken"
    )


WRITERS: dict[str, tuple[Callable[..., Any], tuple[str, ...], list[dict[str, Any]], dict[str, Any]]] = {
    "gateway": (
        gateways.update_gateway,
        ("key", "secret"),
        [
            {"url": "https://192.168.1.2"},
            {"url": "https://192.168.1.1:8443"},
            {"ca_certificate": "-----BEGIN CERTIFICATE-----"},
            {"fingerprint": "ab" * 32},
        ],
        {"url": "https://192.168.1.1/other/path", "name": "renamed"},
    ),
    "webhook": (
        webhooks.update_webhook,
        ("secret",),
        [{"url": "https://other.example.org/a"}, {"url": "https://hooks.example.org:8443/a"}],
        {"url": "https://hooks.example.org/b"},
    ),
    "supervisor": (
        supervisors.update_supervisor,
        ("key",),
        [{"address": "10.0.0.2"}, {"port": 48485}],
        {"version": "14.0.0"},
    ),
    "vpn": (
        servers.update_vpn,
        ("auth_token",),
        [
            {"webhook_endpoint": "https://other.example.org/hook"},
            {"webhook_endpoint": "http://vpn.example.org/hook"},
        ],
        {"host": "renamed.example.org", "webhook_endpoint": "https://vpn.example.org/other"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
def test_a_secret_is_cleared_when_the_address_changes(
    kind: str, request: pytest.FixtureRequest
) -> None:
    row = request.getfixturevalue(kind)
    update, secrets, moves, stays = WRITERS[kind]
    before = {name: getattr(row, name) for name in secrets}
    update(row, **stays)
    row.refresh_from_db()
    assert {name: getattr(row, name) for name in secrets} == before
    for move in moves:
        stored = {name: getattr(row, name) for name in move}
        # A row that cannot do without its secret stays where it is.
        with suppress(Refused):
            update(type(row).objects.get(pk=row.pk), **move)
        row.refresh_from_db()
        if all(getattr(row, name) == value for name, value in stored.items()):
            continue
        assert not set(before.values()) & {getattr(row, name) for name in secrets}
        update(type(row).objects.get(pk=row.pk), **stored, **before)
        row.refresh_from_db()
        assert {name: getattr(row, name) for name in secrets} == before


def test_a_mask_is_no_secret_that_was_sent_again(webhook: Webhook) -> None:
    secret = webhook.secret
    webhooks.update_webhook(webhook, url="https://other.example.org", secret="••••••••")
    assert webhook.secret != secret


@pytest.fixture
def way(organization: Organization) -> DeviceConnection:
    device = factories.device(organization, management_ip="10.0.0.1")
    credentials = connections.create_credentials(
        organization=organization, name="ssh", connector=Credentials.Connector.SSH,
        params={"username": "root", "password": "OrgWide!"},
    )  # fmt: skip
    return connections.connect(device, credentials=credentials)


def offered(way: DeviceConnection) -> str | None:
    found = DeviceConnection.objects.select_related("device", "credentials").get(pk=way.pk)
    try:
        return ssh_target(found).login.password
    except Refused as refusal:
        if refusal.code != "not_approved":
            raise
        return None


def test_a_password_goes_to_the_pinned_key_wherever_that_is(way: DeviceConnection) -> None:
    assert offered(way) == "OrgWide!"
    connections.record_attempts({way.pk: ("", HOST_KEY)})
    change_device(way.device, management_ip="10.0.0.2")
    assert offered(way) == "OrgWide!"


@pytest.mark.parametrize("move", ["address", "port", "host key emptied", "host key replaced"])
def test_a_password_is_not_offered_elsewhere_until_somebody_approves(
    way: DeviceConnection, move: str
) -> None:
    if "host key" in move:
        connections.record_attempts({way.pk: ("", HOST_KEY)})
    fresh = DeviceConnection.objects.get(pk=way.pk)
    if move == "address":
        change_device(way.device, management_ip="10.0.0.2")
    elif move == "port":
        connections.update_connection(fresh, port=2222)
    elif move == "host key emptied":
        connections.update_connection(fresh, host_key="")
    else:
        other = "ssh-ed25519 " + "AAAAC3NzaC1lZDI1NTE5AAAAI" + "B" * 43
        connections.update_connection(fresh, host_key=other)
    assert offered(way) is None
    approve(Device.objects.get(pk=way.device_id))
    assert offered(way) == "OrgWide!"


@pytest.mark.parametrize("address", ["127.0.0.66", "169.254.169.254", "8.8.8.8"])
def test_a_device_that_registers_itself_gets_no_password_and_claims_no_foreign_address(
    organization: Organization, address: str, settings: Any, client: Any
) -> None:
    settings.MUSTER_MANAGEMENT_NETWORKS = ["private"]
    connections.create_credentials(
        organization=organization, name="ssh", connector=Credentials.Connector.SSH,
        params={"username": "root", "password": "OrgWide!"}, auto_add=True,
    )  # fmt: skip
    told = {
        "secret": factories.shared_secret(organization), "name": "rogue",
        "mac_address": "02:00:00:00:66:66", "backend": "netjsonconfig.OpenWrt",
    }  # fmt: skip
    refused = client.post("/controller/register/", told | {"management_ip": address})
    assert refused.status_code == 400
    assert "management address" in refused.content.decode()
    assert not Device.objects.exists()
    taken = client.post("/controller/register/", told | {"management_ip": "10.6.6.6"})
    assert taken.status_code == 201
    assert offered(DeviceConnection.objects.get()) is None
    device = Device.objects.get()
    url = f"/controller/checksum/{device.pk}/?key={device.key}&management_ip="
    assert client.get(f"{url}{address}").status_code == 200
    device.refresh_from_db()
    assert device.management_ip is None
    approve(device)
    client.get(f"{url}10.6.6.7")
    assert offered(DeviceConnection.objects.get()) is None


def test_an_organization_names_where_its_devices_are(
    organization: Organization, api: Any, admin: User
) -> None:
    url = f"/api/v1/controller/organization/{organization.pk}/settings/"
    wrong = api(admin).patch(url, {"management_networks": ["intranet"]}, format="json")
    assert wrong.status_code == 400
    assert api(admin).patch(url, {"management_networks": ["10.8.0.0/16"]}, format="json").data[
        "management_networks"
    ] == ["10.8.0.0/16"]
    device = factories.device(organization)
    claim_management_ip(device, "10.8.1.1")
    with pytest.raises(ClaimRefused):
        claim_management_ip(device, "10.9.1.1")


def test_a_key_is_offered_without_approval_and_its_pin_is_none_for_passwords(
    way: DeviceConnection,
) -> None:
    way.credentials.params = {"username": "root", "key": "PEM", "password": "OrgWide!"}
    way.credentials.save()
    Device.objects.filter(pk=way.device_id).update(is_approved=False)
    assert offered(way) is None
    connections.record_attempts({way.pk: ("", HOST_KEY)})
    assert offered(way) is None


@pytest.mark.parametrize(
    "line",
    ["garbage", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA", "ssh-rsa " + HOST_KEY.split()[1]],
)  # fmt: skip
def test_what_is_no_host_key_is_refused_when_it_is_written(
    way: DeviceConnection, line: str
) -> None:
    with pytest.raises(Refused) as refusal:
        connections.update_connection(way, host_key=line)
    assert "host_key" in refusal.value.by_field
    connections.update_connection(way, host_key=f"{HOST_KEY} root@router")
    assert way.host_key == HOST_KEY


def test_who_may_approve_keeps_the_approval_by_changing_the_device(
    way: DeviceConnection, api: Any
) -> None:
    owner = factories.user(way.device.organization, role="org_admin")
    operator = factories.user(way.device.organization, role="operator")
    url = f"/api/v1/controller/device/{way.device_id}/"
    moved = {"management_ip": "10.0.0.3"}
    assert api(owner).patch(url, moved, format="json").status_code == 200
    assert offered(way) == "OrgWide!"
    moved = {"management_ip": "10.0.0.4"}
    assert api(operator).patch(url, moved, format="json").status_code == 200
    assert offered(way) is None
    # Another change by the owner is no approval.
    assert api(owner).patch(url, {"notes": "seen"}, format="json").status_code == 200
    assert offered(way) is None
    assert api(operator).post(f"{url}approve/").status_code == 403
    assert api(owner).post(f"{url}approve/").status_code == 200
    assert offered(way) == "OrgWide!"


def test_a_device_is_approved_on_its_page(
    way: DeviceConnection, client: Any, admin: User
) -> None:
    Device.objects.filter(pk=way.device_id).update(is_approved=False)
    client.force_login(admin)
    url = f"/admin/devices/device/{way.device_id}/approve/"
    assert "10.0.0.1" in client.get(url).content.decode()
    assert offered(way) is None
    assert client.post(url, {"confirmed": "1"}).status_code == 302
    assert offered(way) == "OrgWide!"
