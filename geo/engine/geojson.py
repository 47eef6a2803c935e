"""Parsing and validation of GeoJSON and well-known text.

Parsed here and not by OGR, as its older releases open files and URLs named in the input.
"""

import json
import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

# Nesting depth of the coordinates of each geometry type.
DEPTHS = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
# GeometryCollection is excluded, since collections may nest without limit.
WELL_KNOWN_TEXT = re.compile(
    rf"\s*(?:SRID=4326\s*;)?\s*(?P<shape>(?:{'|'.join(DEPTHS)})(?:\s+Z)?\s*(?:EMPTY|\([-+.,()eE\d\s]*\))\s*)",
    re.IGNORECASE,
)
LONGEST_TEXT = 200_000
MOST_POSITIONS = 10_000
# In degrees.
HALF_TURN = 180
QUARTER_TURN = 90

Position = tuple[float, float]


class NotGeometry(ValueError):
    """Invalid geometry; the message says why."""


def parsed(value: object) -> tuple[str, Any]:
    """Return type and coordinates of a GeoJSON geometry or feature (mapping or text).

    Heights are dropped. Raises :class:`NotGeometry`.
    """
    if isinstance(value, str):
        value = _loaded(value)
    if not isinstance(value, Mapping):
        raise NotGeometry("A geometry is a GeoJSON object or well-known text.")
    if value.get("type") == "Feature":
        return parsed(value.get("geometry"))
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in DEPTHS:
        raise NotGeometry(f"The geometry's type is one of {', '.join(DEPTHS)}.")
    # One of OpenWISP's documented examples calls them "location".
    coordinates = value.get("coordinates", value.get("location"))
    if isinstance(coordinates, str):
        coordinates = _loaded(coordinates)
    found = _nested(coordinates, DEPTHS[kind], [0])
    if kind not in {"Point", "MultiPoint"} and _crosses_antimeridian(found):
        raise NotGeometry(
            "The geometry goes more than half around the earth between two points. Where it crosses "
            "the 180th meridian, cut it in two there (RFC 7946, 3.1.9)."
        )
    return kind, found


def _crosses_antimeridian(coordinates: Any) -> bool:
    if not isinstance(coordinates[0][0], tuple):
        return any(
            HALF_TURN < abs(a[0] - b[0]) < 2 * HALF_TURN for a, b in pairwise(coordinates)
        )
    return any(_crosses_antimeridian(one) for one in coordinates)


def _loaded(text: str) -> object:
    if len(text) > LONGEST_TEXT:
        raise NotGeometry(f"The geometry is longer than {LONGEST_TEXT:,} characters.")
    try:
        loaded: object = json.loads(text)
    except (ValueError, RecursionError):
        raise NotGeometry("The geometry is neither GeoJSON nor well-known text.") from None
    return loaded


def _nested(value: Any, depth: int, count: list[int]) -> Any:
    if depth == 0:
        count[0] += 1
        if count[0] > MOST_POSITIONS:
            raise NotGeometry(f"The geometry has more than {MOST_POSITIONS:,} points.")
        return position(value)
    if not isinstance(value, list | tuple) or not value:
        raise NotGeometry("The geometry's coordinates are not nested as its type wants.")
    return tuple(_nested(one, depth - 1, count) for one in value)


def position(value: Any) -> Position:
    """Return longitude and latitude in degrees, in this order."""
    if not isinstance(value, list | tuple) or len(value) not in {2, 3}:
        raise NotGeometry("A position is written [longitude, latitude].")
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in value):
        raise NotGeometry("Longitude and latitude are numbers.")
    try:
        longitude, latitude = float(value[0]), float(value[1])
    except OverflowError:
        longitude = latitude = math.inf
    in_range(longitude, latitude)
    return longitude, latitude


def in_range(longitude: float, latitude: float) -> None:
    # Written so that NaN is out of range as well.
    if not (abs(longitude) <= HALF_TURN and abs(latitude) <= QUARTER_TURN):
        raise NotGeometry(
            "Coordinates are out of range: longitude is -180 to 180 degrees and comes first, "
            "latitude is -90 to 90."
        )


def well_known_text(value: str) -> str | None:
    """Return the text of a single shape for a WKT reader; None if it is anything else."""
    if len(value) > LONGEST_TEXT:
        raise NotGeometry(f"The geometry is longer than {LONGEST_TEXT:,} characters.")
    match = WELL_KNOWN_TEXT.fullmatch(value)
    return match["shape"] if match else None
