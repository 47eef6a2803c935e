"""Ten tasks as a new person does them: only clicks on what is shown, and few of them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from controller.accounts.models import ApiKey, Organization, User
from controller.accounts.rules.sites import create_site
from controller.configs.models import Config, Snapshot, Template
from controller.configs.rules import bulk_operations, push_worker
from controller.configs.rules.devices import update_device
from controller.configs.rules.push_results import mark_applied
from controller.devices.models import Device, Presence
from controller.devices.rules import Observation, record_observations
from geo.management.commands.demo_places import drawn
from geo.models import DeviceLocation
from networks import tasks
from tests import factories
from tests.browser.people import KeyboardPerson, Person
from tests.fleet.opnsense import opnsense
from tests.fleet.ssh import SshDevice
from tests.networks.applying import work_off

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture(params=[Person, KeyboardPerson], ids=["mouse", "keyboard"])
def somebody(request: Any, browse: Browse, admin: User) -> Callable[[], Person]:
    """Return a function that opens the portal for a person with a mouse, or with a keyboard alone."""
    return lambda: request.param(browse(admin))


def run_worker(work: Callable[[], Any]) -> None:
    """Run a worker's task in a thread, because Playwright's event loop runs in this one."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshDevice]:
    with SshDevice(tmp_path) as device:
        for path, text in (
            ("sys/class/net/eth0/address", "02:00:5e:00:07:01\n"),
            ("proc/sys/kernel/hostname", "rossio-till-19\n"),
            ("etc/motd", "old\n"),
        ):
            (device.root / path).parent.mkdir(parents=True, exist_ok=True)
            (device.root / path).write_text(text)
        yield device


def test_1_a_device_is_added_by_ssh_in_six_clicks_and_gets_its_first_configuration(
    somebody: Callable[[], Person], organization: Organization, host: SshDevice
) -> None:
    person = somebody()
    person.sees("Four steps to the first applied configuration.")
    person.picture("1-empty")
    person.click("Add a device")
    person.do(person.page.get_by_role("link", name="Linux host over SSH"))
    person.fill("Address", host.host)
    person.fill("Port", str(host.port))
    person.fill("User name", host.username)
    person.fill("Private key", host.private_key)
    person.picture("1-form")
    person.click("Apply an example: a welcome message in /etc/motd", "checkbox")
    person.press("Add device")
    person.sees("Configuration prepared")
    run_worker(push_worker.deliver)
    person.sees("The device has its configuration.")
    person.picture("1-applied")
    assert "Welcome to rossio-till-19" in (host.root / "etc/motd").read_text()
    assert person.clicks <= 5


