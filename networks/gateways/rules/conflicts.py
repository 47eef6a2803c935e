"""Changes that wait for the same thing, of which the later one writes over the earlier."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from controller.base.secrets import digest
from networks.gateways.models import Change


def conflict_key(change: Change) -> str:
    """What it touches, to be compared. Of what is new that is its identity, or else all of it."""
    feature, target = change.what, change.target_id
    if change.operation == "create":
        names = [*feature.scope, *feature.identity] or sorted(change.wanted)
        target = repr([(name, change.wanted.get(name)) for name in names])
    return digest(f"{change.gateway_id} {feature.key} {target}")


def conflicts_within(rows: Iterable[tuple[Any, str]]) -> dict[Any, list[Any]]:
    """Of changes, told by id and subject: the ids of the others that wait for the same."""
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
