"""Exports of the stand-in RouterOS, and the reset that runs one."""

import re
import shlex
from collections.abc import Iterator, Mapping

Row = dict[str, str]
UNEXPORTED = {"file", "system/scheduler"}


def export(
    header: str, settings: Mapping[str, Row], menus: Mapping[str, Mapping[str, Row]]
) -> str:
    """Return the configuration as an export: a command for each item, after a header."""
    lines = [f"# {header}", "#"]
    lines += [f"/{menu} set {words_of(row)}".rstrip() for menu, row in settings.items()]
    for menu, rows in menus.items():
        if menu not in UNEXPORTED:
            lines += [f"/{menu} add {words_of(row)}" for row in rows.values()]
    return "\n".join(lines) + "\n"


def commands(text: str) -> Iterator[tuple[str, str, Row]]:
    """Yield menu, verb and values of each command of an export."""
    for line in text.splitlines():
        if line.startswith("/"):
            menu, verb, *words = shlex.split(line)
            yield menu.lstrip("/"), verb, dict(word.split("=", 1) for word in words)


def words_of(row: Row) -> str:
    return " ".join(f"{name}={quoted(value)}" for name, value in row.items())


def quoted(value: str) -> str:
    if re.fullmatch(r"[\w./:*-]+", value):
        return value
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'
