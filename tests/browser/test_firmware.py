"""Firmware in the admin: upload, rollout, progress, and the tab of a device."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from controller.accounts.models import Organization
from controller.firmware.models import Upgrade
from controller.firmware.rules import rollouts
from tests import factories
from tests.firmware import fleet
from tests.firmware.images import image

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


DARK = "dark => document.documentElement.classList.toggle('dark', dark)"


def picture(page: Page, name: str) -> None:
    """Take pictures, wide and narrow, light and dark; check that nothing spills on a phone."""
    folder, size = os.environ.get("MUSTER_PICTURES"), page.viewport_size
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width + 1, name
        for is_dark in (False, True) if folder else ():
            page.evaluate(DARK, is_dark)
            scheme = "dark" if is_dark else "light"
            path = f"{folder}/firmware-{name}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=True)
        page.evaluate(DARK, False)
    if size:
        page.set_viewport_size(size)


def test_an_image_is_uploaded_and_rolled_out(
    browse: Callable[..., Any], organization: Organization, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    build = fleet.build(organization)
    fleet.device(organization, name="roof")
    fleet.device(organization, "example,other", name="cellar")
    owner = factories.user(organization, "admin", is_staff=True)
    page = browse(owner).open(f"/admin/firmware/build/{build.pk}/change/")
    page.get_by_role("link", name="Upload an image").click()
    page.set_input_files(
        "[name=file]",
        {"name": "x-sysupgrade.bin", "mimeType": "application/octet-stream", "buffer": image()},
    )
    page.click("[name=_continue]")
    expect(page.get_by_text("ath79/generic")).to_be_visible()
    expect(page.get_by_role("link", name="roof")).to_be_visible()
    picture(page, "image")
    page.goto(page.url.partition("/admin/")[0] + f"/admin/firmware/build/{build.pk}/change/")
    picture(page, "build")
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_text("The build has no image for example,other.")).to_be_visible()
    picture(page, "matches")
    page.get_by_role("link", name="Back to the build").click()
    page.get_by_role("link", name="Roll out").click()
    page.check("[name=upgrade_all]")
    page.click("[name=_continue]")
    expect(page.get_by_text("1 device will be upgraded")).to_be_visible()
    picture(page, "draft")
    page.get_by_role("button", name="Start with the first wave").click()
    expect(page.get_by_text("Running").first).to_be_visible()
    picture(page, "rollout")
    page.get_by_role("link", name="x-sysupgrade.bin").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled by a user.").first).to_be_visible()
    picture(page, "upgrade")


def test_a_device_is_upgraded_on_its_page(
    browse: Callable[..., Any], organization: Organization, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    fleet.add_image(fleet.build(organization))
    device = fleet.device(organization, name="roof")
    device.firmware_system.read_at = timezone.now()  # type: ignore[attr-defined]
    device.firmware_system.save()  # type: ignore[attr-defined]
    owner = factories.user(organization, "admin", is_staff=True)
    page = browse(owner).open(f"/admin/devices/device/{device.pk}/change/")
    page.get_by_role("tab", name="Firmware").click()
    expect(page.get_by_text("example,router-v1")).to_be_visible()
    picture(page, "tab")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Upgrade").click()
    page.get_by_role("tab", name="Firmware").click()
    expect(page.get_by_text("An upgrade is under way.")).to_be_visible()
    assert Upgrade.objects.filter(state="queued").count() == 1


def test_a_halted_rollout_says_what_needs_a_person(
    browse: Callable[..., Any], organization: Organization, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    build = fleet.build(organization)
    fleet.add_image(build)
    for number in range(6):
        fleet.device(organization, name=f"ap-{number}")
    row = rollouts.start(rollouts.create_rollout(build, upgrade_all=True, waves=["4", "100%"]))
    first, second, third, _ = Upgrade.objects.filter(state="queued")
    now = timezone.now()
    for upgrade, values in (
        (first, {"state": "confirmed", "sent": now}),
        (second, {"state": "aborted", "reason": "The device has too little memory."}),
        (third, {"state": "unknown", "sent": now, "reason": "Not seen since the flash."}),
    ):
        Upgrade.objects.filter(pk=upgrade.pk).update(ended=now, **values)
    rollouts.advance(row.pk)
    owner = factories.user(organization, "admin", is_staff=True)
    page = browse(owner).open(f"/admin/firmware/firmwarerollout/{row.pk}/change/")
    expect(page.get_by_text("Needs attention 2")).to_be_visible()
    expect(page.get_by_text("Not seen since the flash.")).to_be_visible()
    picture(page, "halted")
    page.get_by_role("button", name="Retry 1 device").click()
    expect(page.get_by_text("Halted").first).to_be_visible()
    assert Upgrade.objects.filter(rollout=None, state="queued").count() == 1
    page.goto(page.url.partition("/admin/")[0] + f"/admin/firmware/upgrade/{third.pk}/change/")
    expect(page.get_by_role("button", name="The device was replaced")).to_be_visible()
    picture(page, "unknown")
    page.goto(page.url.partition("/admin/")[0] + "/admin/firmware/firmwarepolicy/add/")
    picture(page, "policy")


def test_hosts_are_updated_by_clicks(
    browse: Callable[..., Any], organization: Organization
) -> None:
    host = factories.device(organization, management_ip="127.0.0.1", name="server")
    factories.connection(
        host, factories.credentials(organization), port=9, update_strategy="linux-files"
    )
    owner = factories.user(organization, "admin", is_staff=True)
    page = browse(owner).open("/admin/firmware/firmwarerollout/")
    page.get_by_role("link", name="Update Debian hosts").click()
    page.select_option("[name=packages]", "security")
    picture(page, "packages-form")
    page.click("[name=_continue]")
    expect(page.get_by_text("1 device will be upgraded")).to_be_visible()
    page.get_by_role("button", name="Start with the first wave").click()
    expect(page.get_by_text("Security updates").first).to_be_visible()
    picture(page, "packages")
    page.get_by_role("button", name="Stop").click()
    page.goto(page.url.partition("/admin/")[0] + "/admin/firmware/firmwarerollout/all/")
    expect(page.get_by_role("link", name="Security updates")).to_be_visible()
    picture(page, "all")
    page.goto(page.url.partition("/admin/")[0] + f"/admin/devices/device/{host.pk}/change/")
    page.get_by_role("tab", name="Firmware").click()
    picture(page, "packages-tab")
    page.get_by_role("button", name="Update", exact=True).click()
    page.get_by_role("tab", name="Firmware").click()
    expect(page.get_by_text("An upgrade is under way.")).to_be_visible()
    assert Upgrade.objects.filter(state="queued", packages="security").count() == 1
