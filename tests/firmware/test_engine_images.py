"""Images: what is read from them, and what is refused with which words."""

import gzip
import json
import struct
from pathlib import Path

import pytest

from controller.firmware.engine.errors import BadImage
from controller.firmware.engine.formats import check_name
from controller.firmware.engine.images import ImageReport, inspect
from controller.firmware.engine.names import image_type, safe_name
from controller.firmware.engine.signatures import Verdict, read_public_key
from tests.firmware.images import (
    PAYLOAD,
    chunk,
    image,
    metadata,
    public_key,
    signed,
    tar,
    with_info,
)

GOOD = image()
UIMAGE = b"\x27\x05\x19\x56" + bytes(8) + struct.pack(">I", 10**6) + PAYLOAD
TREE = b"\xd0\x0d\xfe\xed" + struct.pack(">I", 10**6) + PAYLOAD
SYSUPGRADE_TAR = tar({"sysupgrade-x/CONTROL": b"BOARD=x\n", "sysupgrade-x/root": PAYLOAD})
BACKUP = gzip.compress(tar({"etc/config/network": PAYLOAD * 2}), 0)


def info(**values: object) -> bytes:
    return image(metadata(**values))


def read(folder: Path, data: bytes, *keys: str) -> ImageReport:
    path = folder / "image"
    path.write_bytes(data)
    return inspect(path, [read_public_key(one) for one in keys])


