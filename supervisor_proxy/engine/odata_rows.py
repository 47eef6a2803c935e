"""What of rows an OData query finds: filtered, ordered, cut, with the members it names.

A row is a mapping of its members; related rows are a list of such mappings.
"""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import UTC, datetime
from typing import Any

from supervisor_proxy.engine.odata import Query
from supervisor_proxy.engine.odata_filters import (
    Call,
    Compared,
    Joined,
    Literal,
    Node,
    Path,
    Related,
    Within,
    moment,
    refuse,
)

Row = Mapping[str, Any]
ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}
TEXTS: Mapping[str, Callable[..., Any]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
    "substringof": lambda part, whole: part in whole,
    "indexof": str.find,
    "concat": str.__add__,
    "tolower": str.lower,
    "toupper": str.upper,
    "trim": str.strip,
    "length": len,
}


def found_in(rows: Iterable[Row], query: Query) -> list[Row]:
    """Return the rows that fit, in their order; which of them are shown is another step."""
    found = [row for row in rows if holds(query.where, row)]
    for path, downward in reversed(query.order):
        found.sort(key=lambda row: _rank(_member(path, row)), reverse=downward)
    return found


def check_names(query: Query, known: Set[str]) -> None:
    """Raise :class:`Refused` with a member that is filtered or ordered by, and that there is not.

    Related rows that there are not are none, and no error.
    """
    asked = [path for path, _ in query.order]
    if query.where is not None:
        asked += _paths(query.where, frozenset())
    for path in asked:
        if path.steps[0] not in known:
            raise refuse(f"a filter or an order by {path}")


def _paths(node: Node, aliases: frozenset[str]) -> list[Path]:
    """Return the members of the row itself that a condition names, but for lists of any and all."""
    match node:
        case Path():
            return [] if node.steps[0] in aliases else [node]
        case Compared(_, left, right):
            parts: tuple[Node, ...] = (left, right)
        case Within(value, among):
            parts = (value, *among)
        case Joined(_, parts) | Call(_, parts):
            pass
        case Related(_, _, alias, inner) if inner is not None:
            parts, aliases = (inner,), aliases | {alias}
        case _:
            parts = ()
    return [path for part in parts for path in _paths(part, aliases)]


def related_in(node: Node | None) -> frozenset[str]:
    """Return which related rows a filter asks any or all of."""
    match node:
        case Related(_, path, _, inner):
            return frozenset(path.steps) | related_in(inner)
        case Joined(_, parts):
            return frozenset[str]().union(*map(related_in, parts))
    return frozenset()


def shown_of(rows: list[Row], query: Query) -> list[dict[str, Any]]:
    """Return the rows that a query wants to see, with just the members it names."""
    end = None if query.top is None else query.skip + query.top
    return [chosen_of(row, query) for row in rows[query.skip : end]]


def chosen_of(row: Row, query: Query) -> dict[str, Any]:
    """Return what was selected, ``null`` where it is unknown, and the lists that were expanded.

    A row that is named and not expanded is its number.
    """
    shown = {name: _plain(row.get(name)) for name in query.select or _whole(row)}
    for name, inner in query.expand.items():
        rows = row.get(name)
        found = found_in(rows if isinstance(rows, list) else (), inner)
        shown[name] = len(found) if inner.is_number else shown_of(found, inner)
        if inner.counted:
            shown[f"{name}@odata.count"] = len(found)
    return shown


def holds(condition: Node | None, row: Row) -> bool:
    """Whether a row is what a filter asks for.

    Raises :class:`Refused` with a member that there is not, or values that cannot be compared.
    """
    return condition is None or _value(condition, row) is True


def _whole(row: Row) -> list[str]:
    plain = [name for name, value in row.items() if not isinstance(value, list)]
    return [*plain, *(name for name in row if name == "belongs_to__application")]


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return {"__id": value[0].get("id")} if value else None


def _rank(value: Any) -> tuple[int, Any]:
    """Return what orders values of all kinds: null comes last."""
    if value is None:
        return 3, 0
    if isinstance(value, datetime):
        return 2, value
    return (0, value) if isinstance(value, int | float) else (1, str(value))