def test_2_a_template_made_in_the_editor_reaches_three_devices_in_eight_clicks(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    for number in range(3):
        factories.device(organization, name=f"ap-{number}", config={})
    person = somebody()
    person.menu("Templates")
    person.click("Add template", within="body")
    person.fill("Name", "Time")
    person.press("+ NTP Settings")
    person.fill("NTP server 1", "ntp.example.net")
    person.picture("2-editor")
    person.press("Save and assign to devices")
    person.click("All", "checkbox")
    person.press("Preview")
    person.picture("2-draft")
    person.press("Add a template: 3 devices")
    expect(person.page.get_by_role("button", name="Add a template: 3 devices")).to_have_count(0)
    run_worker(bulk_operations.run_due)
    person.sees("3 of 3")
    assert Template.objects.get().config["ntp"]["server"][0] == "ntp.example.net"
    assert Config.objects.filter(templates__name="Time").count() == 3
    assert person.clicks <= 8


def test_3_the_reason_of_an_error_is_one_click_away(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    device = factories.device(organization, name="ap-1", config={}, management_ip="127.0.0.1")
    reason = "127.0.0.1:1 cannot be reached: connection refused."
    record_observations([Observation(device.pk, Presence.State.OFFLINE, reason)])
    person = somebody()
    person.sees(reason)
    person.click("ap-1")
    expect(person.page.locator("#status")).to_contain_text(f"Offline: {reason}")
    assert person.clicks <= 1


def test_4_an_earlier_configuration_comes_back_in_five_clicks(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    device = factories.device(organization, name="ap-1", config={"config": host_name("old")})
    acknowledge(device)
    update_device(device, config={"config": host_name("new")})
    acknowledge(device)
    person = somebody()
    person.menu("Devices")
    person.open("ap-1")
    person.click("History", "tab")
    person.do(person.page.get_by_role("button", name="Compare").last)
    expect(person.page.locator(".snapshot .cm-content")).to_contain_text("old")
    person.picture("4-compare")
    person.press("Go back to it")
    person.sees("The earlier configuration is restored")
    assert Config.objects.get(device=device).config == host_name("old")
    assert person.clicks <= 5


def host_name(name: str) -> dict[str, Any]:
    return {"general": {"hostname": name}}


def acknowledge(device: Device) -> None:
    config = Config.objects.get(device=device)
    mark_applied(config, config.desired_id)
    config.save()
    Snapshot.objects.filter(pk=config.desired_id).update(acknowledged=timezone.now())


def test_5_a_certificate_is_issued_and_downloaded_in_eight_clicks(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    person = somebody()
    person.menu("Certificate authorities")
    person.click("Add certificate authority", within="body")
    person.fill("Name", "Branches")
    person.press("Save")
    person.menu("Certificates")
    person.click("Add certificate", within="body")
    person.fill("Name", "till-19")
    person.press("Save")
    person.open("till-19")
    with person.page.expect_download() as download:
        person.click("Download certificate")
    assert download.value.suggested_filename
    assert person.clicks <= 8


def test_6_a_device_is_put_on_a_floor_plan_in_three_clicks(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    location = factories.location(organization, name="Lima")
    plan = factories.floor_plan(location, 0, image=drawn())
    device = factories.placed(location, name="lima-gateway")
    person = somebody()
    person.menu("Floor plans")
    person.open("Lima")
    person.press("Place: lima-gateway")
    expect(person.page.get_by_role("button", name="Place: lima-gateway")).to_have_count(0)
    person.picture("6-placed")
    assert DeviceLocation.objects.get(device=device).floor_plan == plan
    assert person.clicks <= 3


def test_7_a_network_with_two_devices_takes_six_clicks(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    for name in ("camera", "server"):
        factories.device(organization, name=name, config={})
    person = somebody()
    person.menu("Overlay networks")
    person.click("Add overlay network", within="body")
    person.fill("Name", "Robots")
    person.press("Save")
    person.open("Robots")
    for name in ("camera", "server"):
        person.page.select_option("[name=device]", label=name)
        form = person.page.locator("form", has=person.page.locator("[name=device]"))
        person.do(form.get_by_role("button"))
        expect(person.page.locator(".mesh text", has_text=name)).to_be_visible()
    person.picture("7-network")
    assert person.clicks <= 6


def test_8_a_gateway_change_is_staged_reviewed_and_applied_in_five_clicks(
    somebody: Callable[[], Person], organization: Organization, settings: Any
) -> None:
    settings.ADAPTER_READ_ONLY, settings.MUSTER_LOCAL_GATEWAYS = False, True
    with opnsense() as device:
        factories.gateway(organization, device.url, name="Oslo firewall")
        tasks.poll_gateways()
        person = somebody()
        person.menu("Gateways")
        person.open("Oslo firewall")
        person.write(person.page.get_by_label("Search features"), "static route")
        person.press("Add static route")
        person.write(person.page.locator("[name='payload.network']"), "10.9.0.0/16")
        person.write(person.page.locator("[name='payload.gateway']"), "WAN_GW")
        person.press("Stage change")
        person.picture("8-review")
        person.press("Apply to the live gateway")
        expect(person.page.locator(".strip .badge", has_text="Scheduled")).to_be_visible()
        work_off()
        expect(person.page.locator(".strip .badge", has_text="Applied")).to_be_visible()
        assert len(device.rows["routes/routes"]) == 1
    assert person.clicks <= 5


def test_9_a_terminal_is_four_clicks_away(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    device = factories.device(organization, name="ap-1", config={}, management_ip="127.0.0.1")
    factories.connection(device, factories.credentials(organization))
    person = somebody()
    person.menu("Devices")
    person.open("ap-1")
    person.click("Terminal", "tab")
    # tests/live/test_terminal.py types in one; it needs a server with WebSockets.
    expect(person.page.get_by_role("link", name="Open a terminal")).to_be_visible()
    assert person.clicks <= 3


def test_10_a_read_only_person_for_one_site_with_a_key_takes_six_clicks(
    somebody: Callable[[], Person], organization: Organization
) -> None:
    for name in ("Porto", "Rossio"):
        create_site(organization=organization, name=name, slug=name.lower())
    person = somebody()
    person.menu("Users")
    person.click("Invite a person", within="body")
    person.fill("E-mail address", "rita@example.net")
    person.click("Rossio", "checkbox")
    person.click("Create an API key", "checkbox")
    person.picture("10-form")
    person.press("Invite")
    person.sees("rita@example.net is invited")
    person.picture("10-invited")
    reader = User.objects.get(email="rita@example.net")
    assert (reader.is_staff, ApiKey.objects.get().user) == (True, reader)
    member = reader.memberships.get()
    assert [str(one.site) for one in member.grants.all()] == ["Rossio"]
    assert person.clicks <= 6
