"""Lists of installed packages, as devices print them."""

import json
import re
from collections.abc import Iterable

from controller.firmware.engine.asu import NAME


def parse_packages(text: str) -> tuple[str, ...]:
    """Return the names of packages that a device has, as the driver's script prints them.

    Lines are ``json`` with the answer of ubus, or ``name`` with one line of a list.
    """
    names: set[str] = set()
    for line in text.splitlines():
        kind, _, value = line.partition(" ")
        if kind == "json":
            names |= set(_names_of(value))
        elif kind == "name":
            # The world of apk may pin versions: name=1.2, name><Q1…
            names.add(re.split(r"[=<>~@\s]", value.strip(), maxsplit=1)[0])
    return tuple(sorted(name for name in names if NAME.fullmatch(name)))


def _names_of(text: str) -> Iterable[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    packages = found.get("packages") if isinstance(found, dict) else None
    return packages.keys() if isinstance(packages, dict) else []