def _value(node: Node, row: Row) -> Any:
    return VALUES[type(node)](node, row)


def _called_on(node: Call, row: Row) -> Any:
    return _called(node.name, [_value(one, row) for one in node.values])


def _joined(node: Joined, row: Row) -> bool:
    # Each part is looked at, so that what is not known is said whatever the rows are.
    found = [bool(_value(one, row)) for one in node.parts]
    if node.word == "not":
        return not found[0]
    return all(found) if node.word == "and" else any(found)


def _within(node: Within, row: Row) -> bool:
    own = _value(node.value, row)
    return True in [_compared("eq", own, _value(one, row)) for one in node.among]


def _member(path: Path, row: Row) -> Any:
    """Return a member. Related rows that are named alone are their number, as in ``$select``."""
    value: Any = row
    for step in path.steps:
        if isinstance(value, list):
            value = value[0] if value else None
        if value is None:
            return 0 if path.is_count else None
        if not isinstance(value, Mapping) or step not in value:
            raise refuse(f"the member {path}")
        value = value[step]
    if path.is_count:
        return len(value) if isinstance(value, list) else 0
    if isinstance(value, list):
        return value[0].get("id") if value else None
    return value


def _related(node: Related, row: Row) -> bool:
    rows: Any = row
    for step in node.path.steps:
        if isinstance(rows, list):
            rows = rows[0] if rows else None
        rows = rows.get(step) if isinstance(rows, Mapping) else None
    found = rows if isinstance(rows, list) else []
    if node.inner is None:
        return bool(found)
    results = [
        _value(node.inner, ChainMap({node.alias: one}, row)) is True  # type: ignore[arg-type]
        for one in found
    ]
    return any(results) if node.word == "any" else all(results)


def _compared(verb: str, left: Any, right: Any) -> bool:
    """Compare two values. Null equals null alone, and is neither more nor less than anything."""
    if left is None or right is None:
        return (left is right) == (verb == "eq") if verb in {"eq", "ne"} else False
    left, right = _alike(left, right)
    if verb in {"eq", "ne"}:
        return bool((left == right) == (verb == "eq"))
    return ORDERED[verb](left, right)


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, datetime) and isinstance(right, str):
        right = moment(right)
    elif isinstance(right, datetime) and isinstance(left, str):
        left = moment(left)
    kinds = {_kind(left), _kind(right)}
    if len(kinds) != 1 or object in kinds:
        raise refuse("a comparison of values of different kinds")
    return left, right


def _kind(value: Any) -> type:
    """Return the kind of a value; numbers of both kinds are alike, what cannot be compared is an object."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float
    return next((kind for kind in (bool, str, datetime) if isinstance(value, kind)), object)


def _called(name: str, values: list[Any]) -> Any:
    """Return what a function gives; null if it is given nothing."""
    if name == "now":
        return datetime.now(UTC)
    if None in values:
        return None
    if name in TEXTS:
        if not all(isinstance(one, str) for one in values):
            raise refuse(f"{name}(…) of what is no text")
        return TEXTS[name](*values)
    if name == "substring":
        return _substring(*values)
    if not isinstance(values[0], datetime):
        raise refuse(f"{name}(…) of what is no time")
    return getattr(values[0], name)


def _substring(text: Any, start: Any, length: Any = None) -> str:
    if (
        not isinstance(text, str)
        or type(start) is not int
        or type(length) not in {int, type(None)}
    ):
        raise refuse("substring(…) of such values")
    start = max(start, 0)
    return text[start:] if length is None else text[start : start + max(length, 0)]


VALUES: Mapping[type, Callable[[Any, Row], Any]] = {
    Literal: lambda node, row: node.value,
    Path: _member,
    Call: _called_on,
    Compared: lambda node, row: _compared(
        node.verb, _value(node.left, row), _value(node.right, row)
    ),
    Within: _within,
    Joined: _joined,
    Related: _related,
}
