"""Spatial filters on the spatial index of the database under test."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.gis.geos import Point, Polygon
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.devices.models import Device
from geo.models import Location, in_area, in_box, near
from tests import factories

ROOT = "/api/v1/controller"
CITIES = {
    "Rome": (12.4964, 41.9028),
    "Milan": (9.19, 45.4642),
    "Suva": (178.4419, -18.1416),
    "Apia": (-171.7513, -13.8333),
    "Longyearbyen": (15.6356, 78.2232),
}
# Rome to Milan is some 477 km along the earth's surface.
POLYGON_AROUND_ITALY = "POLYGON ((6 36, 19 36, 19 47, 6 47, 6 36))"


@pytest.fixture
def cities(organization: Organization) -> dict[str, Device]:
    return {
        name: factories.placed(factories.location(organization, name=name, at=at))
        for name, at in CITIES.items()
    }


@pytest.fixture
def client(
    api: Callable[[User | None], APIClient],
    organization: Organization,
    cities: dict[str, Device],
) -> APIClient:
    return api(factories.user(organization, "viewer"))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"in_bbox": "6,36,19,47"}, {"Rome", "Milan"}),
        ({"in_bbox": "12.4964,41.9028,13,42"}, {"Rome"}),
        ({"in_bbox": "12.4964,41.9028,12.4964,41.9028"}, {"Rome"}),
        ({"in_bbox": "12.4964,41,12.4964,42"}, {"Rome"}),
        ({"in_bbox": "170,-30,-170,0"}, {"Suva", "Apia"}),
        ({"in_bbox": "-180,-90,180,90"}, set(CITIES)),
        ({"in_bbox": "0,0,1,1"}, set()),
        ({"in_polygon": POLYGON_AROUND_ITALY}, {"Rome", "Milan"}),
        (
            {
                "in_polygon": '{"type": "Polygon", "coordinates": '
                "[[[8, 44], [10, 44], [10, 47], [8, 47], [8, 44]]]}"
            },
            {"Milan"},
        ),
        ({"point": "12.4964,41.9028"}, {"Rome"}),
        ({"point": "12.4964,41.9028", "dist": "470000"}, {"Rome"}),
        ({"point": "12.4964,41.9028", "dist": "485000"}, {"Rome", "Milan"}),
        ({"point": "12.51,41.9028", "dist": "500"}, set()),
        ({"point": "179.9,-16", "dist": "1000000"}, {"Suva", "Apia"}),
        ({"point": "-160,89.9", "dist": "1400000"}, {"Longyearbyen"}),
        ({"point": "0,0", "dist": "20050000"}, set(CITIES)),
        ({"point": "12.4964,41.9028", "dist": "0"}, {"Rome"}),
        ({"in_bbox": "6,36,19,47", "point": "9,45", "dist": "100000"}, {"Milan"}),
    ],
)
def test_places_are_found(client: APIClient, query: dict[str, str], names: set[str]) -> None:
    found = client.get(f"{ROOT}/location/", query)
    assert found.status_code == 200, found.content
    assert {row["name"] for row in found.json()["results"]} == names
    features = client.get(f"{ROOT}/location/geojson/", query).json()["features"]
    assert {feature["properties"]["name"] for feature in features} == names
    devices = client.get(f"{ROOT}/device/", query).json()["results"]
    assert {
        Device.objects.get(pk=device["id"]).place.location.name for device in devices
    } == names


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"in_bbox": "1,2,3"}, "in_bbox"),
        ({"in_bbox": "0,10,1,5"}, "in_bbox"),
        ({"in_bbox": "0,0,500,1"}, "in_bbox"),
        ({"in_polygon": "POINT (1 2)"}, "in_polygon"),
        ({"in_polygon": "nonsense"}, "in_polygon"),
        ({"point": "1"}, "point"),
        ({"point": "200,1"}, "point"),
        ({"point": "1,1", "dist": "-1"}, "dist"),
        ({"point": "1,1", "dist": "x"}, "dist"),
        ({"point": "1,1", "dist": "NaN"}, "dist"),
        ({"dist": "100"}, "dist"),
    ],
)
@pytest.mark.parametrize("path", ["location", "device", "location/geojson"])
def test_a_filter_that_makes_no_sense_is_told(
    client: APIClient, path: str, query: dict[str, str], field: str
) -> None:
    answer = client.get(f"{ROOT}/{path}/", query)
    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == [field]


def plan_of(rows: Any) -> str:
    return str(rows.explain())


@pytest.mark.parametrize("kind", ["box", "area", "distance"])
@pytest.mark.parametrize("through", ["locations", "devices"])
def test_the_spatial_index_is_used(organization: Organization, kind: str, through: str) -> None:
    Location.objects.bulk_create(
        Location(
            organization=organization,
            name=f"{number}",
            type="outdoor",
            geometry=Point(number % 360 - 180, number % 170 - 85, srid=4326),
        )
        for number in range(5_000)
    )
    rows: Any = (
        Location.objects.order_by() if through == "locations" else (Device.objects.order_by())
    )
    path = "geometry" if through == "locations" else "place__location__geometry"
    shape = Polygon.from_bbox((10, 10, 11, 11))
    found = {
        "box": lambda: rows.filter(in_box(path, (10, 10, 11, 11))),
        "area": lambda: rows.filter(in_area(path, shape)),
        "distance": lambda: near(rows, path, Point(10, 10), 1000),
    }[kind]()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE geo_location")
            cursor.execute("SET enable_seqscan = off")
        assert "geo_location_geometry" in plan_of(found)
    else:
        plan = plan_of(found)
        assert "idx_geo_location_geometry VIRTUAL TABLE INDEX" in plan
        assert "SCAN geo_location" not in plan


@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(0, 5_000_000))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_index_loses_nothing_that_is_near(
    cities: dict[str, Device], longitude: float, latitude: float, meters: float
) -> None:
    from django.contrib.gis.db.models.functions import Distance
    from django.contrib.gis.measure import D

    point = Point(longitude, latitude, srid=4326)
    everything = (
        Location.objects.alias(away=Distance("geometry", point))
        .filter(away__lte=D(m=meters))
        .values_list("name", flat=True)
    )
    found = near(Location.objects.all(), "geometry", point, meters)
    assert set(found.values_list("name", flat=True)) == set(everything)
