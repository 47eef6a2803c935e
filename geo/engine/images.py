"""Uploaded pictures: what they are is read from their bytes, and only their pixels are kept."""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

# Formats that every browser draws and that hold no script.
FORMATS = ("PNG", "JPEG", "WEBP")

# What a decoder raises on bytes that somebody made up.
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    OverflowError,
    MemoryError,
)
TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)


class NotAPicture(ValueError):
    """Not one of the formats, broken, or too large to be decoded; says which."""


@dataclass(frozen=True)
class Picture:
    data: bytes
    # What stands after ``image/`` in its media type, and after the dot of its file name.
    kind: str
    width: int
    height: int


def cleaned(raw: bytes, *, max_pixels: int) -> Picture:
    """The same picture, encoded anew: no metadata, no second frame, nothing after its end.

    Its orientation tag is applied to the pixels before it goes. A picture of more than
    ``max_pixels`` is refused by its header, before any of it is decoded.
    """
    too_large = f"The image has too many pixels; at most {max_pixels:,} are taken."
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as opened:
            if opened.width * opened.height > max_pixels:
                raise NotAPicture(too_large)  # noqa: TRY301 - before anything is decoded
            kind = opened.format or FORMATS[0]
            pixels = _plain(ImageOps.exif_transpose(opened))
    except NotAPicture:
        raise
    except TOO_LARGE:
        raise NotAPicture(too_large) from None
    except UNREADABLE:
        raise NotAPicture(
            "Upload a valid image: PNG, JPEG or WebP. "
            "The file is something else, or it is broken."
        ) from None
    return _encoded(pixels, kind)


def _plain(image: Image.Image) -> Image.Image:
    """Its pixels alone, in a mode that each of the formats can hold."""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        mode = "RGBA"
    else:
        mode = "L" if image.mode in {"1", "L"} else "RGB"
    plain = image.convert(mode)
    # Encoders copy color profiles, comments and resolutions from here.
    plain.info = {}
    return plain


def _encoded(pixels: Image.Image, kind: str) -> Picture:
    out = io.BytesIO()
    if kind == "JPEG":
        pixels.convert("L" if pixels.mode == "L" else "RGB").save(out, "JPEG", quality=90)
    else:
        pixels.save(out, kind)
    return Picture(out.getvalue(), kind.lower(), pixels.width, pixels.height)
