"""Pictures and shapes that people really have: taken rightly, or refused with the reason."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from geo.engine.geojson import NotGeometry, parsed
from geo.engine.images import cleaned

INPUTS = Path(__file__).parents[1] / "inputs/img"


def test_sixteen_bits_of_gray_keep_their_shades() -> None:
    made = cleaned((INPUTS / "gray16.png").read_bytes(), max_pixels=36_000_000)
    with Image.open(io.BytesIO(made.data)) as plan:
        shades = plan.convert("L").getcolors()
    with Image.open(INPUTS / "gray16.png") as scan:
        assert len(shades) == len(scan.convert("I").getcolors())


def test_a_photo_with_a_second_picture_is_a_jpeg() -> None:
    made = cleaned((INPUTS / "phone.jpg").read_bytes(), max_pixels=36_000_000)
    assert made.kind == "jpeg"
    with Image.open(io.BytesIO(made.data)) as photo:
        assert photo.format == "JPEG"


def ring(*longitudes: float) -> Any:
    west, east = longitudes
    corners = [[west, -18], [east, -18], [east, -15], [west, -15], [west, -18]]
    return {"type": "Polygon", "coordinates": [corners]}


def test_a_shape_across_the_antimeridian_is_cut_by_whoever_sends_it() -> None:
    with pytest.raises(NotGeometry, match="180th meridian"):
        parsed(ring(179, -179))
    with pytest.raises(NotGeometry, match="180th meridian"):
        parsed({"type": "LineString", "coordinates": [[179, 0], [-179, 0]]})
    for shape in (ring(179, 180), ring(-180, 180), ring(-10, 10)):
        assert parsed(shape)[0] == "Polygon"
