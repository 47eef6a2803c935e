"""Everything that can be read from an image file."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.firmware.engine.formats import check_format
from controller.firmware.engine.metadata import Metadata, read_metadata
from controller.firmware.engine.signatures import PublicKey, Verdict, verify
from controller.firmware.engine.trailer import Trailer, read_trailer


@dataclass(frozen=True)
class ImageReport:
    """Facts about an image; ``metadata`` is None if the image has none."""

    metadata: Metadata | None
    signature: Verdict


def inspect(path: Path, keys: Sequence[PublicKey] = ()) -> ImageReport:
    """Read an image; raise BadImage if it is damaged or no firmware."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size == 0:
            check_format(file, size)
        trailer = read_trailer(file, size)
        check_format(file, trailer.payload_size)
        metadata = None if trailer.info is None else read_metadata(trailer.info)
        return ImageReport(metadata, _verdict(file.fileno(), trailer, keys))


def _verdict(descriptor: int, trailer: Trailer, keys: Sequence[PublicKey]) -> Verdict:
    if trailer.signature is None:
        return Verdict.NONE
    # Mapped, as the signature covers the whole image at once.
    with (
        mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as whole,
        memoryview(whole) as view,
        view[: trailer.signed_size] as message,
    ):
        return verify(trailer.signature, message, keys)
