"""The look-ups of balena's clients, as conditions of a queryset."""

import re
from collections.abc import Mapping

from django.db.models import Q

from controller.base.errors import Refused
from controller.devices.models import Presence
from supervisor_proxy.engine.odata import Condition, refuse

KEY = re.compile(
    r"(?P<id>[0-9]{1,18})|uuid='(?P<uuid>[0-9a-f]{7,62})'|slug='(?P<slug>[^']{1,80})'"
)
FIELDS: Mapping[str, str] = {
    "id": "pk",
    "uuid": "uuid",
    "device_name": "device__name",
    "note": "device__notes",
    "supervisor_version": "version",
    "belongs_to__application": "app_id",
}
ONLINE = Q(device__presence__state=Presence.State.ONLINE)
YES_OR_NO: Mapping[str, Q] = {
    "is_online": ONLINE,
    "is_connected_to_vpn": ONLINE,
    "is_active": Q(device__is_deactivated=False),
}
VERBS: Mapping[str, str] = {
    "eq": "exact", "in": "in", "startswith": "startswith", "endswith": "endswith",
    "contains": "contains", "gt": "gt", "ge": "gte", "lt": "lt", "le": "lte",
}  # fmt: skip
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


def as_q(condition: Condition | None) -> Q:
    """Return the filter of devices as a condition of their supervisors."""
    if condition is None:
        return Q()
    match condition.verb:
        case "and" | "or":
            whole = Q()
            for part in condition.parts:
                whole = whole & as_q(part) if condition.verb == "and" else whole | as_q(part)
            return whole
        case "not":
            return ~as_q(condition.parts[0])
        case "any":
            return _of_application(condition)
        case "ne":
            return ~_compared(Condition("eq", condition.member, condition.value))
    return _compared(condition)


def _compared(condition: Condition) -> Q:
    name, verb, value = condition.member, condition.verb, condition.value
    if name in YES_OR_NO and verb == "eq" and isinstance(value, bool):
        return YES_OR_NO[name] if value else ~YES_OR_NO[name]
    if name not in FIELDS:
        raise refuse(f"a filter by {name}")
    field = FIELDS[name]
    if value is None:
        return (
            Q(**{f"{field}__isnull": True})
            if name == "belongs_to__application"
            else Q(**{field: ""})
        )
    values = value if isinstance(value, tuple) else (value,)
    kind = int if name in {"id", "belongs_to__application"} else str
    if not all(type(one) is kind for one in values):
        raise refuse(f"{name} {verb} {value!r}")
    return Q(**{f"{field}__{VERBS[verb]}": value})


def _of_application(condition: Condition) -> Q:
    (inner,) = condition.parts
    _, _, member = inner.member.partition("/")
    if condition.member != "belongs_to__application" or inner.verb != "eq":
        raise refuse(f"{condition.member}/any")
    if member == "id" and type(inner.value) is int:
        return Q(app_id=inner.value)
    if member in {"slug", "app_name"}:
        return Q(app_id=application_of(f"muster/{str(inner.value).removeprefix('muster/')}"))
    raise refuse(f"{condition.member}/{member}")
