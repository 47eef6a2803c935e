"""Diff of two versions of a row, by field and by line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """Pair of lines of two texts side by side; None where one side has no line."""

    before: str | None
    after: str | None

    @property
    def differs(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Change:
    field: str
    before: Any
    after: Any

    @property
    def lines(self) -> list[Line]:
        return list(side_by_side(text_of(self.before), text_of(self.after)))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return the fields with different values, in the order of ``after``."""
    names = [*after, *(name for name in before if name not in after)]
    return [
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def text_of(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return value
    # Files in a configuration are compared line by line as well. Keys are sorted, because their
    # order
    # means nothing and PostgreSQL uses one of its own.
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return text.replace("\\n", "\\n\n")


def side_by_side(before: str, after: str) -> Iterator[Line]:
    old, new = before.splitlines(), after.splitlines()
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for at in range(max(b - a, d - c)):
            yield Line(old[a + at] if a + at < b else None, new[c + at] if c + at < d else None)
