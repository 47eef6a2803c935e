"""Subset of OData that balena's clients use to look up devices before a call."""

import re
from typing import Any

from controller.base.errors import Refused

KEY = re.compile(r"(?P<id>[0-9]{1,18})|uuid='(?P<uuid>[0-9a-f]{7,62})'")
TERM = re.compile(
    r"startswith\(uuid,'(?P<start>[0-9a-f]{1,62})'\)"
    r"|uuid eq '(?P<uuid>[0-9a-f]{7,62})'"
    r"|id eq (?P<id>[0-9]{1,18})"
    r"|belongs_to__application eq (?P<app>[0-9]{1,18})"
)
LOOKUPS = {"id": "pk", "uuid": "uuid", "start": "uuid__startswith", "app": "app_id"}


def conditions(key: str | None, query: dict[str, str]) -> dict[str, Any]:
    """Convert a look-up to filter arguments of a queryset.

    Raises Refused if it is invalid.
    """
    if key is not None:
        found = KEY.fullmatch(key)
        if found is None:
            raise Refused("A device is named by its number, or as uuid='…'.")
        return _by_name(found)
    wanted: dict[str, Any] = {}
    for term in filter(None, re.split(r"\s+and\s+", query.get("$filter", "").strip("() "))):
        # Stripped above with the outer parentheses.
        found = TERM.fullmatch(term if term.count("(") == term.count(")") else f"{term})")
        if found is None:
            raise Refused(
                "Of OData, these filters are known here: startswith(uuid,'…'), uuid eq '…', "
                "id eq …, belongs_to__application eq …, joined by and.",
                code="odata",
            )
        wanted |= _by_name(found)
    return wanted


def _by_name(found: re.Match[str]) -> dict[str, Any]:
    return {LOOKUPS[name]: text for name, text in found.groupdict().items() if text}
