"""The tour of docs/tour.md in Chromium.

MUSTER_PICTURES=docs/pictures updates its images.
"""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Watched
from tests.live.conftest import Portal, eventually

pytestmark = [pytest.mark.live, pytest.mark.once]


@pytest.fixture
def walk(applied: Portal, chromium: Browser) -> Iterator[Watched]:
    """Open a browser with a logged-in user, as on the tour's first page."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    watched = Watched(context.new_page(), applied.url)
    page = watched.open("/admin/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", applied.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{applied.url}/admin/")
    yield watched
    context.close()
    assert watched.complaints == []


def seen(shown: Page | Locator, name: str) -> None:
    if folder := os.environ.get("MUSTER_PICTURES"):
        picture = Image.open(BytesIO(shown.screenshot(animations="disabled")))
        # With flat colors, a palette reduces the size without visible loss.
        picture.convert("RGB").quantize(256).save(Path(folder) / f"{name}.png", optimize=True)


def device_page(portal: Portal, name: str, tab: str) -> str:
    (row,) = portal.api.get("device/", params={"name": name}).json()["results"]
    return f"/admin/devices/device/{row['id']}/change/#{tab}"


def test_a_configuration_is_changed_and_applied(applied: Portal, walk: Watched) -> None:
    page = walk.open(device_page(applied, "lima-gateway", "configuration"))
    page.get_by_role("button", name="Add variable").click()
    page.get_by_label("Name of the variable").last.fill("timezone")
    page.get_by_label("Value of the variable").last.fill("America/Lima")
    expect(page.locator("[data-preview-view]")).to_contain_text("America/Lima")
    seen(page, "tour-configuration")
    page.click("[name=_continue]")
    system = applied.file(3, "etc/config/system")
    eventually("the file is the new one", lambda: "America/Lima" in system.read_text())
    expect(page.get_by_role("region", name="Status")).to_contain_text("Applied")
    seen(page, "tour-applied")


def test_a_network_gets_two_members(applied: Portal, walk: Watched) -> None:
    page = walk.open("/admin/networks/network/add/")
    page.fill("[name=name]", "Cameras")
    page.click("[name=_save]")
    page.locator("#result_list").get_by_role("link", name="Cameras").click()
    for name in ("osaka-gateway", "nairobi-gateway"):
        page.select_option("[name=device]", label=name)
        page.locator("form", has=page.locator("[name=device]")).get_by_role("button").click()
        expect(page.locator(".mesh text", has_text=name)).to_be_visible()
    hosts = applied.file(2, "etc/hosts")
    eventually("they know each other", lambda: hosts.exists() and "osaka" in hosts.read_text())
    seen(page, "tour-network")


def test_a_change_of_a_gateway_is_reviewed_and_applied(applied: Portal, walk: Watched) -> None:
    page = walk.open("/admin/networks/gateway/")
    page.get_by_role("link", name="demo pfsense").click()
    page.get_by_role("link", name="Add firewall alias").click()
    expect(page.get_by_role("button", name="Apply to the live gateway")).to_be_visible()
    seen(page, "tour-change")
    page.get_by_role("button", name="Apply to the live gateway").click()
    expect(page.locator(".strip .badge", has_text="Applied")).to_be_visible()
    expect(page.get_by_role("button", name="Stage a rollback")).to_be_visible()
    seen(page, "tour-change-applied")


def test_a_supervisor_is_rebooted_and_one_is_asked(applied: Portal, walk: Watched) -> None:
    # Another test may have rebooted it just now.
    (row,) = applied.api.get("supervisor/", params={"flavor": "balena", "app_id": 42}).json()[
        "results"
    ]
    ping = {"deviceId": row["id"], "method": "GET"}
    eventually(
        "it is there",
        lambda: applied.api.post(f"{applied.url}/supervisor/v1/device", json=ping).is_success,
    )
    page = walk.open(device_page(applied, "osaka-gateway", "supervisor"))
    expect(page.locator("[data-status]")).to_have_text("Idle")
    page.get_by_role("button", name="Reboot").click()
    page.locator("[data-confirm-call] [name=confirm]").fill("osaka-gateway")
    page.locator("[data-confirm-yes]").click()
    expect(page.locator("[data-call-said]")).to_contain_text("Reboot: ")
    seen(page, "tour-supervisor")
    page = walk.open(device_page(applied, "nairobi-gateway", "home"))
    expect(page.locator("[data-home-facts]")).to_contain_text("2026.8.0 → 2026.8.1")
    expect(page.locator("[data-addons] tr")).to_have_count(2)
    seen(page, "tour-home")


def test_a_device_is_put_on_the_map(applied: Portal, walk: Watched) -> None:
    page = walk.open(device_page(applied, "oslo-gateway", "location"))
    page.get_by_role("link", name="New location").click()
    page.fill("[name=name]", "Trondheim")
    page.select_option("[name=type]", "outdoor")
    page.fill("[data-map-latitude]", "63.4305")
    page.fill("[data-map-longitude]", "10.3951")
    page.click("[name=_save]")
    page = walk.open(device_page(applied, "oslo-gateway", "location"))
    expect(page.locator(".place-facts").get_by_role("link", name="Trondheim")).to_be_visible()
    page.wait_for_selector("[data-drawn]")
    seen(page, "tour-place")
    page = walk.open("/admin/")
    expect(page.locator("[data-fleet-list] button", has_text="Trondheim")).to_be_visible()
    page.wait_for_selector("[data-fleet-map] .map-sign")
    seen(page, "dashboard")
    seen(page.locator(".map-panel"), "tour-map")
