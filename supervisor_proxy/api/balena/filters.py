"""The look-ups of balena's clients, as conditions of a queryset."""

import re
from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from controller.base.errors import Refused
from supervisor_proxy.engine.odata_filters import (
    Call,
    Compared,
    Joined,
    Literal,
    Node,
    Path,
    Related,
    Within,
)

KEY = re.compile(
    r"(?:id=)?(?P<id>[0-9]{1,18})|uuid='(?P<uuid>[0-9a-f]{7,62})'|slug='(?P<slug>[^']{1,80})'"
)
NUMBERS: Mapping[str, str] = {"id": "pk", "belongs_to__application": "app_id"}
TEXTS: Mapping[str, str] = {"uuid": "uuid", "device_name": "device__name"}
SLUG = re.compile(r"muster/(?:app-)?([0-9]{1,18})")


def named(key: str) -> dict[str, str]:
    """Return how a row is named: by ``id``, ``uuid`` or ``slug``."""
    found = KEY.fullmatch(key)
    if found is None:
        raise Refused("A row is named by its number, or as uuid='…' or slug='…'.", code="odata")
    return {name: text for name, text in found.groupdict().items() if text}


def application_of(slug: str) -> int:
    """Return the number in an application's slug; -1, which nobody has, for any other text."""
    found = SLUG.fullmatch(slug)
    return int(found[1]) if found else -1


def narrowed(node: Node | None) -> Q:
    """Return a condition that holds for all that a filter finds, and perhaps for more.

    Only what names devices is looked up in the database; the filter itself is applied
    to the rows afterwards.
    """
    match node:
        case Joined("or", parts):
            return _either([narrowed(part) for part in parts])
        case Joined("and", parts):
            whole = Q()
            for part in parts:
                whole &= narrowed(part)
            return whole
        case Related("any", Path(("belongs_to__application",)), alias, inner):
            return _of_application(alias, inner)
    return _named_in(node)


def _named_in(node: Node | None) -> Q:
    match node:
        case Compared("eq", Path(steps), Literal(value)):
            return _eq(steps, value)
        case Compared("eq", Literal(value), Path(steps)):
            return _eq(steps, value)
        case Within(Path(steps), among):
            return _either([_eq(steps, getattr(one, "value", None)) for one in among])
        case Call("startswith", (Path((name,)), Literal(str(text)))) if name in TEXTS:
            return Q(**{f"{TEXTS[name]}__startswith": text})
    return Q()


def _eq(steps: tuple[str, ...], value: Any) -> Q:
    if steps in {(name,) for name in NUMBERS} | {("belongs_to__application", "id")}:
        return Q(**{NUMBERS[steps[0]]: value}) if type(value) is int else Q()
    if steps in {(name,) for name in TEXTS} and isinstance(value, str):
        return Q(**{TEXTS[steps[0]]: value})
    return Q()


def _either(parts: list[Q]) -> Q:
    """Return a condition of which one part holds; no condition if one part says nothing."""
    if not all(parts):
        return Q()
    whole = Q()
    for part in parts:
        whole |= part
    return whole


def _of_application(alias: str, inner: Node | None) -> Q:
    match inner:
        case Compared("eq", Path((first, "id")), Literal(int(number))) if first == alias:
            return Q(app_id=number)
        case Compared("eq", Path((first, "slug")), Literal(str(slug))) if first == alias:
            return Q(app_id=application_of(slug))
    return Q()