BROKEN = {
    "empty": (b"", "is empty"),
    "small": (b"\x00\x01\x02\xff" * 10, "too few"),
    "web page": (b"<!DOCTYPE html><html><body>Sign in</body></html>" * 200, "web page"),
    "text": (b"0123456789abcdef *openwrt.bin\n" * 400, "is text"),
    "zip": (b"PK\x03\x04" + PAYLOAD, "ZIP"),
    "elf": (b"\x7fELF" + PAYLOAD, "program"),
    "picture": (b"\x89PNG" + PAYLOAD, "picture"),
    "pdf": (b"%PDF" + PAYLOAD, "PDF"),
    "xz": (b"\xfd7zXZ" + PAYLOAD, "XZ"),
    "zeros": (bytes(10_000), "0x00"),
    "erased flash": (b"\xff" * 10_000, "0xff"),
    "byte flipped": (b"\x01" + GOOD[1:], "checksum"),
    "wrong checksum": (with_info(b"{}", checksum=1), "checksum"),
    "size too small": (with_info(b"{}", size=3), "claims 3 bytes"),
    "size too large": (with_info(b"{}", size=10**6), "claims 1000000 bytes"),
    "much metadata": (with_info(b" " * 31_000 + b"{}"), "30720 are allowed"),
    "long signature": (PAYLOAD + chunk(PAYLOAD, 0, b"x" * 5000), "4096 are allowed"),
    "unknown chunk": (PAYLOAD + chunk(PAYLOAD, 7, b"x" * 9), "unknown kind 7"),
    "twice": (GOOD + chunk(GOOD, 1, bytes(8) + b"{}"), "two info chunks"),
    "two signatures": (signed(signed(GOOD)), "two signature chunks"),
    "bytes after it": (GOOD + b"\0" * 100, "100 bytes follow"),
    "cut in the trailer": (GOOD[:-5], "middle of its metadata"),
    "metadata only": (with_info(b"{}", payload=b""), "metadata only"),
    "no header": (PAYLOAD + chunk(PAYLOAD, 1, b"{}"), "unknown version"),
    "other header": (PAYLOAD + chunk(PAYLOAD, 1, b"\1" * 8 + b"{}"), "unknown version"),
    "not UTF-8": (with_info(b'{"a": "\xff"}'), "not UTF-8"),
    "not JSON": (with_info(b"{supported}"), "not valid JSON"),
    "a list": (with_info(b"[]"), "not a JSON object"),
    "deep": (with_info(b"[" * 20_000), "not valid JSON"),
    "no devices": (with_info(b"{}"), "no list supported_devices"),
    "empty list": (info(supported_devices=[]), "no list supported_devices"),
    "number as board": (info(supported_devices=[5]), "holds 5"),
    "line as board": (info(supported_devices=["a\nb"]), "no name of a board"),
    "many boards": (info(supported_devices=[f"x,{n}" for n in range(201)]), "201 entries"),
    "compat": (info(compat_version="new"), "has the form"),
    "compat as number": (info(compat_version=1.0), "has the form"),
    "no new list": (info(compat_version="1.1"), "no list new_supported_devices"),
    "version": (info(version="24.10"), "not an object"),
    "revision": (info(version={"revision": "x" * 500}), "not a short text"),
    "uImage cut": (UIMAGE, "declares 1000064 bytes"),
    "FIT cut": (TREE, "declares 1000000 bytes"),
    "gzip cut": (gzip.compress(PAYLOAD, 0)[:-9], "cut short"),
    "gzip damaged": (gzip.compress(PAYLOAD, 0)[:-9] + b"x" * 9, "damaged"),
    "tar cut": (SYSUPGRADE_TAR[:10_000], "middle of a member"),
    "backup": (BACKUP, "backup of a device's settings"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    data, words = BROKEN[name]
    with pytest.raises(BadImage, match=words):
        read(tmp_path, data)


def test_the_metadata_of_an_image_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, image(metadata("example,a", "example,b", "example,a"))).metadata
    assert found is not None
    assert found.boards == ("example,a", "example,b")
    assert (found.version, found.revision) == ("24.10.2", "r28739-d9340319c6")
    assert (found.target, found.compat_version) == ("ath79/generic", "1.0")


def test_above_compat_1_0_the_new_list_counts(tmp_path: Path) -> None:
    values = metadata(
        "Images of this version need a reset: use -n", compat_version="1.1",
        new_supported_devices=["example,a"], compat_message="Interfaces have new names.",
    )  # fmt: skip
    found = read(tmp_path, image(values)).metadata
    assert found is not None
    assert (found.boards, found.compat_version) == (("example,a",), "1.1")
    assert found.compat_message == "Interfaces have new names."


@pytest.mark.parametrize("payload", [PAYLOAD, gzip.compress(PAYLOAD, 0), SYSUPGRADE_TAR])
def test_an_image_without_metadata_is_an_image(payload: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, payload) == ImageReport(None, Verdict.NONE)
    assert read(tmp_path, image(payload=payload)).metadata is not None


def test_a_magic_in_compressed_data_is_no_trailer(tmp_path: Path) -> None:
    assert read(tmp_path, PAYLOAD + b"FWx0" + b"\xee" * 3000).metadata is None


def test_a_signature_is_verified_with_the_known_keys(tmp_path: Path) -> None:
    data = signed(GOOD)
    assert read(tmp_path, data, public_key()).signature == Verdict.VALID
    assert read(tmp_path, data, public_key()).metadata is not None
    assert read(tmp_path, data).signature == Verdict.UNKNOWN_KEY
    other = signed(image(metadata("x,y")))[-300:]
    swapped = GOOD + chunk(GOOD, 0, other[:-16])
    assert read(tmp_path, swapped, public_key()).signature == Verdict.BROKEN


def test_factory_and_initramfs_images_are_refused_by_name() -> None:
    for name in ("openwrt-x-squashfs-factory.bin", "x-initramfs-kernel.bin"):
        with pytest.raises(BadImage, match="Upload the sysupgrade image"):
            check_name(name)
    check_name("openwrt-24.10.2-x-squashfs-sysupgrade.bin")


def test_names_of_files_are_made_safe() -> None:
    assert safe_name("../../etc/passwd") == "passwd"
    assert safe_name("..") == "image.bin"
    assert image_type("openwrt-24.10.0-rc2-x86-64-generic.img.gz") == "x86-64-generic.img.gz"
    assert json.dumps(safe_name('a"b.bin')) == '"a_b.bin"'
