"""Order of firmware versions: dotted numbers, with release candidates before their release."""

import re

VERSION = re.compile(
    r"v?(\d{1,9}(?:\.\d{1,9}){0,5})(?:-?(?:rc|beta|alpha)\.?(\d{1,6}))?(?:[-+ ].*)?"
)
FINAL = 10**6


def numbers(text: str) -> tuple[int, ...] | None:
    """Return what two versions are compared by, or None for snapshots and names.

    >>> numbers("24.10.0-rc2") < numbers("24.10.0") < numbers("24.10.1")
    True
    """
    found = VERSION.fullmatch(text.strip())
    if found is None:
        return None
    parts = [int(one) for one in found[1].split(".")]
    return (*parts, *[0] * (6 - len(parts)), int(found[2]) if found[2] else FINAL)


def is_older(one: str, other: str) -> bool:
    """Return whether a version is certainly older than another one."""
    first, second = numbers(one), numbers(other)
    return first is not None and second is not None and first < second
