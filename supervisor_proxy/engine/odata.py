"""The OData queries that balena's clients send: read in full, or refused."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from supervisor_proxy.engine.odata_filters import Node, Path, parse_filter, refuse

DEEPEST = 8
OPTIONS = frozenset({"$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count"})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
COUNT = "/$count"


@dataclass(frozen=True)
class Query:
    """What of a resource is asked for; no ``select`` is all that there is."""

    select: tuple[str, ...] = ()
    expand: Mapping[str, "Query"] = field(default_factory=dict)
    where: Node | None = None
    order: tuple[tuple[Path, bool], ...] = ()
    top: int | None = None
    skip: int = 0
    # Whether the number of all rows is told beside them, or in place of them.
    counted: bool = False
    is_number: bool = False


def parse(options: Mapping[str, str], *, depth: int = 0) -> Query:
    """Return the query of a request's parameters; raise :class:`Refused` with what is unknown."""
    named = {name: text.strip() for name, text in options.items() if name.startswith("$")}
    if named.get("$format") == "json":
        del named["$format"]
    if unknown := sorted(named.keys() - OPTIONS):
        raise refuse(unknown[0])
    if depth > DEEPEST:
        raise refuse("expansions nested so deeply")
    if named.get("$count", "false") not in {"true", "false"}:
        raise refuse(f"$count={named['$count']}")
    return Query(
        select=tuple(_names(named.get("$select", ""))),
        expand=dict(_expansions(named.get("$expand", ""), depth)),
        where=parse_filter(named["$filter"]) if named.get("$filter") else None,
        order=tuple(_orders(named.get("$orderby", ""))),
        top=_number(named, "$top"),
        skip=_number(named, "$skip") or 0,
        counted=named.get("$count") == "true",
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


def _orders(text: str) -> Iterator[tuple[Path, bool]]:
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, way = part.partition(" ")
        steps = tuple(name.removesuffix(COUNT).split("/"))
        if not all(map(NAME.fullmatch, steps)) or way.strip() not in {"", "asc", "desc"}:
            raise refuse(f"$orderby={part}")
        yield Path(steps, is_count=name.endswith(COUNT)), way.strip() == "desc"


def _expansions(text: str, depth: int) -> Iterator[tuple[str, Query]]:
    for part in split(text, ","):
        name, bracket, rest = part.partition("(")
        name = name.strip()
        plain = name.removesuffix(COUNT)
        if not NAME.fullmatch(plain) or (bracket and not rest.endswith(")")):
            raise refuse(f"$expand={part}")
        inner = dict(one.partition("=")[::2] for one in split(rest[:-1], ";"))
        if plain != name:
            if unknown := sorted(inner.keys() - {"$filter"}):
                raise refuse(f"{unknown[0]} of a count")
            where = parse(inner, depth=depth + 1).where
            yield plain, Query(where=where, is_number=True)
        else:
            yield plain, parse(inner, depth=depth + 1)


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
