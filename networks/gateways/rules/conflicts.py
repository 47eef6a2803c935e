"""Detect pending changes to the same object, which would overwrite each other."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from controller.base.secrets import digest
from networks.gateways.models import Change


def conflict_key(change: Change) -> str:
    """Return a digest of the target object, or of a new object's identity."""
    feature, target = change.what, change.target_id
    if change.operation == "create":
        names = [*feature.scope, *feature.identity] or sorted(change.wanted)
        target = repr([(name, change.wanted.get(name)) for name in names])
    return digest(f"{change.gateway_id} {feature.key} {target}")


def conflicts_within(rows: Iterable[tuple[Any, str]]) -> dict[Any, list[Any]]:
    """Map each (id, subject) to the ids of other pending changes with this subject."""
    wanted = {pk: subject for pk, subject in rows if subject}
    if not wanted:
        return {}
    waiting = Change.objects.filter(
        subject__in=set(wanted.values()), state__in=[*Change.WAITING, *Change.OPEN]
    )
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for pk, subject in waiting.order_by("created", "pk").values_list("pk", "subject"):
        found[subject].append(pk)
    return {pk: [one for one in found[subject] if one != pk] for pk, subject in wanted.items()}


def conflicting_changes(change: Change) -> list[Any]:
    if change.state not in Change.WAITING:
        return []
    return conflicts_within([(change.pk, change.subject)]).get(change.pk, [])
