"""File formats of images: refuse what is certainly none, and what was cut short."""

import struct
import zlib
from collections.abc import Mapping
from typing import BinaryIO

from controller.firmware.engine.errors import BadImage
from controller.firmware.engine.trailer import PART

SMALLEST = 4096
HEAD = 4096
UIMAGE, DEVICE_TREE, GZIP = b"\x27\x05\x19\x56", b"\xd0\x0d\xfe\xed", b"\x1f\x8b\x08"
UIMAGE_HEADER = 64
TAR_MAGIC_AT, TAR_BLOCK = 257, 512
FOREIGN: Mapping[bytes, str] = {
    b"PK\x03\x04": "a ZIP archive: unpack it and upload the image inside",
    b"\x7fELF": "a program (ELF), such as an initramfs kernel, not a sysupgrade image",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"%PDF": "a PDF document",
    b"7z\xbc\xaf": "a 7z archive: unpack it and upload the image inside",
    b"\xfd7zXZ": "an XZ archive: unpack it and upload the image inside",
    b"BZh": "a bzip2 archive: unpack it and upload the image inside",
}
WRONG_NAMES: Mapping[str, str] = {
    "-factory": "a factory image, made for the vendor's first installation",
    "initramfs": "an initramfs image, which runs from memory and cannot be installed",
    "-recovery": "a recovery image",
}


def check_name(name: str) -> None:
    """Raise BadImage for names of images that sysupgrade does not take."""
    for part, means in WRONG_NAMES.items():
        if part in name.lower():
            raise BadImage(f"{name} is {means}. Upload the sysupgrade image instead.")


def check_format(file: BinaryIO, size: int) -> None:
    """Raise BadImage unless the first ``size`` bytes may be a complete image."""
    if size == 0:
        raise BadImage("The file is empty.")
    file.seek(0)
    head = file.read(min(HEAD, size))
    _refuse_foreign(head)
    if size < SMALLEST:
        raise BadImage(f"The file has only {size} bytes, too few for a firmware image.")
    if head[:4] == UIMAGE:
        _check_declared(size, UIMAGE_HEADER + struct.unpack_from(">I", head, 12)[0])
    elif head[:4] == DEVICE_TREE:
        _check_declared(size, struct.unpack_from(">I", head, 4)[0])
    elif head[:3] == GZIP:
        _check_gzip(file, size)
    elif head[TAR_MAGIC_AT : TAR_MAGIC_AT + 5] == b"ustar":
        _check_tar(file, size)


def _refuse_foreign(head: bytes) -> None:
    for magic, means in FOREIGN.items():
        if head.startswith(magic):
            raise BadImage(f"The file is {means}.")
    if len(set(head)) == 1:
        raise BadImage(
            f"The file is filled with the byte {head[0]:#04x}; it holds no firmware."
        )
    try:
        text = head.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        # A character may be cut at the end of the bytes read.
        if error.start < len(head) - 3:
            return
        text = head[: error.start].decode()
    if text.lstrip().lower().startswith(("<!doctype", "<html")):
        raise BadImage(
            "The file is a web page: the download answered with an error or a login."
        )
    if all(one.isprintable() or one in "\t\r\n" for one in text):
        raise BadImage("The file is text, not a firmware image.")


def _check_declared(size: int, declared: int) -> None:
    if size < declared:
        raise BadImage(
            f"The image is cut short: its header declares {declared} bytes, the file has {size}."
        )


def _check_gzip(file: BinaryIO, size: int) -> None:
    file.seek(0)
    unpack, left, start = zlib.decompressobj(zlib.MAX_WBITS | 16), size, b""
    try:
        while left and not unpack.eof:
            part = file.read(min(PART, left))
            left -= len(part)
            # Bounded: a small file can unpack to a huge one.
            data = unpack.decompress(part, PART)
            start = start or data[:TAR_BLOCK]
            while unpack.unconsumed_tail:
                unpack.decompress(unpack.unconsumed_tail, PART)
    except zlib.error as error:
        raise BadImage(f"The compressed image is damaged: {error}.") from error
    if not unpack.eof:
        raise BadImage("The compressed image is cut short.")
    if start.startswith((b"etc/", b"./etc/")) and start[257:262] == b"ustar":
        raise BadImage("The file is a backup of a device's settings, not a firmware image.")


def _check_tar(file: BinaryIO, size: int) -> None:
    """Walk the members' headers; data and the end marker must be there."""
    at = 0
    while at + TAR_BLOCK <= size:
        file.seek(at)
        header = file.read(TAR_BLOCK)
        if not any(header):
            return
        try:
            length = int(header[124:136].strip(b"\0 ") or b"0", 8)
        except ValueError as error:
            raise BadImage("The archive of the image is damaged.") from error
        at += TAR_BLOCK + -(-length // TAR_BLOCK) * TAR_BLOCK
    if at > size:
        raise BadImage("The image is cut short: its archive ends in the middle of a member.")
