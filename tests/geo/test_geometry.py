"""Geometry input and output by GEOS only."""

import math
from typing import Any

import pytest
from django.contrib.gis.geos import Point, Polygon
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from controller.base.errors import Refused
from geo.api.serializers import FloorField
from geo.rules import geometry
from geo.rules.locations import under

TRIANGLE = [[[0, 0], [4, 0], [4, 4], [0, 0]]]


@pytest.mark.parametrize(
    "written",
    [
        {"type": "Point", "coordinates": [12.5, 41.9]},
        {"type": "Point", "coordinates": [12.5, 41.9, 120]},
        {"type": "Point", "coordinates": "[12.5, 41.9]"},
        {"type": "Point", "location": [12.5, 41.9]},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [12.5, 41.9]}},
        '{"type": "Point", "coordinates": [12.5, 41.9]}',
        "POINT (12.5 41.9)",
        " point(1.25e1 41.9) ",
        "POINT Z (12.5 41.9 120)",
        "SRID=4326;POINT (12.5 41.9)",
    ],
)
def test_a_point_is_written_in_many_ways(written: object) -> None:
    read = geometry.read(written)
    assert read == Point(12.5, 41.9, srid=4326)
    assert geometry.as_geojson(read) == {"type": "Point", "coordinates": (12.5, 41.9)}


@pytest.mark.parametrize(
    ("kind", "coordinates"),
    [
        ("MultiPoint", [[0, 0], [1, 1]]),
        ("LineString", [[0, 0], [1, 1]]),
        ("MultiLineString", [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]),
        ("Polygon", TRIANGLE),
        ("MultiPolygon", [TRIANGLE]),
    ],
)
def test_every_shape_comes_back_as_it_went_in(kind: str, coordinates: Any) -> None:
    read = geometry.read({"type": kind, "coordinates": coordinates})
    assert read is not None
    shown = geometry.as_geojson(read)
    assert geometry.read(shown) == read
    assert geometry.read(read.wkt) == read


@given(st.floats(-180, 180, allow_subnormal=False), st.floats(-90, 90, allow_subnormal=False))
def test_no_digit_of_a_point_is_lost(longitude: float, latitude: float) -> None:
    shown = geometry.as_geojson(
        geometry.read({"type": "Point", "coordinates": [longitude, latitude]})
    )
    assert shown == {"type": "Point", "coordinates": (longitude, latitude)}


DEEP = "(" * 100_000


@pytest.mark.parametrize(
    "written",
    [
        "nonsense",
        "[]",
        [],
        12,
        True,
        b"POINT (1 2)",
        {},
        {"type": "Point"},
        {"type": ["Point"], "coordinates": [1, 2]},
        {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": [1, 2, 3, 4]},
        {"type": "Point", "coordinates": ["1", "2"]},
        {"type": "Point", "coordinates": [True, False]},
        {"type": "Point", "coordinates": {"0": 1}},
        {"type": "Point", "coordinates": [181, 0]},
        {"type": "Point", "coordinates": [0, -90.1]},
        {"type": "Point", "coordinates": [math.nan, 0]},
        {"type": "Point", "coordinates": [math.inf, 0]},
        {"type": "Point", "coordinates": [10**400, 0]},
        {"type": "LineString", "coordinates": [[0, 0]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "Circle", "coordinates": [1, 2]},
        {"type": "LineString", "coordinates": [[0, 0]] * 20_000},
        "POINT EMPTY",
        "POINT (200 0)",
        "POINT (nan nan)",
        "POINT (1 2",
        "SRID=3857;POINT (1 2)",
        "GEOMETRYCOLLECTION (POINT (1 2))",
        "GEOMETRYCOLLECTION (" * 50_000,
        f"POLYGON {DEEP}",
        f"POLYGON {DEEP}{')' * 100_000}",
        "[" * 100_000,
        '{"type": "Feature", "geometry": ' * 5_000,
        "POINT (1 2)" + " " * 300_000,
        "/vsicurl/http://127.0.0.1:1/x",
        "<gml:Point><gml:coordinates>1,2</gml:coordinates></gml:Point>",
        "0101000020E6100000000000000000F03F0000000000000040",
    ],
    ids=lambda written: str(written)[:50],
)
def test_everything_else_is_refused_with_a_sentence(written: object) -> None:
    with pytest.raises(Refused) as refused:
        geometry.read(written)
    assert str(refused.value).endswith(".")


def test_nothing_is_nothing() -> None:
    assert geometry.read("") is None
    assert geometry.read(None) is None
    assert geometry.as_geojson(None) is None


def test_ogr_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.gis import gdal

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("OGR was asked")

    monkeypatch.setattr(gdal.OGRGeometry, "__init__", fail)
    monkeypatch.setattr(gdal.OGRGeometry, "from_json", fail)
    shape = geometry.read({"type": "Polygon", "coordinates": TRIANGLE})
    assert isinstance(shape, Polygon)
    assert geometry.as_geojson(geometry.read("POINT (1 2)"))


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,x", "0,10,1,5", "0,0,200,1", "nan,0,1,1"])
def test_a_box_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="west,south,east,north"):
        geometry.box(text)


@pytest.mark.parametrize("text", ["1", "1,2,3,4", "x,y", "0,91", "nan,nan"])
def test_a_point_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="longitude,latitude"):
        geometry.point(text)


@pytest.mark.parametrize("text", ["POINT (1 2)", "LINESTRING (0 0, 1 1)", "x"])
def test_an_area_is_a_polygon(text: str) -> None:
    with pytest.raises(Refused):
        geometry.area(text)


def test_errors_of_a_nested_object_name_its_fields_below_the_field_of_the_object() -> None:
    error = Refused(
        {"__all__": ["No plan."], "floorplan": ["No image."], "floor": ["Too high."]}
    )
    assert under("floorplan", error).by_field == {
        "floorplan": ["No plan.", "No image.", "floor: Too high."]
    }


@pytest.mark.parametrize(
    ("floor", "is_floor"), [(32767, True), (32768, False), (-32769, False)]
)
def test_floors_fit_into_their_column(floor: int, is_floor: bool) -> None:
    field = FloorField()
    if is_floor:
        assert field.run_validation(floor) == floor
        return
    with pytest.raises(ValidationError):
        field.run_validation(floor)
