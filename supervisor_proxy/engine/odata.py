"""The OData queries that balena's clients send: read in full, or refused."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.base.errors import Refused

DEEPEST = 8
OPTIONS = frozenset({"$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count"})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d{1,18})(?![\w.])|(?P<word>[A-Za-z_$][\w/]*)"
    r"|(?P<mark>[(),:]))"
)
COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
FUNCTIONS = frozenset({"startswith", "endswith", "contains"})
CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Condition:
    """``member verb value``, or with ``and``, ``or``, ``not`` and ``any`` of ``parts``.

    ``and`` of nothing holds always.
    """

    verb: str
    member: str = ""
    value: Any = None
    parts: tuple["Condition", ...] = ()


@dataclass(frozen=True)
class Query:
    """What of a resource is asked for; no ``select`` is all that there is."""

    select: tuple[str, ...] = ()
    expand: Mapping[str, "Query"] = field(default_factory=dict)
    where: Condition | None = None
    order: tuple[tuple[str, bool], ...] = ()
    top: int | None = None
    skip: int = 0


def refuse(text: str) -> Refused:
    return Refused(f"This part of OData is not known here: {text[:200]}", code="odata")


def parse(options: Mapping[str, str], *, depth: int = 0) -> Query:
    """Return the query of a request's parameters; raise :class:`Refused` with what is unknown."""
    named = {name: text.strip() for name, text in options.items() if name.startswith("$")}
    if unknown := sorted(named.keys() - OPTIONS):
        raise refuse(unknown[0])
    if depth > DEEPEST:
        raise refuse("expansions nested so deeply")
    return Query(
        select=tuple(_names(named.get("$select", ""))),
        expand=dict(_expansions(named.get("$expand", ""), depth)),
        where=parse_filter(named["$filter"]) if named.get("$filter") else None,
        order=tuple(_orders(named.get("$orderby", ""))),
        top=_number(named, "$top"),
        skip=_number(named, "$skip") or 0,
    )


def _number(named: Mapping[str, str], option: str) -> int | None:
    text = named.get(option)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,9}", text):
        raise refuse(f"{option}={text}")
    return int(text)


def _names(text: str) -> Iterator[str]:
    for part in filter(None, (one.strip() for one in text.split(","))):
        if part == "*":
            continue
        if not NAME.fullmatch(part):
            raise refuse(f"$select={part}")
        yield part


def _orders(text: str) -> Iterator[tuple[str, bool]]:
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, way = part.partition(" ")
        if not NAME.fullmatch(name) or way not in {"", "asc", "desc"}:
            raise refuse(f"$orderby={part}")
        yield name, way == "desc"


def _expansions(text: str, depth: int) -> Iterator[tuple[str, Query]]:
    for part in split(text, ","):
        name, bracket, rest = part.partition("(")
        if not NAME.fullmatch(name.strip()) or (bracket and not rest.endswith(")")):
            raise refuse(f"$expand={part}")
        inner = dict(one.partition("=")[::2] for one in split(rest[:-1], ";"))
        yield name.strip(), parse(inner, depth=depth + 1)


def split(text: str, mark: str) -> list[str]:
    """Return the parts between marks that stand in no brackets and no quotes."""
    parts, start, level, quoted = [], 0, 0, False
    for at, char in enumerate(text):
        quoted ^= char == "'"
        level += not quoted and (char == "(") - (char == ")")
        if char == mark and not quoted and level == 0:
            parts.append(text[start:at])
            start = at + 1
    if quoted or level:
        raise refuse(text)
    return [one.strip() for one in (*parts, text[start:]) if one.strip()]


# --- filters


def parse_filter(text: str) -> Condition:
    return _Parser(list(_tokens(text)), text).whole()


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, text = 0, text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise refuse(text[at:])
        kind = str(found.lastgroup)
        yield kind, found[kind]
        at = found.end()


class _Parser:
    """Reads ``or`` of ``and`` of single conditions."""

    def __init__(self, tokens: list[tuple[str, str]], text: str) -> None:
        self.tokens, self.text, self.at, self.level = tokens, text, 0, 0

    def whole(self) -> Condition:
        found = self.either()
        if self.at != len(self.tokens):
            raise refuse(self.text)
        return found

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> tuple[str, str]:
        if self.at >= len(self.tokens) or (wanted and self.peek() != wanted):
            raise refuse(self.text)
        self.at += 1
        return self.tokens[self.at - 1]

    def either(self) -> Condition:
        return self.joined("or", lambda: self.joined("and", self.single))

    def joined(self, word: str, part: Any) -> Condition:
        parts = [part()]
        while self.peek() == word:
            self.take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Condition(word, parts=tuple(parts))

    def single(self) -> Condition:
        self.level += 1
        if self.level > DEEPEST * 8:
            raise refuse("conditions nested so deeply")
        kind, word = self.take()
        if word == "not":
            return Condition("not", parts=(self.single(),))
        if word == "(":
            inner = self.either()
            self.take(")")
            return inner
        if kind == "number" and self.peek() == "eq":
            self.take()
            if self.value() != int(word):
                raise refuse(self.text)
            return Condition("and")
        if kind != "word":
            raise refuse(self.text)
        if word in FUNCTIONS:
            return self.function(word)
        return self.any_of(word) if word.endswith("/any") else self.comparison(word)

    def function(self, word: str) -> Condition:
        self.take("(")
        member = self.take()[1]
        self.take(",")
        value = self.value()
        self.take(")")
        return Condition(word, member, value)

    def any_of(self, word: str) -> Condition:
        self.take("(")
        alias = self.take()[1]
        self.take(":")
        inner = self.either()
        self.take(")")
        return Condition("any", word.removesuffix("/any"), alias, (inner,))

    def comparison(self, member: str) -> Condition:
        verb = self.take()[1]
        if verb == "in":
            self.take("(")
            values = [self.value()]
            while self.peek() == ",":
                self.take()
                values.append(self.value())
            self.take(")")
            return Condition("in", member, tuple(values))
        if verb not in COMPARISONS:
            raise refuse(self.text)
        return Condition(verb, member, self.value())

    def value(self) -> Any:
        kind, text = self.take()
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if text in CONSTANTS:
            return CONSTANTS[text]
        raise refuse(text)


CHECKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, value: found == value,
    "ne": lambda found, value: found != value,
    "in": lambda found, value: found in value,
    "startswith": lambda found, value: str(found or "").startswith(str(value)),
    "endswith": lambda found, value: str(found or "").endswith(str(value)),
    "contains": lambda found, value: str(value) in str(found or ""),
}


def holds(condition: Condition | None, row: Mapping[str, Any]) -> bool:
    """Whether a row of plain members is what a filter asks for; unknown members are null."""
    if condition is None:
        return True
    match condition.verb:
        case "and" | "or":
            found = (holds(one, row) for one in condition.parts)
            return all(found) if condition.verb == "and" else any(found)
        case "not":
            return not holds(condition.parts[0], row)
        case "any":
            return _any_holds(condition, row)
    if condition.verb not in CHECKS:
        raise refuse(f"{condition.member} {condition.verb}")
    return CHECKS[condition.verb](row.get(condition.member), condition.value)


def _any_holds(condition: Condition, row: Mapping[str, Any]) -> bool:
    rows = row.get(condition.member)
    alias, inner = f"{condition.value}/", condition.parts[0]
    return isinstance(rows, list) and any(
        holds(inner, {f"{alias}{name}": value for name, value in one.items()}) for one in rows
    )
