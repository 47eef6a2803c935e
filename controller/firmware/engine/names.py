"""Names of image files."""

import re

UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")
VERSION = re.compile(
    r"^(?:openwrt|immortalwrt|lede)-(?:\d[\w.]*(?:-rc\d+)?|snapshot)-", re.IGNORECASE
)
LONGEST_NAME = 180


def safe_name(name: str) -> str:
    r"""Return the last part of a path with only plain characters.

    >>> safe_name("C:\\\\images\\\\my image.bin")
    'my_image.bin'
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    return UNSAFE.sub("_", last).lstrip(".")[-LONGEST_NAME:] or "image.bin"


def image_type(name: str) -> str:
    """Return the type of an image: its file name without distribution and version.

    >>> image_type("openwrt-23.05.3-ath79-generic-tplink_archer-c7-v2-squashfs-sysupgrade.bin")
    'ath79-generic-tplink_archer-c7-v2-squashfs-sysupgrade.bin'
    """
    return VERSION.sub("", name)[:128]
