"""Stable ids for objects that a vendor numbers by position."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from networks.gateways.engine.features import Feature

PLAIN = re.compile(r"[A-Za-z0-9_.*:-]{1,40}")
AGAIN = "-"
Rows = dict[str, dict[str, Any]]


def named(feature: Feature, rows: Iterable[Mapping[str, Any]]) -> Rows:
    """Return the rows by id, made from their identity or a hash of their values.

    Each further row with the same values gets an additional dash.
    """
    found: Rows = {}
    for row in rows:
        name = name_of(feature, row)
        while name in found:
            name += AGAIN
        found[name] = dict(row)
    return found


def name_of(feature: Feature, row: Mapping[str, Any]) -> str:
    if feature.identity:
        text = ":".join(str(row.get(name, "")) for name in feature.identity)
        if PLAIN.fullmatch(text):
            return text
    else:
        held = feature.flat(row)
        text = repr(sorted((n, v) for n, v in held.items() if v and n not in feature.scope))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_ambiguous(found: Rows, name: str) -> bool:
    """Return whether another row has equal values, so a delete is unverifiable."""
    return name + AGAIN in found
