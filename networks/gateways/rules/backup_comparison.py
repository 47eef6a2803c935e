"""Two backups side by side, as texts without their secrets."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.masking import masked_configuration
from networks.gateways.models import Gateway, GatewayBackup
from networks.gateways.rules.backups import file_of

CONTEXT = 3
# Lines that are compared; more would take a web thread too long.
MOST_LINES = 40_000
MOST_SHOWN = 5_000


@dataclass(frozen=True)
class Line:
    """One row of the comparison; a number is None where that side has no such line."""

    kind: str
    left_number: int | None
    left: str
    right_number: int | None
    right: str


@dataclass(frozen=True)
class Comparison:
    lines: list[Line]
    is_equal: bool
    # Whether they differ, and everything that differs is secret.
    only_secrets: bool
    added: int
    removed: int
    is_cut: bool = False


def text_without_secrets(row: GatewayBackup) -> str:
    """Return what a backup holds as a text, with its secrets masked."""
    return _masked(row.gateway, file_of(row).readable)


def _masked(gateway: Gateway, text: str) -> str:
    return masked_configuration(text, [gateway.secret])


def compare(older: GatewayBackup, newer: GatewayBackup) -> Comparison:
    """Compare two backups of one gateway. Raises Refused for backups of two."""
    if older.gateway_id != newer.gateway_id:
        raise Refused(gettext("The two backups are of two gateways."))
    raw = [file_of(one).readable for one in (older, newer)]
    left, right = (_masked(older.gateway, one).splitlines() for one in raw)
    if max(len(left), len(right)) > MOST_LINES:
        raise Refused(
            gettext("A backup has more than %(most_lines)s lines: download both.")
            % {"most_lines": MOST_LINES}
        )
    lines = list(_rows(left, right))
    is_equal = raw[0] == raw[1]
    return Comparison(
        lines[:MOST_SHOWN],
        is_equal,
        only_secrets=not is_equal and left == right,
        added=sum(one.kind in {"added", "changed"} for one in lines),
        removed=sum(one.kind in {"removed", "changed"} for one in lines),
        is_cut=len(lines) > MOST_SHOWN,
    )


def _rows(left: list[str], right: list[str]) -> Iterator[Line]:
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=len(left) > CONTEXT * 1000)
    for at, group in enumerate(matcher.get_grouped_opcodes(CONTEXT)):
        if at:
            yield Line("gap", None, "", None, "")
        for kind, a, b, c, d in group:
            yield from _paired(kind, _numbered(left, a, b), _numbered(right, c, d))


def _numbered(lines: list[str], start: int, end: int) -> Iterable[tuple[int, str]]:
    return enumerate(lines[start:end], start + 1)


def _paired(
    kind: str, left: Iterable[tuple[int, str]], right: Iterable[tuple[int, str]]
) -> Iterator[Line]:
    for one, other in zip_longest(left, right):
        if kind == "equal":
            name = "equal"
        elif one and other:
            name = "changed"
        else:
            name = "removed" if one else "added"
        yield Line(name, *(one or (None, "")), *(other or (None, "")))
