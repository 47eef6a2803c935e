"""Accepted images and their sanitized form."""

import io
import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from geo.engine.images import NotAPicture, cleaned

LIMIT = 1_000_000


def encoded(
    kind: str, mode: str = "RGB", size: tuple[int, int] = (30, 20), **more: object
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 1).save(out, kind, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_each_format_stays_what_it_is(kind: str) -> None:
    picture = cleaned(encoded(kind), max_pixels=LIMIT)
    assert (picture.kind, picture.width, picture.height) == (kind.lower(), 30, 20)
    assert opened(picture.data).format == kind


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", mode) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")]
    + [("JPEG", "CMYK"), ("JPEG", "L"), ("WEBP", "RGBA")],
)
def test_every_color_mode_is_taken(kind: str, mode: str) -> None:
    assert opened(cleaned(encoded(kind, mode), max_pixels=LIMIT).data).size == (30, 20)


def test_metadata_goes_and_its_orientation_stays() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    exif[0x010E] = "taken at home"
    raw = encoded("JPEG", exif=exif, comment=b"a secret comment", icc_profile=b"a profile")
    picture = cleaned(raw, max_pixels=LIMIT)
    assert (picture.width, picture.height) == (20, 30)
    for secret in (b"taken at home", b"a secret comment", b"a profile"):
        assert secret in raw
        assert secret not in picture.data
    assert not opened(picture.data).getexif()


def test_text_and_what_follows_the_end_of_a_png_go() -> None:
    info = PngInfo()
    info.add_text("Comment", "a secret comment")
    raw = encoded("PNG", pnginfo=info) + b"<script>alert(1)</script>"
    data = cleaned(raw, max_pixels=LIMIT).data
    assert b"a secret comment" not in data
    assert b"<script>" not in data


def test_only_the_first_frame_of_an_animation_is_kept() -> None:
    frames = [Image.new("RGB", (30, 20), color) for color in ("red", "blue", "green")]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    assert getattr(opened(cleaned(out.getvalue(), max_pixels=LIMIT).data), "n_frames", 1) == 1


def png_claiming(width: int, height: int) -> bytes:
    """Return a small file whose header claims these dimensions, with all pixels zero."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 + width // 8) * 100, 9)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")):
        parts += [struct.pack(">I", len(data)), name, data]
        parts += [struct.pack(">I", zlib.crc32(name + data))]
    return b"".join(parts)


@pytest.mark.parametrize("side", [1_001, 10_000, 15_000, 30_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(NotAPicture, match="too many pixels"):
        cleaned(png_claiming(side, side), max_pixels=LIMIT)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\x89PNG\r\n\x1a\n",
        encoded("GIF"),
        encoded("TIFF"),
        encoded("PNG")[:-30],
        encoded("JPEG")[:300],
    ],
    ids=[
        "nothing", "gif header", "svg", "postscript", "png header", "gif", "tiff", "short png",
        "short jpeg",
    ],
)  # fmt: skip
def test_everything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(NotAPicture, match="PNG, JPEG or WebP"):
        cleaned(raw, max_pixels=LIMIT)
