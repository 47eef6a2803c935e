"""What an answer lacks of the shape that FreeSDN's web client needs.

A shape is a text, as `string|null` or `'done'|'failed'`; a list with the shape of its rows; or an
object of names. `name?` may be missing, of `a|b` one has to be there, and `*` stands for any
other name. `{"?": shape}` is the shape or null.
"""

from collections.abc import Iterator
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "boolean": (bool,), "null": (type(None),),
    "object": (dict,),
}  # fmt: skip


def lacking(shape: Any, found: Any, where: str = "answer") -> Iterator[str]:
    """Yield what of an answer is not as the shape says."""
    if isinstance(shape, str):
        if not any(fits(one, found) for one in shape.split("|")):
            yield f"{where}: {found!r:.60} is no {shape}"
    elif isinstance(shape, list):
        yield from of_list(shape[0], found, where)
    elif "?" in shape:
        if found is not None:
            yield from lacking(shape["?"], found, where)
    else:
        yield from of_object(shape, found, where)


def fits(kind: str, found: Any) -> bool:
    if kind == "any":
        return True
    if kind.startswith("'"):
        return bool(found == kind.strip("'"))
    return isinstance(found, KINDS[kind]) and (kind == "boolean") is isinstance(found, bool)


def of_list(row: Any, found: Any, where: str) -> Iterator[str]:
    if not isinstance(found, list):
        yield f"{where}: no list"
        return
    for at, one in enumerate(found):
        yield from lacking(row, one, f"{where}[{at}]")


def of_object(shape: dict[str, Any], found: Any, where: str) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{where}: no object"
        return
    for name, inner in shape.items():
        if name == "*":
            continue
        there = [one for one in name.rstrip("?").split("|") if one in found]
        if there:
            yield from lacking(inner, found[there[0]], f"{where}.{there[0]}")
        elif not name.endswith("?"):
            yield f"{where}: lacks {name}"
    if isinstance(shape.get("*"), dict):
        for name, one in found.items():
            yield from lacking(shape["*"], one, f"{where}.{name}")
