"""Devices are added through one page per kind, tested before anything is stored."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from controller.accounts.models import Organization, User
from controller.configs.models import Config, Push, Template
from controller.connections.models import Credentials
from controller.connections.rules.ssh_access import may_get_password
from controller.devices.models import Device
from tests import factories
from tests.fleet.ssh import SshDevice

pytestmark = pytest.mark.django_db
SSH, UCI = "/admin/devices/device/add/ssh/", "/admin/devices/device/add/uci/"
MAC = "02:00:5e:00:07:01"


@pytest.fixture(scope="module")
def host(tmp_path_factory: Any) -> Any:
    with SshDevice(tmp_path_factory.mktemp("host")) as device:
        write(device.root / "sys/class/net/eth0/address", f"{MAC}\n")
        write(device.root / "proc/sys/kernel/hostname", "rossio-till-19\n")
        write(device.root / "etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13"\n')
        yield device


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def typed(host: SshDevice, organization: Organization, **more: str) -> dict[str, str]:
    return {
        "address": host.host, "port": str(host.port), "username": host.username,
        "key": host.private_key, "organization": str(organization.pk), "_add": "",
    } | more  # fmt: skip


def test_a_linux_host_is_added_with_login_name_mac_and_first_push(
    client: Client, admin: User, organization: Organization, host: SshDevice
) -> None:
    client.force_login(admin)
    page = client.post(SSH, typed(host, organization, example="on"))
    assert page.status_code == 302, page.context["form"].errors
    device = Device.objects.get()
    assert (device.name, device.mac_address, device.os) == (
        "rossio-till-19", MAC.upper(), "Debian GNU/Linux 13",
    )  # fmt: skip
    connection = device.connections.get()
    assert (connection.host_key, connection.update_strategy) == (host.host_key, "linux-files")
    assert may_get_password(connection)
    assert connection.credentials.params["username"] == host.username
    assert [one.name for one in device.config.templates.all()] == ["Welcome message"]
    assert Push.objects.get().state == "queued"
    shown = client.get(page["Location"]).content.decode()
    assert "Configuration prepared" in shown
    assert " files<" in shown


def test_a_test_stores_nothing(
    client: Client, admin: User, organization: Organization, host: SshDevice
) -> None:
    client.force_login(admin)
    sent = {k: v for k, v in typed(host, organization).items() if k != "_add"}
    page = client.post(SSH, sent | {"_test": ""})
    shown = page.content.decode()
    assert "Passed" in shown
    assert "rossio-till-19, Debian GNU/Linux 13" in shown
    assert not Device.objects.exists()
    assert not Credentials.objects.exists()
    assert host.private_key.splitlines()[1] not in page.headers.get("Location", "")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"port": "1"}, "connection refused"),
        ({"username": "nobody-there"}, "refused the login"),
        ({"key": "no key"}, "The private key cannot be read"),
        ({"username": "", "key": ""}, "Choose credentials, or enter a user name"),
        ({"address": "256.1.1.1"}, "valid IPv4 or IPv6"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(
    client: Client, admin: User, organization: Organization, host: SshDevice,
    changed: dict[str, str], reason: str,
) -> None:  # fmt: skip
    client.force_login(admin)
    page = client.post(SSH, typed(host, organization, **changed))
    assert (page.status_code, reason in page.content.decode()) == (200, True)
    assert not Device.objects.exists()
    assert not Credentials.objects.exists()


def test_a_linux_host_is_no_openwrt(
    client: Client, admin: User, organization: Organization, host: SshDevice
) -> None:
    client.force_login(admin)
    page = client.post(UCI, typed(host, organization)).content.decode()
    assert "does not run OpenWrt" in page
    assert "Choose “Linux host over SSH”" in page


def test_a_device_is_added_without_a_connection_on_request(
    client: Client, admin: User, organization: Organization, host: SshDevice
) -> None:
    client.force_login(admin)
    sent = typed(host, organization, port="1", name="later", mac_address=MAC)
    page = client.post(SSH, sent | {"_untested": ""})
    assert page.status_code == 302
    assert Device.objects.get().connections.get().host_key == ""


def test_a_device_without_mac_address_asks_for_it(
    client: Client, admin: User, organization: Organization, host: SshDevice
) -> None:
    client.force_login(admin)
    page = client.post(SSH, typed(host, organization, port="1") | {"_untested": ""})
    assert "Enter the one of its primary interface" in page.content.decode()
    assert not Credentials.objects.exists()


def test_an_operator_offers_no_stored_password_to_a_new_address(
    client: Client, organization: Organization, host: SshDevice
) -> None:
    stored = factories.credentials(
        organization, params={"username": "root", "password": "a secret"}
    )
    client.force_login(factories.user(organization, "operator", is_staff=True))
    sent = typed(host, organization, username="", key="", credentials=str(stored.pk))
    page = client.post(SSH, sent)
    assert "may not offer a stored password" in page.content.decode()
    assert "password" not in host.log
    assert not Device.objects.exists()


def test_stored_credentials_and_templates_are_used(
    client: Client, admin: User, organization: Organization, host: SshDevice
) -> None:
    stored = factories.credentials(
        organization, params={"username": host.username, "key": host.private_key}
    )
    template = factories.template(organization, name="Motd")
    client.force_login(admin)
    first = client.get(SSH).context["form"]
    assert first["credentials"].value() == stored.pk
    sent = typed(host, organization, username="", key="", credentials=str(stored.pk))
    page = client.post(SSH, sent | {"templates": [str(template.pk)]})
    assert page.status_code == 302, page.context["form"].errors
    assert Credentials.objects.get() == stored
    assert Config.objects.get().templates.get() == template
    assert not Template.objects.filter(name="Welcome message").exists()


def test_viewers_open_no_page_of_the_flow(client: Client, organization: Organization) -> None:
    client.force_login(factories.user(organization, "viewer", is_staff=True))
    for url in (SSH, UCI, "/admin/devices/device/add/agent/", "/admin/devices/device/add/"):
        assert client.get(url).status_code == 403, url


def test_the_agent_page_shows_command_and_who_arrived(
    client: Client, admin: User, organization: Organization
) -> None:
    client.force_login(admin)
    page = client.get("/admin/devices/device/add/agent/")
    shown = page.content.decode()
    assert factories.shared_secret(organization) in shown
    assert "no-store" in page["Cache-Control"]
    since = {"since": page.context["since"]}
    arrived = "/admin/devices/device/add/agent/arrived/"
    assert "No device has registered" in client.get(arrived, since).content.decode()
    factories.device(organization, name="fresh")
    assert "fresh" in client.get(arrived, since).content.decode()
    assert client.get(arrived, {"since": "nonsense"}).status_code == 200
