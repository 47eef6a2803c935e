"""Pages of snapshot diffs, enrollment requests, and previews of moves."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization
from controller.configs.models import Config
from controller.configs.rules import devices, organization_settings, templates
from controller.devices.models import Device, Enrollment
from controller.devices.rules import settings_of
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DEVICES = "/admin/devices/device/"


def shot(page: Any, name: str) -> None:
    """Save a screenshot to the folder named in the environment."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name).first.click()
    page.wait_for_load_state("networkidle")


@pytest.fixture
def rooftops() -> Organization:
    organization = factories.organization("Rooftops")
    organization_settings.update_settings(
        settings_of(organization), context={"country": "Italy"}
    )
    return organization


@pytest.fixture
def device(rooftops: Organization) -> Device:
    """Return a device with a file changed on the device (drift)."""
    row = factories.device(
        rooftops, name="roof", group=factories.group(rooftops, name="roofs"),
        config={"templates": [factories.template(rooftops, name="hello")]},
        management_ip="127.0.0.1",
    )  # fmt: skip
    factories.connection(row, factories.credentials(rooftops, name="our key"))
    config = Config.objects.get()
    config.applied, config.drift, config.drifted_at = (
        config.desired, ["etc/motd"], timezone.now(),
    )  # fmt: skip
    config.drift_reason = "Changed on the device since: etc/motd."
    config.save()
    return row


@pytest.mark.parametrize("width", [1440, 390])
def test_a_version_is_compared_and_gone_back_to(
    browse: Callable[..., Any], rooftops: Organization, width: int
) -> None:
    template = factories.template(rooftops, name="motd", config=factories.a_file("one\ntwo\n"))
    templates.update_template(
        template, config=factories.a_file("one\nthree\n"), notes="new words"
    )
    page = browse(factories.superuser(), width=width).open(
        f"/admin/configs/template/{template.pk}/versions/"
    )
    shot(page, f"versions-{width}")
    page.get_by_role("link", name="Compare").last.click()
    page.wait_for_load_state("networkidle")
    # Only one of the file's two lines differs, and the notes.
    assert page.locator(".compared .differs").count() == 2
    shot(page, f"version-{width}")
    press(page, "Go back to it")
    template.refresh_from_db()
    assert template.config == factories.a_file("one\ntwo\n")


def test_a_device_that_asks_is_let_in(
    browse: Callable[..., Any], rooftops: Organization
) -> None:
    asks = Enrollment.objects.create(
        organization=rooftops, public_key="a" * 44, name="attic", mac_address=factories.mac(),
        fingerprint="SHA256:0gCSYc5Y5bCRyRhPvXg5J1R5fQ8pPZ0q3xO8k1qB0aE",
        told={"model": "TP-Link C7", "os": "OpenWrt 24.10"}, address="192.0.2.7",
    )  # fmt: skip
    watched = browse(factories.superuser())
    shot(watched.open("/admin/devices/enrollment/"), "enrollments")
    page = watched.open(f"/admin/devices/enrollment/{asks.pk}/change/")
    shot(page, "enrollment")
    page.get_by_role("link", name="Approve").click()
    page.wait_for_load_state("networkidle")
    shot(page, "approve")
    press(page, "Approve")
    assert Device.objects.get().name == "attic"


@pytest.mark.parametrize("width", [1440, 390])
def test_a_device_that_has_drifted_is_moved_away(
    browse: Callable[..., Any], device: Device, width: int
) -> None:
    other = factories.organization("Elsewhere")
    watched = browse(factories.superuser(), width=width)
    shot(watched.open(f"{DEVICES}?show=drifted"), f"drifted-{width}")
    page = watched.open(f"{DEVICES}{device.pk}/change/")
    assert page.get_by_role("button", name="Push again").is_visible()
    shot(page, f"device-{width}")
    page = watched.open(f"{DEVICES}{device.pk}/move/")
    page.select_option("select[name=organization]", label="Elsewhere")
    press(page, "Preview")
    assert page.get_by_text("Is left behind").is_visible()
    shot(page, f"move-{width}")
    press(page, "Move it")
    device.refresh_from_db()
    assert device.organization == other


def test_an_organizations_settings_and_what_was_deleted_are_shown(
    browse: Callable[..., Any], device: Device
) -> None:
    watched = browse(factories.superuser())
    url = f"/admin/accounts/organization/{device.organization_id}/change/"
    page = watched.open(url)
    shot(page, "organization")
    page.get_by_label("Reboot").check()
    press(page, "Save and continue editing")
    assert settings_of(device.organization).command_types == ["reboot"]
    devices.delete_device(device, force=True)
    page = watched.open(f"{DEVICES}deleted/")
    shot(page, "deleted")
    assert page.get_by_text("roof").is_visible()
