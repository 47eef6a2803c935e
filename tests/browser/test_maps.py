"""Maps and floor plans in Chromium; requests to other hosts fail the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from controller.accounts.models import Organization, User
from controller.accounts.rules.sites import create_site
from controller.devices.models import Device, Presence
from controller.devices.rules import change_device
from geo.management.commands.demo_places import PLACES, drawn
from geo.models import DeviceLocation, FloorPlan, Location
from tests import factories
from tests.fleet import nominatim

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]
DRAWN = "[data-drawn]"


@pytest.fixture
def fleet(organization: Organization) -> list[Device]:
    """Return devices in five towns: one is offline, and three share a location."""
    devices = []
    for town, (address, longitude, latitude) in PLACES.items():
        location = factories.location(
            organization, name=town.capitalize(), address=address, at=(longitude, latitude)
        )
        devices.append(factories.placed(location, name=f"{town}-gateway"))
    lisbon = Location.objects.get(name="Lisbon")
    devices += [factories.placed(lisbon, name=f"lisbon-ap-{number}") for number in (1, 2)]
    Presence.objects.filter(device__in=devices).update(state="online")
    Presence.objects.filter(device=devices[1]).update(state="offline")
    Presence.objects.filter(device=devices[-1]).update(state="unknown")
    return devices


@pytest.fixture
def plan(fleet: list[Device]) -> FloorPlan:
    lisbon = Location.objects.get(name="Lisbon")
    return factories.floor_plan(lisbon, 0, image=drawn())


def map_of(page: Page) -> None:
    page.wait_for_selector(DRAWN)


def test_a_site_is_found_on_the_map_where_its_devices_are(
    browse: Browse, admin: User, fleet: list[Device], organization: Organization
) -> None:
    north = create_site(organization=organization, name="North", slug="north")
    for device in fleet[:2]:
        change_device(device, site=north)
    page = browse(admin).open("/admin/")
    map_of(page)
    expect(page.locator(".map-site")).to_have_text("North")
    page.get_by_role("list", name="Sites").get_by_role("button", name="North").click()
    # Zoom in until the two towns are no longer in a cluster with others.
    expect(page.locator(".map-sign").get_by_text("Oslo")).to_be_attached()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_dashboard_shows_the_fleet(
    browse: Browse, admin: User, fleet: list[Device], width: int, scheme: str
) -> None:
    page = browse(admin, width=width, scheme=scheme).open("/admin/")
    map_of(page)
    page.wait_for_selector("[data-fleet-map][data-rows='5']")
    # All seven devices are counted, as markers or in clusters.
    signs = page.locator(".map-sign b")
    expect(signs.first).to_be_visible()
    assert sum(int(text) for text in signs.all_inner_texts()) == 7
    rows = page.locator("[data-fleet-list] button")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("Oslo")
    expect(rows.first).to_contain_text("1 offline")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    rows.first.focus()
    page.keyboard.press("Enter")
    popup = page.locator(".leaflet-popup")
    expect(popup.get_by_role("link", name="Oslo")).to_be_visible()
    expect(popup).to_contain_text("1 offline")


def test_the_dashboards_map_follows_the_fleet(
    browse: Browse, admin: User, fleet: list[Device]
) -> None:
    watched = browse(admin)
    watched.page.clock.install()
    page = watched.open("/admin/")
    rows = page.locator("[data-fleet-list] button")
    expect(rows.first).to_contain_text("Oslo")
    Presence.objects.filter(device=fleet[1]).update(state="online")
    Presence.objects.filter(device=fleet[4]).update(state="offline")
    page.clock.fast_forward(20_000)
    expect(rows.first).to_contain_text("Osaka")
    expect(rows.first).to_contain_text("1 offline")


def is_save(answer: Any) -> bool:
    return bool(answer.request.method == "PATCH")


def position_of(page: Page, name: str) -> tuple[float, float]:
    box = page.get_by_role("button", name=name).bounding_box()
    assert box is not None
    return box["x"] + 15, box["y"] + 15


def test_a_device_is_dragged_onto_a_floor_plan_and_stays_there(
    browse: Browse, admin: User, fleet: list[Device], plan: FloorPlan
) -> None:
    page = browse(admin).open(f"/admin/geo/floorplan/{plan.pk}/change/")
    page.wait_for_selector("[data-board][data-ready]")
    item = page.locator("[data-board-list] li", has_text="lisbon-ap-1")
    with page.expect_response(is_save):
        item.drag_to(page.locator("[data-board-plan]"), target_position={"x": 300, "y": 220})
    expect(page.locator("[data-board-state]")).to_have_text("Saved")
    place = DeviceLocation.objects.get(device__name="lisbon-ap-1")
    assert place.floor_plan == plan
    dropped = place.coordinates or (0, 0)
    assert -plan.height < dropped[0] < 0 < dropped[1] < plan.width
    x, y = position_of(page, "lisbon-ap-1, online")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y + 60, steps=8)
    with page.expect_response(is_save):
        page.mouse.up()
    expect(page.locator("[data-board-state]")).to_have_text("Saved")
    place.refresh_from_db()
    moved = place.coordinates or (0, 0)
    assert moved[0] < dropped[0]
    assert moved[1] > dropped[1]
    before = position_of(page, "lisbon-ap-1, online")
    page.reload()
    page.wait_for_selector("[data-board][data-ready]")
    page.wait_for_load_state("networkidle")
    assert position_of(page, "lisbon-ap-1, online") == pytest.approx(before, abs=3)


def test_a_device_is_placed_and_moved_with_the_keyboard(
    browse: Browse, admin: User, fleet: list[Device], plan: FloorPlan
) -> None:
    page = browse(admin, width=390).open(f"/admin/geo/floorplan/{plan.pk}/change/")
    page.wait_for_selector("[data-board][data-ready]")
    page.get_by_role("button", name="Place: lisbon-gateway").focus()
    page.keyboard.press("Enter")
    saved = page.locator("[data-board-state]")
    expect(saved).to_have_text("Saved")
    place = DeviceLocation.objects.get(device=fleet[0])
    before = place.coordinates
    with page.expect_response(is_save):
        for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown"):
            page.keyboard.press(key)
    expect(saved).to_have_text("Saved")
    place.refresh_from_db()
    assert before is not None
    assert place.coordinates == (
        pytest.approx(before[0] - 1, abs=0.2),
        pytest.approx(before[1] + 20, abs=0.2),
    )
    with page.expect_response(is_save):
        page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="Place: lisbon-gateway")).to_be_visible()
    expect(saved).to_have_text("Saved")
    place.refresh_from_db()
    assert (place.floor_plan, place.indoor) == (None, "")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_viewer_moves_nothing(
    browse: Browse, organization: Organization, plan: FloorPlan
) -> None:
    viewer = factories.user(organization, "viewer", is_staff=True)
    page = browse(viewer).open(f"/admin/geo/floorplan/{plan.pk}/change/")
    page.wait_for_selector("[data-board][data-ready]")
    expect(page.get_by_role("button", name="Place: lisbon-ap-1")).to_have_count(0)
    expect(page.locator("[data-board-list] li[draggable=true]")).to_have_count(0)


@pytest.fixture
def addresses(settings: Any) -> Iterator[None]:
    with nominatim.running() as server:
        settings.MUSTER_GEOCODER_URL = server.url
        yield


def test_a_location_is_found_by_its_address_and_saved(
    browse: Browse, admin: User, organization: Organization, addresses: None
) -> None:
    page = browse(admin).open(f"/admin/geo/location/add/?organization={organization.pk}")
    page.fill("[name=name]", "Via del Corso")
    page.select_option("[name=type]", "outdoor")
    map_of(page)
    page.fill("[data-map-query]", "corso roma")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Via del Corso, Campo Marzio, Roma, Italia").click()
    expect(page.locator("[data-map-latitude]")).to_have_value("41.9031")
    expect(page.locator("[name=address]")).to_have_value(
        "Via del Corso, Campo Marzio, Roma, Italia"
    )
    page.click("[name=_save]")
    page.wait_for_url("**/admin/geo/location/")
    location = Location.objects.get()
    assert location.geometry is not None
    assert location.geometry.coords == (12.4799, 41.9031)


def test_a_location_is_placed_by_click_and_by_numbers(
    browse: Browse, admin: User, fleet: list[Device]
) -> None:
    location = Location.objects.get(name="Oslo")
    page = browse(admin).open(f"/admin/geo/location/{location.pk}/change/")
    map_of(page)
    before = page.input_value("[data-map-longitude]")
    assert float(before) == 10.7337
    page.locator("[data-map]").click(position={"x": 300, "y": 100})
    assert page.input_value("[data-map-longitude]") != before
    page.fill("[data-map-latitude]", "48.2")
    page.fill("[data-map-longitude]", "16.37")
    page.keyboard.press("Tab")
    page.click("[name=_continue]")
    page.wait_for_load_state("networkidle")
    location.refresh_from_db()
    assert location.geometry is not None
    assert location.geometry.coords == (16.37, 48.2)
    expect(page.get_by_role("link", name="oslo-gateway")).to_be_visible()


def test_a_device_gets_its_location_on_its_own_page(
    browse: Browse,
    admin: User,
    organization: Organization,
    fleet: list[Device],
    plan: FloorPlan,
) -> None:
    device = factories.device(organization, name="new-ap")
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    page.click("[data-tab=location]")
    page.select_option("[data-place-location]", label="Lisbon")
    page.get_by_role("button", name="Place here").click()
    expect(page.get_by_role("link", name="Lisbon")).to_be_visible()
    map_of(page)
    page.select_option("[data-place-plan]", label="Floor 0")
    page.get_by_role("button", name="Set the floor").click()
    page.wait_for_selector("[data-board][data-ready]")
    page.get_by_role("button", name="Place: new-ap").click()
    expect(page.locator("[data-board-state]")).to_have_text("Saved")
    place = DeviceLocation.objects.get(device=device)
    assert place.floor_plan == plan
    assert place.indoor
    page.get_by_role("button", name="Remove from map").click()
    expect(page.get_by_text("This device has no location yet.")).to_be_visible()
    assert not DeviceLocation.objects.filter(device=device).exists()


def test_a_new_location_is_made_for_a_device(
    browse: Browse, admin: User, organization: Organization
) -> None:
    device = factories.device(organization, name="new-ap")
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    page.click("[data-tab=location]")
    page.get_by_role("link", name="New location").click()
    page.fill("[name=name]", "Depot")
    page.select_option("[name=type]", "outdoor")
    map_of(page)
    page.locator("[data-map]").click(position={"x": 300, "y": 150})
    page.click("[name=_save]")
    page.wait_for_url(f"**/{device.pk}/change/#location")
    expect(page.get_by_role("link", name="Depot No address")).to_be_visible()


def test_a_map_of_tiles_asks_the_operators_server_alone(
    browse: Browse, admin: User, fleet: list[Device], settings: Any, live_server: Any
) -> None:
    pattern = f"{live_server.url}/static/portal/favicon.svg?{{z}}/{{x}}/{{y}}"
    settings.LEAFLET_CONFIG = {"TILES": [("Map", pattern, {"attribution": "Somebody's map"})]}
    page = browse(admin).open("/admin/geo/location/")
    expect(page.locator(".leaflet-tile").first).to_be_attached()
    expect(page.get_by_text("Somebody's map")).to_be_visible()
