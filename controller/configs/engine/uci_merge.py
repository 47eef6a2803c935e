"""UCI packages: parse, merge with a device's own options, serialize."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from controller.configs.engine.errors import InvalidConfig

Options = dict[str, str | list[str]]

TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\\\n)
      | (?P<comment>\#[^\n]*)
      | (?P<end>[\n;])
      | (?P<word>(?:'[^']*' | "(?:\\.|[^"\\])*" | \\. | [^\s'"\\;\#])(?:'[^']*' | "(?:\\.|[^"\\])*" | \\. | [^\s'"\\;])*)
    """,
    re.VERBOSE | re.DOTALL,
)  # fmt: skip
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
PART = re.compile(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^'"\\]+)""", re.DOTALL)


@dataclass(slots=True)
class Section:
    type: str
    name: str = ""
    """Empty for an anonymous one."""
    options: Options = field(default_factory=dict)


Package = list[Section]


def parse(text: str) -> Package:
    """Parse the sections of one package; raise InvalidConfig where libuci would fail."""
    sections: Package = []
    for number, words in _lines(text):
        match words:
            case ["package", _]:
                continue
            case ["config", kind, *name] if len(name) <= 1:
                sections.append(Section(kind, "".join(name)))
            case ["option", name, value] if sections:
                sections[-1].options[name] = value
            case ["list", name, value] if sections:
                _append(sections[-1].options, name, value)
            case _:
                raise InvalidConfig(f"line {number} is no line of a UCI file")
    return _joined(sections)


def _append(options: Options, name: str, value: str) -> None:
    held = options.get(name)
    options[name] = [*held, value] if isinstance(held, list) else [value]


def _joined(sections: Package) -> Package:
    """Join sections of the same name, as libuci does."""
    by_name: dict[str, Section] = {}
    joined: Package = []
    for one in sections:
        known = by_name.get(one.name) if one.name else None
        if known is not None:
            known.type = one.type
            known.options.update(one.options)
            continue
        by_name[one.name] = one
        joined.append(one)
    return joined


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    words: list[str] = []
    at, number = 0, 1
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:
            raise InvalidConfig(f"line {number} has a quote that is not closed")
        if token.lastgroup == "word":
            words.append(_unquoted(token[0]))
        elif token.lastgroup == "end" and words:
            yield number, words
            words = []
        number += token[0].count("\n")
        at = token.end()
    if words:
        yield number, words


def _unquoted(word: str) -> str:
    return "".join(
        single or ESCAPED.sub(r"\1", double) or escaped or plain
        for single, double, escaped, plain in PART.findall(word)
    )


def written(package: Package) -> str:
    """Serialize a package like ``uci export``, without its first line."""
    lines: list[str] = []
    for one in package:
        lines += ["", f"config {one.type}" + (f" {_quoted(one.name)}" if one.name else "")]
        for name, value in one.options.items():
            if isinstance(value, list):
                lines += [f"\tlist {name} {_quoted(item)}" for item in value]
            else:
                lines.append(f"\toption {name} {_quoted(value)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def merge(now: Package, ours: Package, *, former: Package, original: Package) -> Package:
    """Merge ``ours`` into ``now``, replacing our ``former`` options.

    Options that are no longer ours are reset to their ``original`` value or removed.
    Options that
    were never ours are kept.
    """
    merged, at_first = deepcopy(now), deepcopy(original)
    for mine in (former, ours):
        _name_sections(merged, mine)
        _name_sections(at_first, mine)
    _withdraw(merged, _by_name(former), _by_name(ours), _by_name(at_first))
    known = _by_name(merged)
    for one in ours:
        if one.name not in known:
            known[one.name] = Section(one.type, one.name)
            merged.append(known[one.name])
        known[one.name].type = one.type
        known[one.name].options.update(deepcopy(one.options))
    return merged


def _by_name(package: Package) -> dict[str, Section]:
    return {one.name: one for one in package if one.name}


def _name_sections(package: Package, ours: Package) -> None:
    """Name the device's anonymous sections like the matching sections of ours.

    A section matches if it has the same type and option ``name``, as firewall zones do, or
    if it is
    the only one of its type, like ``system``.
    """
    for one in ours:
        if one.name in _by_name(package):
            continue
        same = [other for other in package if other.type == one.type]
        alone = len(same) == 1 and sum(other.type == one.type for other in ours) == 1
        for other in same:
            title = one.options.get("name")
            named_alike = title is not None and other.options.get("name") == title
            if not other.name and (named_alike or (alone and title is None)):
                other.name = one.name
                break


def _withdraw(
    merged: Package,
    former: dict[str, Section],
    ours: dict[str, Section],
    original: dict[str, Section],
) -> None:
    for one in list(merged):
        was = former.get(one.name)
        if was is None or not one.name:
            continue
        first = original.get(one.name)
        if one.name not in ours and first is None:
            merged.remove(one)
            continue
        if first is not None:
            one.type = first.type
        kept = ours[one.name].options if one.name in ours else {}
        for name in was.options.keys() - kept.keys():
            one.options.pop(name, None)
            if first is not None and name in first.options:
                one.options[name] = first.options[name]


def holds(now: Package, ours: Package) -> bool:
    """Return whether the device has all our sections and options with our values."""
    known = _by_name(now)
    return all(
        one.name in known
        and known[one.name].type == one.type
        and all(
            known[one.name].options.get(name) == value for name, value in one.options.items()
        )
        for one in ours
    )
