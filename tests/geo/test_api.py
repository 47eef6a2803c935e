"""API of locations, floor plans and device locations, with atomic refusals."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.gis.geos import Point
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.configs.rules import devices as inventory
from controller.devices.models import Device, Presence
from geo.models import DeviceLocation, FloorPlan, FloorPlanImage, Location
from geo.rules import geometry
from tests import factories

ROOT = "/api/v1/controller"
ROME = {"type": "Point", "coordinates": [12.512124, 41.898903]}
Api = Callable[[User | None], APIClient]


@pytest.fixture
def client(api: Api, organization: Organization) -> APIClient:
    return api(factories.user(organization, "operator"))


@pytest.fixture
def device(organization: Organization) -> Device:
    return factories.device(organization)


def place_url(device: Device) -> str:
    return f"{ROOT}/device/{device.pk}/location/"


def counts() -> tuple[int, int, int]:
    return Location.objects.count(), FloorPlan.objects.count(), DeviceLocation.objects.count()


# --- combined requests


@pytest.mark.parametrize("geometry", [ROME, "POINT (12.512124 41.898903)"])
def test_a_location_is_made_with_its_device_in_one_request(
    client: APIClient, device: Device, geometry: object
) -> None:
    values = {
        "name": "Via del Corso",
        "address": "Roma",
        "type": "outdoor",
        "geometry": geometry,
    }
    answer = client.put(place_url(device), {"location": values})
    assert answer.status_code == 201, answer.content
    assert answer.json()["location"]["geometry"] == ROME
    assert answer.json()["floorplan"] is None
    assert answer.json()["indoor"] is None
    assert Location.objects.get().organization == device.organization


FORM = {
    "location.name": "Via del Corso",
    "location.address": "Via del Corso, Roma, Italia",
    "location.geometry.type": "Point",
    "location.geometry.coordinates": "[12.512124, 41.898903]",
    "location.type": "indoor",
    "floorplan.floor": "1",
}


def test_location_floor_plan_and_place_are_made_in_one_form(
    client: APIClient, device: Device
) -> None:
    form = FORM | {"floorplan.image": factories.upload(), "indoor": "-10,20"}
    answer = client.put(place_url(device), form, format="multipart")
    assert answer.status_code == 201, answer.content
    assert answer.json()["floorplan"]["floor"] == 1
    assert answer.json()["indoor"] == "-10,20"
    assert counts() == (1, 1, 1)
    assert client.get(answer.json()["floorplan"]["image"]).status_code == 200


def test_the_same_form_again_changes_what_is_there(client: APIClient, device: Device) -> None:
    for floor, status in (("1", 201), ("2", 200)):
        form = FORM | {"floorplan.floor": floor, "floorplan.image": factories.upload()}
        answer = client.put(place_url(device), form, format="multipart")
        assert answer.status_code == status, answer.content
    assert counts() == (1, 1, 1)
    assert FloorPlan.objects.get().floor == 2


def test_what_was_read_can_be_written_back(client: APIClient, device: Device) -> None:
    client.put(
        place_url(device), FORM | {"floorplan.image": factories.upload()}, format="multipart"
    )
    read = client.get(place_url(device)).json()
    again = client.put(place_url(device), read)
    assert again.status_code == 200, again.content
    assert again.json()["location"] == read["location"]
    location = f"{ROOT}/location/{read['location']['id']}/"
    shown = client.get(location).json()
    assert shown["floorplan"] == [{"floor": 1, "image": read["floorplan"]["image"]}]
    assert client.put(location, shown).json()["floorplan"] == shown["floorplan"]


def test_a_location_is_made_with_its_floor_plan(
    client: APIClient, organization: Organization
) -> None:
    form = {name.removeprefix("location."): value for name, value in FORM.items()} | {
        "is_mobile": "false",
        "floorplan.image": factories.upload(),
        "organization": str(organization.pk),
    }
    answer = client.post(f"{ROOT}/location/", form, format="multipart")
    assert answer.status_code == 201, answer.content
    assert [plan["floor"] for plan in answer.json()["floorplan"]] == [1]
    assert answer.json()["geometry"] == ROME


def test_dotted_names_work_in_json_too(client: APIClient, organization: Organization) -> None:
    values = {
        "name": "Via del Corso",
        "geometry.type": "Point",
        "geometry.location": [12.512124, 41.898903],
        "type": "indoor",
        "organization": str(organization.pk),
    }
    answer = client.post(f"{ROOT}/location/", values)
    assert answer.status_code == 201, answer.content
    assert answer.json()["geometry"] == ROME


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"location.geometry.coordinates": "[200, 0]"}, "location"),
        ({"location.geometry.coordinates": "[["}, "location"),
        ({"location.type": "underground"}, "location"),
        ({"location.name": ""}, "location"),
        ({"location.name": "n" * 76}, "location"),
        ({"location.type": "outdoor"}, "floorplan"),
        ({"floorplan.floor": "first"}, "floorplan"),
        ({"floorplan.floor": "40000"}, "floorplan"),
        ({"floorplan.floor": None}, "floorplan"),
        ({"floorplan.image": None}, "floorplan"),
        ({"floorplan.image": b"<svg onload='alert(1)'/>"}, "floorplan"),
        ({"floorplan.image": b""}, "floorplan"),
        ({"indoor": "foo"}, "indoor"),
        ({"indoor": "1,2,3"}, "indoor"),
        ({"indoor": "nan,1"}, "indoor"),
        ({"location": "also a value"}, "location"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    client: APIClient, device: Device, changes: dict[str, Any], field: str
) -> None:
    form = {"floorplan.image": factories.png()} | FORM | changes
    form = {
        name: factories.upload(value) if isinstance(value, bytes) else value
        for name, value in form.items()
        if value is not None
    }
    answer = client.put(place_url(device), form, format="multipart")
    assert answer.status_code == 400, answer.content
    assert field in answer.json()
    assert counts() == (0, 0, 0)
    assert not FloorPlanImage.objects.exists()


# --- device locations


def test_a_device_goes_where_its_organization_is(
    client: APIClient, admin: User, api: Api, device: Device
) -> None:
    foreign = factories.location(factories.organization())
    for caller in (client, api(admin)):
        answer = caller.put(place_url(device), {"location": str(foreign.pk)})
        assert answer.status_code == 400
        assert "location" in answer.json()
    assert counts() == (1, 0, 0)


def test_a_floor_plan_of_another_location_is_refused(
    client: APIClient, organization: Organization, device: Device
) -> None:
    here, there = factories.location(organization), factories.location(organization)
    plan = factories.floor_plan(there)
    body = {"location": str(here.pk), "floorplan": str(plan.pk), "indoor": "-1,1"}
    answer = client.put(place_url(device), body)
    assert answer.status_code == 400
    assert answer.json() == {"floorplan": ["The floor plan is of another location."]}
    assert not DeviceLocation.objects.exists()


def test_indoor_coordinates_are_of_a_floor_plan(
    client: APIClient, organization: Organization, device: Device
) -> None:
    for kind in ("indoor", "outdoor"):
        location = factories.location(organization, type=kind)
        answer = client.put(place_url(device), {"location": str(location.pk), "indoor": "1,2"})
        assert answer.status_code == 400
        assert list(answer.json()) == ["indoor"]


def test_a_change_leaves_what_it_does_not_name(
    client: APIClient, organization: Organization, device: Device
) -> None:
    location = factories.location(organization)
    plan = factories.floor_plan(location)
    factories.place_device(device, location=location, floorplan=plan, indoor="-1,1")
    answer = client.patch(place_url(device), {"location": {"address": "Via Y"}})
    assert answer.json()["location"]["properties"]["address"] == "Via Y"
    assert answer.json()["location"]["properties"]["name"] == location.name
    assert answer.json()["floorplan"]["id"] == str(plan.pk)
    assert answer.json()["indoor"] == "-1,1"
    elsewhere = factories.location(organization)
    moved = client.patch(place_url(device), {"location": str(elsewhere.pk)}).json()
    assert (moved["floorplan"], moved["indoor"]) == (None, None)
    gone = client.put(place_url(device), {"location": None})
    assert (gone.status_code, gone.json()["location"]) == (200, None)
    assert client.get(place_url(device)).status_code == 404


def test_a_change_of_a_device_without_location_is_a_404(
    client: APIClient, device: Device
) -> None:
    assert client.patch(place_url(device), {"indoor": "1,2"}).status_code == 404
    assert client.delete(place_url(device)).status_code == 404


def test_a_deactivated_device_stays_where_it_is(
    client: APIClient, organization: Organization
) -> None:
    location = factories.location(organization)
    device = factories.placed(location)
    inventory.deactivate(device)
    other = factories.location(organization)
    assert client.put(place_url(device), {"location": str(other.pk)}).status_code == 403
    assert client.get(place_url(device)).json()["location"]["id"] == str(location.pk)


def test_a_location_that_becomes_outdoor_loses_its_floor_plans(
    client: APIClient, organization: Organization, device: Device
) -> None:
    location = factories.location(organization)
    plan = factories.floor_plan(location)
    factories.place_device(device, location=location, floorplan=plan, indoor="-1,1")
    answer = client.patch(f"{ROOT}/location/{location.pk}/", {"type": "outdoor"})
    assert answer.json()["floorplan"] == []
    assert not FloorPlan.objects.exists()
    place = client.get(place_url(device)).json()
    assert (place["floorplan"], place["indoor"]) == (None, None)


def test_a_device_that_changes_its_organization_leaves_its_location(
    api: Api, admin: User, organization: Organization
) -> None:
    location = factories.location(organization)
    device = factories.placed(location)
    other = factories.organization()
    client = api(admin)
    url = f"{ROOT}/device/{device.pk}/"
    assert client.patch(url, {"organization": str(other.pk)}).status_code == 200
    assert client.get(f"{url}location/").status_code == 404
    assert client.get(f"{ROOT}/location/{location.pk}/device/").json()["count"] == 0
    assert not DeviceLocation.objects.exists()


# --- locations and floor plans


def test_a_location_that_stands_still_has_a_geometry(
    client: APIClient, organization: Organization
) -> None:
    values = {"name": "x", "type": "outdoor", "organization": str(organization.pk)}
    refused = client.post(f"{ROOT}/location/", values)
    assert (refused.status_code, list(refused.json())) == (400, ["geometry"])
    moving = client.post(f"{ROOT}/location/", values | {"is_mobile": True})
    assert (moving.status_code, moving.json()["geometry"]) == (201, None)


def test_a_location_with_devices_is_not_deleted(
    client: APIClient, organization: Organization
) -> None:
    location = factories.location(organization)
    factories.placed(location)
    answer = client.delete(f"{ROOT}/location/{location.pk}/")
    assert answer.status_code == 409
    assert "1 device stands" in answer.json()["detail"]


def test_a_location_with_devices_stays_in_its_organization(
    api: Api, admin: User, organization: Organization
) -> None:
    location = factories.location(organization)
    factories.placed(location)
    answer = api(admin).patch(
        f"{ROOT}/location/{location.pk}/", {"organization": str(factories.organization().pk)}
    )
    assert (answer.status_code, list(answer.json())) == (400, ["organization"])


def test_a_floor_has_one_plan(client: APIClient, organization: Organization) -> None:
    location = factories.location(organization)
    factories.floor_plan(location, 1)
    form = {"location": str(location.pk), "floor": "1", "image": factories.upload()}
    answer = client.post(f"{ROOT}/floorplan/", form, format="multipart")
    assert answer.status_code == 400
    assert "has a floor plan already" in str(answer.json())


def test_a_floor_plan_is_of_an_indoor_location_of_ones_own(
    client: APIClient, organization: Organization
) -> None:
    for location in (
        factories.location(organization, type="outdoor"),
        factories.location(factories.organization()),
    ):
        form = {"location": str(location.pk), "floor": "1", "image": factories.upload()}
        answer = client.post(f"{ROOT}/floorplan/", form, format="multipart")
        assert (answer.status_code, list(answer.json())) == (400, ["location"])
    mine = factories.location(organization)
    form = {
        "location": str(mine.pk),
        "floor": "1",
        "organization": str(organization.pk),
        "image": factories.upload(),
    }
    assert client.post(f"{ROOT}/floorplan/", form, format="multipart").status_code == 201


def test_the_image_of_a_floor_plan_can_be_replaced(
    client: APIClient, organization: Organization
) -> None:
    plan = factories.floor_plan(factories.location(organization))
    url = f"{ROOT}/floorplan/{plan.pk}/"
    before = client.get(client.get(url).json()["image"])
    answer = client.patch(
        url, {"image": factories.upload(factories.png(80, 50))}, format="multipart"
    )
    assert answer.status_code == 200, answer.content
    after = client.get(answer.json()["image"])
    assert after.content != before.content
    assert after["ETag"] != before["ETag"]
    plan.refresh_from_db()
    assert (plan.width, plan.height) == (80, 50)


def test_a_deleted_floor_plan_leaves_its_devices_at_the_location(
    client: APIClient, organization: Organization, device: Device
) -> None:
    location = factories.location(organization)
    plan = factories.floor_plan(location)
    factories.place_device(device, location=location, floorplan=plan, indoor="-1,1")
    assert client.delete(f"{ROOT}/floorplan/{plan.pk}/").status_code == 204
    place = client.get(place_url(device)).json()
    assert place["location"]["id"] == str(location.pk)
    assert (place["floorplan"], place["indoor"]) == (None, None)


# --- uploads


def test_an_image_is_shown_to_those_who_see_the_location(
    api: Api, organization: Organization
) -> None:
    plan = factories.floor_plan(factories.location(organization))
    url = f"/media/floorplans/{plan.pk}.png"
    assert api(None).get(url).status_code == 401
    assert api(factories.user(factories.organization())).get(url).status_code == 404
    assert api(factories.user(organization, "guest")).get(url).status_code == 403
    viewer = api(factories.user(organization, "viewer"))
    answer = viewer.get(url)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "private" in answer["Cache-Control"]
    assert viewer.get(url, HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
    assert viewer.get(url.replace(".png", ".svg")).status_code == 404


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [("MUSTER_IMAGE_BYTES", "larger than"), ("MUSTER_IMAGE_PIXELS", "too many pixels")],
)
def test_limits_of_an_image_are_told(
    client: APIClient, organization: Organization, settings: Any, setting: str, sentence: str
) -> None:
    setattr(settings, setting, 100)
    form = {
        "location": str(factories.location(organization).pk),
        "floor": "1",
        "image": factories.upload(factories.png(300, 300)),
    }
    answer = client.post(f"{ROOT}/floorplan/", form, format="multipart")
    assert answer.status_code == 400
    assert sentence in answer.json()["image"][0]


# --- reported coordinates


def test_a_device_without_location_gets_a_moving_one(api: Api, device: Device) -> None:
    url = f"{ROOT}/device/{device.pk}/coordinates/?key={device.key}"
    nobody = api(None)
    assert nobody.get(url).status_code == 404
    assert nobody.patch(url, {"geometry": ROME}).status_code == 404
    answer = nobody.put(url, {"type": "Feature", "geometry": ROME})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "type": "Feature",
        "geometry": ROME,
        "properties": {"name": device.name},
    }
    location = Location.objects.get()
    assert (location.is_mobile, location.organization) == (True, device.organization)


def test_coordinates_take_a_comma_too_many(api: Api, device: Device) -> None:
    url = f"{ROOT}/device/{device.pk}/coordinates/?key={device.key}"
    body = '{"geometry": {"type": "Point", "coordinates": [1, 2,],}, "name": ",}", }'
    answer = api(None).put(url, body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    for broken in ("{", "[" * 100_000, b"\xff", '{"geometry": "POINT (500 0)"}'):
        answer = api(None).put(url, broken, content_type="application/json")
        assert answer.status_code == 400, broken


def test_only_its_own_key_speaks_for_a_device(
    api: Api, organization: Organization, device: Device
) -> None:
    url = f"{ROOT}/device/{device.pk}/coordinates/"
    other = factories.device(organization)
    nobody = api(None)
    for key in ("wrong", other.key):
        assert nobody.put(f"{url}?key={key}", {"geometry": ROME}).status_code == 401
    assert nobody.get(f"{ROOT}/device/{uuid4()}/coordinates/?key=x").status_code == 404
    assert nobody.get(f"{ROOT}/device/nonsense/coordinates/?key=x").status_code == 404
    assert not Location.objects.exists()
    member = api(factories.user(organization, "operator"))
    assert member.put(url, {"geometry": ROME}).status_code == 200
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.get(url).status_code == 200
    assert viewer.put(url, {"geometry": ROME}).status_code == 403
    assert api(factories.user(factories.organization())).get(url).status_code == 404
    organization.is_active = False
    organization.save()
    assert nobody.get(f"{url}?key={device.key}").status_code == 404


# --- permissions


def routes(organization: Organization) -> list[tuple[str, str, Any]]:
    location = factories.location(organization)
    plan = factories.floor_plan(location)
    device = factories.placed(location)
    return [
        ("get", f"{ROOT}/location/{location.pk}/", None),
        ("get", f"{ROOT}/location/{location.pk}/device/", None),
        ("get", f"{ROOT}/location/{location.pk}/indoor-coordinates/", None),
        ("get", f"{ROOT}/floorplan/{plan.pk}/", None),
        ("get", f"{ROOT}/device/{device.pk}/location/", None),
        ("get", f"{ROOT}/organization/{organization.pk}/geo-settings/", None),
        ("patch", f"{ROOT}/location/{location.pk}/", {"name": "x"}),
        ("patch", f"{ROOT}/floorplan/{plan.pk}/", {"floor": 4}),
        ("patch", f"{ROOT}/device/{device.pk}/location/", {"location": {"name": "x"}}),
        (
            "patch",
            f"{ROOT}/organization/{organization.pk}/geo-settings/",
            {"estimated_location_enabled": False},
        ),
        ("delete", f"{ROOT}/device/{device.pk}/location/", None),
        ("delete", f"{ROOT}/floorplan/{plan.pk}/", None),
        ("delete", f"{ROOT}/location/{location.pk}/", None),
    ]


def test_each_route_asks_who_it_is(api: Api, organization: Organization) -> None:
    stranger = api(factories.user(factories.organization()))
    viewer = api(factories.user(organization, "viewer"))
    guest = api(factories.user(organization, "guest"))
    for method, url, body in routes(organization):
        assert getattr(api(None), method)(url, body).status_code == 401, url
        assert getattr(guest, method)(url, body).status_code == 403, url
        foreign = getattr(stranger, method)(url, body)
        assert foreign.status_code == 404, (url, foreign.content)
        expected = 200 if method == "get" else 403
        assert getattr(viewer, method)(url, body).status_code == expected, (method, url)
    operator = api(factories.user(organization, "operator"))
    for method, url, body in routes(organization):
        answer = getattr(operator, method)(url, body)
        assert answer.status_code in {200, 204}, (method, url, answer.content)


def test_lists_hold_the_callers_organizations(
    client: APIClient, organization: Organization
) -> None:
    factories.placed(factories.location(factories.organization()))
    mine = factories.location(organization)
    factories.placed(mine)
    factories.floor_plan(mine)
    factories.floor_plan(factories.location(factories.organization()))
    assert [row["id"] for row in client.get(f"{ROOT}/location/").json()["results"]] == [
        str(mine.pk)
    ]
    assert client.get(f"{ROOT}/floorplan/").json()["count"] == 1
    assert client.get(f"{ROOT}/location/geojson/").json()["count"] == 1


def test_a_row_can_only_be_put_where_one_may(api: Api, organization: Organization) -> None:
    both = factories.user(organization, "operator")
    other = factories.organization()
    factories.Membership.objects.create(user=both, organization=other, role="viewer")
    values = {"name": "x", "type": "outdoor", "geometry": ROME, "organization": str(other.pk)}
    assert api(both).post(f"{ROOT}/location/", values).status_code == 403
    theirs = factories.location(other)
    form = {"location": str(theirs.pk), "floor": "1", "image": factories.upload()}
    assert api(both).post(f"{ROOT}/floorplan/", form, format="multipart").status_code == 403


# --- lists


@pytest.mark.parametrize(
    "path", ["location/", "floorplan/", "location/geojson/", "device/?with_geo=true",
             "location/{}/device/", "location/{}/indoor-coordinates/"]
)  # fmt: skip
def test_lists_cost_the_same_queries_however_long(
    client: APIClient, organization: Organization, path: str
) -> None:
    first = factories.location(organization)
    url = f"{ROOT}/{path.format(first.pk)}"

    def add(number: int) -> None:
        location = factories.location(organization)
        for floor, place in enumerate((first, location), number):
            plan = factories.floor_plan(place, floor)
            factories.placed(place, floorplan=plan, indoor="-1,1")
        factories.placed(first, floorplan=first.floor_plans.order_by("floor")[0], indoor="-1,1")

    add(0)
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert client.get(url).status_code == 200
    for number in range(1, 6):
        add(number)
    with CaptureQueriesContext(connection) as many:
        answer = client.get(url)
    assert len(answer.json().get("results", answer.json().get("features"))) >= 6
    assert len(many) == len(few) <= 8, [query["sql"] for query in many]


def test_the_map_counts_devices_by_their_state(
    client: APIClient, organization: Organization
) -> None:
    location = factories.location(organization)
    devices = [factories.placed(location) for _ in range(4)]
    factories.location(organization)
    for device, state in zip(devices, ("online", "online", "offline"), strict=False):
        Presence.objects.filter(device=device).update(state=state)
    Presence.objects.filter(device=devices[3]).delete()
    (feature,) = client.get(f"{ROOT}/location/geojson/").json()["features"]
    assert feature["properties"]["device_count"] == 4
    assert feature["properties"]["device_status"] == {"online": 2, "offline": 1, "unknown": 1}


def test_the_map_draws_every_kind_of_geometry(
    client: APIClient, organization: Organization
) -> None:
    written = {
        "area": "POLYGON ((0 0, 4 0, 4 4, 0 0))",
        "way": "LINESTRING (0 0, 1 1)",
        "point": "POINT (12.512124 41.898903)",
    }
    for name, text in written.items():
        factories.placed(
            factories.location(organization, name=name, geometry=geometry.read(text))
        )
    factories.placed(
        factories.location(organization, name="van", is_mobile=True, geometry=None)
    )
    features = client.get(f"{ROOT}/location/geojson/").json()["features"]
    shown = {one["properties"]["name"]: one["geometry"] for one in features}
    assert shown.pop("van") is None
    for name, text in written.items():
        assert geometry.read(shown[name]) == geometry.read(text)


def test_indoor_coordinates_show_the_ground_floor_or_the_next(
    client: APIClient, organization: Organization
) -> None:
    location = factories.location(organization)
    url = f"{ROOT}/location/{location.pk}/indoor-coordinates/"
    assert client.get(url).json()["floors"] == []
    for floor, expected in ((-3, -3), (-1, -1), (4, 4), (2, 2)):
        factories.placed(
            location, floorplan=factories.floor_plan(location, floor), indoor="-1,1"
        )
        (shown,) = client.get(url).json()["results"]
        assert shown["floor"] == expected
    (asked,) = client.get(url, {"floor": "-3"}).json()["results"]
    assert asked["floor"] == -3
    assert client.get(url, {"floor": "9"}).json()["count"] == 0
    assert client.get(url, {"floor": "9" * 30}).json()["count"] == 0
    assert client.get(url, {"floor": "x"}).status_code == 400


@pytest.mark.parametrize("path", ["location", "floorplan", "location/geojson"])
def test_lists_are_filtered_by_organization(
    api: Api, admin: User, organization: Organization, path: str
) -> None:
    for owner in (organization, factories.organization()):
        location = factories.location(owner)
        factories.floor_plan(location)
        factories.placed(location)
    client = api(admin)
    for query in (
        {"organization": str(organization.pk)},
        {"organization_id": str(organization.pk)},
        {"organization_slug": organization.slug},
    ):
        assert client.get(f"{ROOT}/{path}/", query).json()["count"] == 1, query
    assert client.get(f"{ROOT}/{path}/").json()["count"] == 2
    assert client.get(f"{ROOT}/{path}/", {"organization": "x"}).status_code == 400


def test_locations_are_filtered_by_what_they_are(
    client: APIClient, organization: Organization
) -> None:
    factories.location(organization, type="indoor")
    factories.location(organization, type="outdoor", is_mobile=True, name="A van")
    for query, count in (
        ({"type": "indoor"}, 1),
        ({"is_mobile": "true"}, 1),
        ({"is_mobile": "false"}, 1),
        ({"name": "VAN"}, 1),
        ({"type": "outdoor", "is_mobile": "false"}, 0),
    ):
        assert client.get(f"{ROOT}/location/", query).json()["count"] == count, query


def test_devices_are_filtered_by_their_location(
    client: APIClient, organization: Organization
) -> None:
    location = factories.location(organization, name="Via del Corso", geometry=Point(1, 1))
    plan = factories.floor_plan(location)
    device = factories.placed(location, floorplan=plan, indoor="-1,1")
    factories.placed(factories.location(organization))
    factories.device(organization)
    for query in (
        {"location": str(location.pk)},
        {"location__name": "del corso"},
        {"floorplan": str(plan.pk)},
    ):
        (found,) = client.get(f"{ROOT}/device/", query).json()["results"]
        assert found["id"] == str(device.pk), query
    assert client.get(f"{ROOT}/device/", {"with_geo": "true"}).json()["count"] == 2
    assert client.get(f"{ROOT}/device/", {"with_geo": "false"}).json()["count"] == 1
    foreign = factories.location(factories.organization())
    assert client.get(f"{ROOT}/device/", {"location": str(foreign.pk)}).status_code == 400
