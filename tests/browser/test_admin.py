import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from controller.configs.models import Config, Template
from controller.configs.rules import devices
from controller.configs.rules.push_results import mark_applied, save_progress
from controller.devices.models import Device
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture
def device(organization: Organization) -> Device:
    factories.template(organization, name="First")
    factories.template(organization, name="Second")
    factories.template(
        None, name="Base", required=True, config=factories.a_file("x\n", "etc/base")
    )
    device = factories.device(
        organization,
        name="ap-1",
        management_ip="10.0.0.1",
        config={"config": {"general": {"hostname": "ap-1"}}},
    )
    factories.connection(device, factories.credentials(organization))
    return device


def test_the_documentation_of_the_api_works_under_the_policy(
    browse: Browse, admin: User
) -> None:
    page = browse(admin).open("/api/v1/docs/")
    page.wait_for_selector(".opblock")


def test_redoc_and_the_browsable_api_ask_nobody_else(
    browse: Browse, admin: User, organization: Organization
) -> None:
    watched = browse(admin)
    page = watched.open("/api/v1/controller/device/")
    page.get_by_role("heading", name="Device List").wait_for()
    assert watched.complaints == []
    page = watched.open("/api/v1/redoc/")
    page.get_by_text("Muster (1)").first.wait_for()
    # An external image in the footer, which the Content Security Policy blocks.
    watched.complaints = [one for one in watched.complaints if "redoc.ly" not in one]


def test_signing_in(browse: Browse, admin: User) -> None:
    page = browse().open("/admin/login/")
    page.fill("[name=username]", admin.email)
    page.fill("[name=password]", "a good password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    expect(page.get_by_text("Welcome to Muster")).to_be_visible()


def test_the_preview_follows_the_form_and_saving_keeps_it(
    browse: Browse, admin: User, device: Device
) -> None:
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    page.click("[data-tab=configuration]")
    page.wait_for_selector(".file-tabs button")
    host = page.get_by_role("textbox", name="hostname")
    expect(host).to_have_value("ap-1")
    host.fill("lobby")
    host.blur()
    expect(page.locator("[data-preview-view]")).to_contain_text("option hostname 'lobby'")
    page.get_by_role("button", name="+ Second").click()
    page.get_by_role("button", name="+ First").click()
    page.get_by_role("button", name="Move First up").click()
    page.get_by_role("button", name="Add variable").click()
    page.get_by_label("Name of the variable").fill("town")
    page.get_by_label("Value of the variable").fill("Bern")
    page.click("[name=_continue]")
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-tab=configuration]")).to_have_attribute("aria-selected", "true")
    config = Config.objects.get(device=device)
    names = [use.template.name for use in config.uses.select_related("template")]
    assert config.config == {"general": {"hostname": "lobby"}}
    assert config.context == {"town": "Bern"}
    assert names == ["Base", "First", "Second"]


def test_json_that_the_form_cannot_show_is_left_alone(
    browse: Browse, admin: User, device: Device
) -> None:
    odd = {"radios": [{"name": "radio0", "odd": {"a": [1, None, "x"]}}], "unknown": {"b": 1.5}}
    Config.objects.filter(device=device).update(config=odd)
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    page.click("[data-tab=configuration]")
    page.wait_for_selector(".config-editor [aria-pressed=true]")
    page.wait_for_timeout(1500)
    assert json.loads(page.input_value("[name=config_config]")) == odd


def test_errors_show_on_the_tab_that_has_them(
    browse: Browse, admin: User, device: Device
) -> None:
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    page.click("[data-tab=settings]")
    page.fill("[name=mac_address]", "nonsense")
    page.click("[data-tab=configuration]")
    page.click("[name=_save]")
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-tab=settings] .tab-errors")).to_have_text("1")
    expect(page.get_by_text("Must be a valid mac address.", exact=True)).to_be_visible()


