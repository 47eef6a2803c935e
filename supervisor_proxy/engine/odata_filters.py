"""The grammar of OData's filters: conditions, functions, and any and all of related rows."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.base.errors import Refused

DEEPEST = 64
LONGEST = 20_000
TOKEN = re.compile(
    r"\s*(?:(?P<moment>(?:datetime|date|datetimeoffset)'[^']{1,40}'"
    r"|\d{4}-\d\d-\d\d(?:T[\d:.]{5,16}(?:Z|[+-]\d\d:\d\d)?)?(?![\w.]))"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d{1,18}(?:\.\d{1,9})?(?![\w.]))"
    r"|(?P<word>[A-Za-z_$][\w$]*(?:/[A-Za-z_$][\w$]*)*)"
    r"|(?P<mark>[(),:]))"
)
COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
RESERVED = COMPARISONS | {"and", "or", "not", "in"}
CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
# Functions, and how many values each takes.
FUNCTIONS: Mapping[str, tuple[int, ...]] = {
    "startswith": (2,), "endswith": (2,), "contains": (2,), "substringof": (2,),
    "indexof": (2,), "concat": (2,), "substring": (2, 3), "tolower": (1,), "toupper": (1,),
    "trim": (1,), "length": (1,), "year": (1,), "month": (1,), "day": (1,), "hour": (1,),
    "minute": (1,), "second": (1,), "now": (0,),
}  # fmt: skip


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Path:
    """A member, perhaps of a related row, or the number of related rows."""

    steps: tuple[str, ...]
    is_count: bool = False

    def __str__(self) -> str:
        return "/".join(self.steps) + ("/$count" if self.is_count else "")


@dataclass(frozen=True)
class Call:
    name: str
    values: tuple["Node", ...]


@dataclass(frozen=True)
class Compared:
    verb: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Within:
    value: "Node"
    among: tuple["Node", ...]


@dataclass(frozen=True)
class Joined:
    """``and`` or ``or`` of parts, or ``not`` of one."""

    word: str
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Related:
    """``any`` or ``all`` of related rows, of which each is called ``alias``."""

    word: str
    path: Path
    alias: str
    inner: "Node | None"


Node = Literal | Path | Call | Compared | Within | Joined | Related


def refuse(text: str) -> Refused:
    return Refused(f"This part of OData is not known here: {text[:200]}", code="odata")


def moment(text: str) -> datetime | None:
    """Return a time with its zone, UTC unless it is told; None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def parse_filter(text: str) -> Node:
    """Return what a filter says; raise :class:`Refused` with what is not known."""
    if len(text) > LONGEST:
        raise refuse("a filter of that length")
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

    def whole(self) -> Node:
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

    def either(self) -> Node:
        self.level += 1
        if self.level > DEEPEST:
            raise refuse("conditions nested so deeply")
        found = self.joined("or", lambda: self.joined("and", self.single))
        self.level -= 1
        return found

    def joined(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self.peek() == word:
            self.take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def single(self) -> Node:
        count = 0
        while self.peek() == "not":
            self.take()
            count += 1
        found = self.comparison()
        return Joined("not", (found,)) if count % 2 else found

    def comparison(self) -> Node:
        left = self.value()
        verb = self.peek()
        if verb == "in":
            self.take()
            return Within(left, tuple(self.listed()))
        if verb not in COMPARISONS:
            return left
        self.take()
        return Compared(verb, left, self.value())

    def listed(self) -> list[Node]:
        self.take("(")
        found: list[Node] = []
        while self.peek() != ")":
            if found:
                self.take(",")
            found.append(self.either())
        self.take(")")
        return found

    def value(self) -> Node:
        kind, text = self.take()
        match kind:
            case "text":
                return Literal(text[1:-1].replace("''", "'"))
            case "number":
                return Literal(float(text) if "." in text else int(text))
            case "moment":
                return Literal(self.moment(text))
            case "mark" if text == "(":
                inner = self.either()
                self.take(")")
                return inner
            case "word" if text not in RESERVED:
                return self.named(text)
        raise refuse(self.text)

    def moment(self, text: str) -> datetime:
        found = moment(text.partition("'")[2].rstrip("'") or text)
        if found is None:
            raise refuse(text)
        return found

    def named(self, text: str) -> Node:
        if text in CONSTANTS:
            return Literal(CONSTANTS[text])
        *steps, last = text.split("/")
        if self.peek() == "(":
            if steps and last in {"any", "all"}:
                return self.related(last, Path(tuple(steps)))
            return self.call(text)
        if last == "$count" and steps:
            return Path(tuple(steps), is_count=True)
        return Path((*steps, last))

    def call(self, name: str) -> Node:
        values = self.listed()
        if len(values) not in FUNCTIONS.get(name, ()):
            raise refuse(f"{name}(…) of {len(values)} values")
        return Call(name, tuple(values))

    def related(self, word: str, path: Path) -> Node:
        self.take("(")
        if word == "any" and self.peek() == ")":
            self.take()
            return Related(word, path, "", None)
        alias = self.take()[1]
        self.take(":")
        inner = self.either()
        self.take(")")
        return Related(word, path, alias, inner)
