"""Metadata and signature that OpenWrt's build appends to an image.

Chunks stand at the end of the file and are read backwards. Each is followed by a trailer of 16
bytes, big-endian: ``FWx0``, a checksum of everything before the trailer, the kind of chunk, and
the size of chunk and trailer together. Format: OpenWrt's fwtool.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, BinaryIO

from controller.firmware.engine.errors import BadImage

MAGIC = b"FWx0"
TRAILER = struct.Struct(">4sIB3xI")
HEADER_SIZE = 8
LARGEST_INFO = 30 * 1024
LARGEST_SIGNATURE = 4 * 1024
PART = 256 * 1024
# How far from the end a misplaced trailer is looked for.
TAIL = 64 * 1024
INVERTED = 0xFFFFFFFF


class Kind(IntEnum):
    SIGNATURE = 0
    INFO = 1


LARGEST: Mapping[int, int] = {Kind.SIGNATURE: LARGEST_SIGNATURE, Kind.INFO: LARGEST_INFO}


@dataclass(frozen=True)
class Trailer:
    """Chunks found at the end of an image; ``payload_size`` is the size without them."""

    payload_size: int
    info: Mapping[str, Any] | None = None
    signature: bytes | None = None
    signed_size: int = 0
    """Number of leading bytes that the signature covers."""


def read_trailer(file: BinaryIO, size: int) -> Trailer:
    """Read the chunks at the end of an image; raise BadImage if they are damaged."""
    found: dict[int, bytes] = {}
    end = signed = size
    while (head := _trailer_at(file, end)) is not None:
        checksum, kind, length = head
        _check_length(kind, length, end)
        if kind in found:
            raise BadImage(f"The image has two {Kind(kind).name.lower()} chunks.")
        if _checksum(file, end - TRAILER.size) != checksum:
            raise BadImage(
                "The checksum at the end of the image does not match its content: the file was "
                "damaged or cut. Build or download it again."
            )
        file.seek(end - length)
        found[kind] = file.read(length - TRAILER.size)
        end -= length
        if kind == Kind.SIGNATURE:
            signed = end
    if not found:
        _refuse_misplaced(file, size)
    if end == 0:
        raise BadImage("The file consists of metadata only; the firmware itself is missing.")
    info = found.get(Kind.INFO)
    return Trailer(
        end, None if info is None else _parse(info), found.get(Kind.SIGNATURE), signed
    )


def _trailer_at(file: BinaryIO, end: int) -> tuple[int, int, int] | None:
    if end < TRAILER.size:
        return None
    file.seek(end - TRAILER.size)
    magic, checksum, kind, length = TRAILER.unpack(file.read(TRAILER.size))
    return (checksum, kind, length) if magic == MAGIC else None


def _check_length(kind: int, length: int, end: int) -> None:
    if kind not in LARGEST:
        raise BadImage(f"The image ends with a chunk of the unknown kind {kind}.")
    if length < TRAILER.size or length > end:
        raise BadImage(
            f"The metadata at the end of the image claims {length} bytes, which cannot be."
        )
    if length > LARGEST[kind] + TRAILER.size:
        raise BadImage(
            f"The {Kind(kind).name.lower()} chunk has {length} bytes; at most "
            f"{LARGEST[kind]} are allowed."
        )


def _checksum(file: BinaryIO, end: int) -> int:
    """Return the CRC-32 register, without the final inversion, over the first ``end`` bytes."""
    file.seek(0)
    value, left = 0, end
    while left and (part := file.read(min(PART, left))):
        value, left = zlib.crc32(part, value), left - len(part)
    return value ^ INVERTED


def _refuse_misplaced(file: BinaryIO, size: int) -> None:
    start = max(size - TAIL, 0)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(MAGIC)
    if at < 0:
        return
    rest = len(tail) - at - TRAILER.size
    if rest < 0:
        raise BadImage("The image ends in the middle of its metadata: the file was cut short.")
    # The magic may occur in compressed data by chance; a plausible chunk does not.
    _, _, kind, length = TRAILER.unpack(tail[at : at + TRAILER.size])
    if kind in LARGEST and TRAILER.size <= length <= LARGEST[kind] + TRAILER.size:
        raise BadImage(
            f"{rest} bytes follow the metadata of the image. Upload the file as it was built."
        )


def _parse(data: bytes) -> Mapping[str, Any]:
    if len(data) < HEADER_SIZE or any(data[:HEADER_SIZE]):
        raise BadImage("The metadata of the image has a header of an unknown version.")
    try:
        info = json.loads(data[HEADER_SIZE:].rstrip(b"\0").decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadImage("The metadata of the image is not UTF-8 text.") from error
    except (ValueError, RecursionError) as error:
        raise BadImage("The metadata of the image is not valid JSON.") from error
    if not isinstance(info, dict):
        raise BadImage("The metadata of the image is not a JSON object.")
    return info
