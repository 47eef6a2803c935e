"""Admin pages of locations: permissions, and refusals of rules."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization, User
from controller.devices.models import Presence
from controller.monitoring.models import MonitoredDevice
from geo.models import DeviceLocation, FloorPlan, Location
from tests import factories

LIST = "/admin/geo/location/"
ROME = '{"type": "Point", "coordinates": [12.5, 41.9]}'


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(organization: Organization, role: str = "operator") -> Client:
    return signed_in(factories.user(organization, role, is_staff=True))


def form_of(organization: Organization, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Depot",
        "organization": str(organization.pk),
        "type": "indoor",
        "address": "Via X",
        "geometry": ROME,
        "floor_plans-TOTAL_FORMS": "0",
        "floor_plans-INITIAL_FORMS": "0",
    } | changes


def test_an_operator_makes_and_changes_a_location(organization: Organization) -> None:
    client = member(organization)
    assert client.post(f"{LIST}add/", form_of(organization)).status_code == 302
    location = Location.objects.get()
    assert location.geometry is not None
    assert location.geometry.coords == (12.5, 41.9)
    page = f"{LIST}{location.pk}/change/"
    assert client.post(page, form_of(organization, name="Depot 2")).status_code == 302
    location.refresh_from_db()
    assert location.name == "Depot 2"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"geometry": ""}, "needs a geometry"),
        ({"geometry": "nonsense"}, "neither GeoJSON nor well-known text"),
        ({"geometry": "POINT (500 0)"}, "out of range"),
        ({"geometry": "/vsicurl/http://127.0.0.1/"}, "neither GeoJSON nor well-known text"),
        ({"type": "underground"}, "Select a valid choice"),
    ],
)
def test_a_refused_location_is_shown_again(
    organization: Organization, changes: dict[str, str], sentence: str
) -> None:
    answer = member(organization).post(f"{LIST}add/", form_of(organization, **changes))
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not Location.objects.exists()


def test_a_floor_plan_is_uploaded_on_the_locations_page(organization: Organization) -> None:
    location = factories.location(organization)
    client = member(organization)
    page = f"{LIST}{location.pk}/change/"
    form = form_of(
        organization,
        **{
            "floor_plans-TOTAL_FORMS": "1",
            "floor_plans-0-location": str(location.pk),
            "floor_plans-0-floor": "2",
        },
    )
    refused = client.post(page, form | {"floor_plans-0-image": factories.upload(b"<svg/>")})
    assert refused.status_code == 200
    assert "PNG, JPEG or WebP" in refused.content.decode()
    assert not FloorPlan.objects.exists()
    answer = client.post(page, form | {"floor_plans-0-image": factories.upload()})
    assert answer.status_code == 302
    assert FloorPlan.objects.get().floor == 2


def test_a_location_with_devices_is_not_deleted(organization: Organization) -> None:
    location = factories.location(organization)
    factories.placed(location)
    answer = member(organization).post(
        f"{LIST}{location.pk}/delete/", {"post": "yes"}, follow=True
    )
    assert "1 device stands" in answer.content.decode()
    assert Location.objects.exists()


def test_strangers_and_guests_see_nothing(organization: Organization) -> None:
    location = factories.location(organization, name="Secret depot")
    plan = factories.floor_plan(location)
    device = factories.placed(location)
    pages = [
        f"{LIST}{location.pk}/change/",
        f"/admin/geo/floorplan/{plan.pk}/change/",
    ]
    stranger = member(factories.organization())
    guest = member(organization, "guest")
    for page in pages:
        assert stranger.get(page, follow=True).redirect_chain, page
        assert "Secret depot" not in stranger.get(page, follow=True).content.decode()
        assert guest.get(page).status_code in {302, 403}
    assert json.loads(stranger.get(f"{LIST}map/").content)["rows"] == []
    assert guest.get(f"{LIST}map/").status_code == 403
    assert Client().get(f"{LIST}map/").status_code == 302
    shown = guest.get(f"/admin/devices/device/{device.pk}/change/").content.decode()
    assert "Secret depot" not in shown
    assert "data-fleet-map" not in guest.get("/admin/").content.decode()


def test_a_viewer_changes_nothing(organization: Organization) -> None:
    location = factories.location(organization)
    viewer = member(organization, "viewer")
    page = f"{LIST}{location.pk}/change/"
    assert viewer.get(page).status_code == 200
    assert viewer.post(page, form_of(organization)).status_code == 403
    assert viewer.post(f"{LIST}add/", form_of(organization)).status_code == 403


def test_the_maps_rows_count_and_tell_when_they_are_the_same(
    organization: Organization,
) -> None:
    location = factories.location(organization, name="Depot", at=(1, 2))
    devices = [factories.placed(location) for _ in range(3)]
    Presence.objects.filter(device__in=devices[:2]).update(state="online")
    area = factories.location(
        organization, name="Yard", geometry=maps_geometry("POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))")
    )
    factories.placed(area)
    client = member(organization, "viewer")
    answer = client.get(f"{LIST}map/")
    rows = json.loads(answer.content)["rows"]
    assert rows[0] == [str(location.pk), "Depot", "", 1.0, 2.0, 2, 0, 1]
    assert rows[1][3:5] == [2.0, 2.0]
    again = client.get(f"{LIST}map/", HTTP_IF_NONE_MATCH=answer["ETag"])
    assert again.status_code == 304
    Presence.objects.filter(device=devices[2]).update(state="offline")
    assert client.get(f"{LIST}map/", HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 200


def test_the_map_has_the_health_of_each_location(organization: Organization) -> None:
    location = factories.location(organization, name="Depot")
    for health in ("ok", "problem", "problem", "critical"):
        MonitoredDevice.objects.create(device=factories.placed(location), health=health)
    client = member(organization, "viewer")
    found = json.loads(client.get(f"{LIST}map/").content)
    assert found["health"] == {str(location.pk): [2, 1]}


def maps_geometry(text: str) -> Any:
    from geo.rules.geometry import read

    return read(text)


def test_a_location_made_for_a_device_gets_it(organization: Organization) -> None:
    device = factories.device(organization)
    client = member(organization)
    answer = client.post(f"{LIST}add/?device={device.pk}", form_of(organization))
    assert answer["Location"].endswith(f"{device.pk}/change/#location")
    assert DeviceLocation.objects.get(device=device).location.name == "Depot"
    foreign = factories.device(factories.organization())
    client.post(f"{LIST}add/?device={foreign.pk}", form_of(organization))
    client.post(f"{LIST}add/?device=nonsense", form_of(organization))
    assert not DeviceLocation.objects.filter(device=foreign).exists()


def test_a_location_for_a_device_of_another_organization_is_not_made(
    admin: User, organization: Organization
) -> None:
    device = factories.device(organization)
    answer = signed_in(admin).post(
        f"{LIST}add/?device={device.pk}", form_of(factories.organization()), follow=True
    )
    assert "do not match" in answer.content.decode()
    assert not Location.objects.exists()


@pytest.mark.parametrize(
    "page", ["/admin/geo/location/", "/admin/geo/location/map/", "/admin/geo/floorplan/"]
)
def test_lists_cost_the_same_queries_however_long(
    admin: User, organization: Organization, page: str
) -> None:
    client = signed_in(admin)

    def add() -> None:
        location = factories.location(organization)
        factories.placed(location, floorplan=factories.floor_plan(location), indoor="-1,1")

    add()
    client.get(page)
    with CaptureQueriesContext(connection) as few:
        client.get(page)
    for _ in range(5):
        add()
    with CaptureQueriesContext(connection) as many:
        assert client.get(page).status_code == 200
    assert len(many) <= len(few)


def test_the_demo_fleet_is_put_on_the_map_once(organization: Organization) -> None:
    from django.core.management import call_command

    demo = factories.organization("Demo")
    for town in ("lisbon", "oslo", "elsewhere"):
        factories.device(demo, name=f"{town}-gateway")
    for _ in range(2):
        call_command("demo_places", verbosity=0)
    assert Location.objects.count() == 2
    assert FloorPlan.objects.count() == 1
    assert DeviceLocation.objects.exclude(indoor="").get().device.name == "lisbon-gateway"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", []),
        ("https://tile.example.org/{z}/{x}/{y}.png", ["https://tile.example.org"]),
        ("https://{s}.example.org:8443/{z}/{x}/{y}.png", ["https://*.example.org:8443"]),
    ],
)
def test_the_policy_lets_tiles_in(address: str, expected: list[str]) -> None:
    from controller.environment import origin

    assert origin(address) == expected


def test_an_address_of_tiles_that_is_none_is_told() -> None:
    from django.core.exceptions import ImproperlyConfigured

    from controller.environment import origin

    with pytest.raises(ImproperlyConfigured, match="MUSTER_MAP_TILES"):
        origin("javascript:alert(1)")
