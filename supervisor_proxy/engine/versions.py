"""Supervisor versions: ``19.0.5``, ``v1.5.0``, ``10.6.0+rev2`` or unknown."""

import re

Version = tuple[int, ...]
NUMBERS = re.compile(r"v?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?")


def parse(text: str) -> Version | None:
    found = NUMBERS.match(text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def older(text: str, than: Version, *, unknown: bool) -> bool:
    """Return whether `text` is before `than`; ``unknown`` if it has no version."""
    version = parse(text)
    return unknown if version is None else version < than
