"""Sanitizing of uploaded images: format detection by content, and re-encoding."""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

# Formats supported by all browsers that cannot contain scripts.
FORMATS = ("PNG", "JPEG", "WEBP")

# Exceptions of decoders on malformed input.
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
    """Unsupported format, broken file, or too many pixels; the message says which."""


@dataclass(frozen=True)
class Picture:
    data: bytes
    # Subtype of the media type, and file extension.
    kind: str
    width: int
    height: int


def cleaned(raw: bytes, *, max_pixels: int) -> Picture:
    """Re-encode the image: without metadata, further frames and trailing data.

    The orientation tag is applied to the pixels. An image of more than ``max_pixels`` is
    refused by its header, before it is decoded.
    """
    too_large = f"The image has too many pixels; at most {max_pixels:,} are taken."
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as opened:
            if opened.width * opened.height > max_pixels:
                raise NotAPicture(too_large)  # noqa: TRY301 - before anything is decoded
            # A photo with a second picture behind it (MPO) is a JPEG with a tail.
            kind = opened.format if opened.format in FORMATS else "JPEG"
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
    """Return the pixels only, in a mode that all formats support."""
    if image.mode.startswith("I"):
        # 16 bits of gray, as scanners write: converting alone would make most of it white.
        image = image.convert("I").point(lambda shade: shade * (1 / 256)).convert("L")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        mode = "RGBA"
    else:
        mode = "L" if image.mode in {"1", "L"} else "RGB"
    plain = image.convert(mode)
    # Encoders would copy color profiles, comments and resolutions from here.
    plain.info = {}
    return plain


def _encoded(pixels: Image.Image, kind: str) -> Picture:
    out = io.BytesIO()
    if kind == "JPEG":
        pixels.convert("L" if pixels.mode == "L" else "RGB").save(out, "JPEG", quality=90)
    else:
        pixels.save(out, kind)
    return Picture(out.getvalue(), kind.lower(), pixels.width, pixels.height)
