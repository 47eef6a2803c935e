"""Conversion of geometry between input, database and GeoJSON.

Uses GEOS, never OGR.
"""

import struct
from collections.abc import Iterator
from typing import Any

from django.contrib.gis.geos import (
    GEOSException,
    GEOSGeometry,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
    WKTReader,
)
from django.utils.translation import gettext

from controller.base.errors import Refused
from geo.engine import geojson

SRID = 4326
BOX_SIDES = 4


def read(value: object) -> GEOSGeometry | None:
    """Parse GeoJSON (mapping or text) or well-known text; None if empty.

    Raises :class:`Refused` with an explanation.
    """
    if value is None or value == "":
        return None
    if isinstance(value, GEOSGeometry):
        return value
    try:
        made = _made(value)
    except geojson.NotGeometry as error:
        raise Refused(str(error)) from None
    except (GEOSException, ValueError, TypeError):
        raise Refused(
            gettext(
                "The geometry cannot be built: a line has two points or more, a ring has four or "
                "more, and its last is its first."
            )
        ) from None
    if made.empty:
        raise Refused(gettext("The geometry is empty."))
    if not made.valid:
        raise Refused(
            gettext("The geometry is not valid: %(valid_reason)s.")
            % {"valid_reason": made.valid_reason}
        )
    made.srid = SRID
    return made


def _made(value: object) -> GEOSGeometry:
    if isinstance(value, str):
        text = geojson.well_known_text(value)
        if text is not None:
            return _flat(WKTReader().read(text))
    return build(*geojson.parsed(value))


def _flat(geometry: GEOSGeometry) -> GEOSGeometry:
    """Return the geometry without heights, checked for the range of its coordinates."""
    if geometry.empty:
        return geometry
    return build(*geojson.parsed(as_geojson(geometry)))


def build(kind: str, coordinates: Any) -> GEOSGeometry:
    match kind:
        case "Point":
            return Point(coordinates)
        case "MultiPoint":
            return MultiPoint([Point(one) for one in coordinates])
        case "LineString":
            return LineString(coordinates)
        case "MultiLineString":
            return MultiLineString([LineString(one) for one in coordinates])
        case "Polygon":
            return Polygon(*coordinates)
    return MultiPolygon([Polygon(*one) for one in coordinates])


def as_geojson(geometry: GEOSGeometry | None) -> dict[str, Any] | None:
    if geometry is None:
        return None
    return {"type": geometry.geom_type, "coordinates": geometry.coords}  # type: ignore[attr-defined]


# WKB of a point: byte order, type, two doubles.
POINT = struct.Struct("<BIdd")
LITTLE_ENDIAN_POINT = (1, 1)


def wkb_as_geojson(binary: bytes | memoryview | None) -> dict[str, Any] | None:
    """Convert WKB from the database. Points, the most common type, bypass GEOS."""
    if binary is None:
        return None
    if len(binary) == POINT.size:
        *head, longitude, latitude = POINT.unpack(binary)
        if tuple(head) == LITTLE_ENDIAN_POINT:
            return {"type": "Point", "coordinates": (longitude, latitude)}
    return as_geojson(GEOSGeometry(memoryview(binary)))


def box(text: str) -> tuple[float, float, float, float]:
    """Parse ``west,south,east,north`` in degrees. Raises Refused."""
    try:
        west, south, east, north = numbers(text)
        geojson.in_range(west, south)
        geojson.in_range(east, north)
    except ValueError as error:
        why = f" {error}" if isinstance(error, geojson.NotGeometry) else ""
        raise Refused(
            gettext("A box is written west,south,east,north, in degrees.%(why)s") % {"why": why}
        ) from None
    if south > north:
        raise Refused(
            gettext("A box is written west,south,east,north; its south is above its north.")
        )
    return west, south, east, north


def point(text: str) -> Point:
    """Parse ``longitude,latitude`` in degrees. Raises Refused."""
    try:
        return Point(geojson.position(list(numbers(text))), srid=SRID)
    except ValueError as error:
        why = f" {error}" if isinstance(error, geojson.NotGeometry) else ""
        raise Refused(
            gettext("A point is written longitude,latitude, in degrees.%(why)s") % {"why": why}
        ) from None


def numbers(text: str) -> Iterator[float]:
    return (float(part) for part in text.split(","))


def area(value: str) -> GEOSGeometry:
    """Parse a Polygon or MultiPolygon. Raises Refused."""
    shape = read(value)
    if shape is None or shape.geom_type not in {"Polygon", "MultiPolygon"}:
        raise Refused(
            gettext("A Polygon or MultiPolygon is expected, as GeoJSON or well-known text.")
        )
    return shape