def test_a_change_of_a_template_says_how_many_devices_it_touches(
    browse: Browse, admin: User, device: Device
) -> None:
    template = Template.objects.get(name="Base")
    page = browse(admin).open(f"/admin/configs/template/{template.pk}/change/")
    expect(page.get_by_text("1 device", exact=True)).to_be_visible()
    page.fill("[name=notes]", "changed")
    page.click("[name=_save]")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Apply to 1 device?")
    page.get_by_role("button", name="Keep editing").click()
    template.refresh_from_db()
    assert template.notes == ""
    page.click("[name=_save]")
    page.get_by_role("button", name="Save and apply to 1 device").click()
    page.wait_for_url("**/admin/configs/template/")
    template.refresh_from_db()
    assert template.notes == "changed"


def test_everything_can_be_reached_with_the_keyboard(
    browse: Browse, admin: User, device: Device
) -> None:
    page = browse(admin).open("/admin/devices/device/")
    page.get_by_role("button", name="Filters", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Apply Filters")).to_be_visible()
    page.keyboard.press("Escape")
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    page.locator("[data-tab=overview]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-panel=configuration]")).to_be_visible()


def test_the_search_box_finds_a_device(browse: Browse, admin: User, device: Device) -> None:
    page = browse(admin).open("/admin/")
    page.keyboard.press("Control+k")
    expect(page.locator("#search-input-command")).to_be_focused()
    page.keyboard.type("ap-1", delay=20)
    page.get_by_role("link", name="ap-1").last.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{device.pk}/change/")


def test_a_token_is_shown_once(browse: Browse, organization: Organization) -> None:
    user = factories.user(organization, "viewer", is_staff=True)
    page = browse(user).open("/admin/accounts/apitoken/add/")
    page.fill("[name=name]", "for a script")
    page.click("[name=_save]")
    token = page.locator("#token").inner_text()
    assert len(token) == 40
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="for a script").click()
    page.wait_for_load_state("networkidle")
    assert token not in page.content()


def test_a_former_configuration_is_compared_and_gone_back_to(
    browse: Browse, admin: User, device: Device
) -> None:
    devices.update_device(device, config={"config": factories.a_file("former\n", "etc/own")})
    config = Config.objects.get(device=device)
    mark_applied(config, config.desired_id)
    save_progress([config])
    devices.update_device(device, config={"config": factories.a_file("newer\n", "etc/own")})
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/#history")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Changes if you go back")).to_be_visible()
    expect(page.locator(".snapshot .cm-deletedChunk")).to_have_text("newer")
    expect(page.locator(".snapshot .cm-changedLine")).to_have_text("former")
    page.get_by_role("button", name="Go back to it").click()
    page.wait_for_load_state("networkidle")
    row = page.locator(".snapshots tr", has_text="Desired")
    expect(row).to_contain_text("On the device")
    assert Config.objects.get(device=device).config == factories.a_file("former\n", "etc/own")


def test_a_change_of_a_template_goes_out_in_waves(
    browse: Browse, admin: User, organization: Organization
) -> None:
    template = factories.template(organization, name="Motd", config=factories.a_file("old\n"))
    for number in range(3):
        factories.device(organization, name=f"ap-{number}", config={"templates": [template]})
    page = browse(admin).open(f"/admin/configs/template/{template.pk}/change/")
    # The editor is made once it is seen.
    page.locator("[data-config-editor]").scroll_into_view_if_needed()
    page.get_by_role("button", name="JSON", exact=True).click()
    page.locator(".cm-content").first.fill(json.dumps(factories.a_file("new\n")))
    page.click("[name=_save]")
    page.get_by_role("button", name="Roll it out in waves").click()
    page.wait_for_url("**/admin/configs/rollout/*/change/")
    expect(page.get_by_text("3 devices looked at")).to_be_visible()
    expect(page.locator(".forecast .cm-changedLine")).to_have_text("new")
    template.refresh_from_db()
    assert template.config == factories.a_file("old\n")
    page.get_by_role("button", name="Start with the first wave").click()
    expect(page.locator(".rollout .badge").first).to_have_text("Running")
    expect(page.locator(".rollout tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".rollout .badge").first).to_have_text("Paused")
    page.get_by_role("button", name="Roll back").click()
    expect(page.locator(".rollout .badge").first).to_have_text("Rolled back")
