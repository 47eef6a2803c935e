"""Changes of gateways: staged, looked at, discarded. How one is applied is told elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from controller.accounts.models import User
from controller.accounts.rules import auditing
from controller.base.errors import Conflict, NotPermitted, Refused, TimedOut, Unreachable
from controller.base.events import about, tell
from networks.drivers.gateways.contract import Gateway as Connection
from networks.engine.features import CATASTROPHIC_ROLE, FEATURES, MASK, Feature, differs
from networks.models import Change, ChangeEvent, Gateway
from networks.rules.gateways import connect

TARGET = re.compile(r"[A-Za-z0-9_.\-*:]{1,64}")
READ = "network:read"
Rows = dict[str, str] | None


@dataclass(frozen=True)
class Difference:
    """One value: when the change was staged, now, and as it is to be."""

    name: str
    base: str | None
    live: str | None
    desired: str | None


def may_write(user: User, gateway: Gateway, feature: Feature) -> None:
    """Raise unless this user may stage, apply and discard changes of this feature here."""
    if not user.may_on(feature.permission, gateway):
        raise NotPermitted(f"Permission denied: requires '{feature.permission}'")
    if feature.catastrophic and not user.outranks(CATASTROPHIC_ROLE, gateway.organization_id):
        raise NotPermitted(f"{feature.key} requires at least the role {CATASTROPHIC_ROLE}")


def feature_of(gateway: Gateway, name: str, area: str = "") -> Feature:
    feature = FEATURES.get(name)
    if feature is None or feature.vendor != gateway.vendor:
        raise Refused(f"There is no feature {name[:128]!r} on gateways of {gateway.vendor}.")
    if area and feature.area != area:
        raise Refused(f"{feature.key} is of the area {feature.area}, not {area}.")
    return feature


def stage(
    gateway: Gateway,
    *,
    feature: Feature,
    operation: str,
    payload: Mapping[str, Any],
    by: User,
    target_id: str = "",
    notes: str = "",
    inverse_of: Change | None = None,
) -> Change:
    """Keep a change until somebody applies it. The gateway is read, and not touched."""
    may_write(by, gateway, feature)
    if operation not in feature.operations:
        possible = ", ".join(feature.operations)
        raise Refused({"query.operation": [f"{feature.key} can: {possible}."]})
    if inverse_of is None and (found := feature.problems(operation, payload)):
        raise Refused(found)
    if target_id and (operation == "create" or not TARGET.fullmatch(target_id)):
        raise Refused({"target_id": ["This is no id of something to change."]})
    target_id, before = _looked_up(gateway, feature, operation, target_id)
    hidden: Any = {name: value for name, value in payload.items() if feature.is_secret(name)}
    with transaction.atomic():
        _make_room(gateway)
        change = Change.objects.create(
            gateway=gateway,
            feature=feature.key,
            operation=operation,
            target_id=target_id,
            payload={name: value for name, value in payload.items() if name not in hidden},
            secrets=hidden or None,
            notes=notes,
            before=before,
            author=by,
            inverse_of=inverse_of,
        )
        note(change, "stage", after={"payload": shown_payload(change)}, by=by)
    return change


def _make_room(gateway: Gateway) -> None:
    mine = Change.objects.filter(gateway__organization=gateway.organization_id)
    if mine.filter(state=Change.State.PENDING).count() >= settings.MUSTER_PENDING_CHANGES:
        raise Conflict(
            f"{settings.MUSTER_PENDING_CHANGES} changes of this organization wait already. "
            "Apply or discard some."
        )


def _looked_up(
    gateway: Gateway, feature: Feature, operation: str, target: str
) -> tuple[str, Rows]:
    """What to change, and what it is like. An unreachable gateway is asked at applying."""
    if operation == "create":
        return "", None
    try:
        with connect(gateway) as device:
            target = target or only(device, feature)
            before = device.read(feature, target)
    except (Unreachable, TimedOut):
        return target, None
    if before is None:
        raise Refused({"target_id": [f"The gateway has no {feature.key} of this id."]})
    return target, before


def only(device: Connection, feature: Feature) -> str:
    """What is meant where no id is given: the one there is."""
    found = device.ids(feature, {})
    if len(found) != 1:
        raise Refused(
            {"target_id": [f"The gateway has {len(found)} of {feature.key}: say which one."]}
        )
    return found[0]


@transaction.atomic
def discard(change: Change, *, by: User) -> Change:
    """Give up a change that waits. One that is under way cannot be called back."""
    may_write(by, change.gateway, change.what)
    move(change, Change.State.PENDING, Change.State.DISCARDED)
    note(change, "discard", by=by)
    return change


def plan_inverse(change: Change, *, by: User) -> Change:
    """Stage what takes an applied change back; it is applied like any other."""
    if change.state != Change.State.APPLIED or change.what.deed:
        raise Conflict(f"change is {change.state}, and only what was applied is taken back")
    before = (change.intent or {}).get("before") or {}
    operation = {"create": "delete", "update": "update", "delete": "create"}[change.operation]
    if operation == "create" and change.what.secret:
        raise Refused("What was deleted had secrets, which cannot be read back.")
    # In the vendor's own words, as they were read: what it held, it takes again.
    names = change.wanted if change.operation == "update" else before
    payload = {name: before.get(name, "") for name in names}
    return stage(
        change.gateway,
        feature=change.what,
        operation=operation,
        payload={} if operation == "delete" else payload,
        target_id="" if operation == "create" else change.target_id,
        notes=f"Takes back {change.pk}",
        by=by,
        inverse_of=change,
    )


def differences(change: Change) -> tuple[list[Difference], bool]:
    """What a change comes to, and whether the gateway is not as it was at staging."""
    live = change.before
    if change.operation != "create" and change.target_id:
        with connect(change.gateway) as device:
            live = device.read(change.what, change.target_id)
    return compared(change, live), drifted(change, live)


def compared(change: Change, live: Rows) -> list[Difference]:
    wanted, base = change.wanted, change.before or {}
    held = live or {}
    names = base if change.operation == "delete" else wanted
    return [
        Difference(name, base.get(name), held.get(name), wanted.get(name))
        for name in sorted({*names, *differs(base, held), *differs(held, base)})
    ]


def drifted(change: Change, live: Rows) -> bool:
    if change.before is None:
        return False
    return live is None or bool(differs(change.before, live) or differs(live, change.before))


def shown_payload(change: Change) -> dict[str, Any]:
    return {**change.payload, **dict.fromkeys(change.secrets or {}, MASK)}


# --- steps


def move(change: Change, old: str, new: str, **values: Any) -> None:
    """From one state to the next, if nobody was faster; else :class:`Conflict`."""
    moved = Change.objects.filter(pk=change.pk, state=old, version=change.version).update(
        state=new, version=change.version + 1, **values
    )
    if not moved:
        now = Change.objects.filter(pk=change.pk).values_list("state", flat=True).first()
        raise Conflict(f"change is {now or 'gone'}, not {old}")
    change.state, change.version = new, change.version + 1
    for name, value in values.items():
        setattr(change, name, value)


def note(
    change: Change,
    action: str,
    *,
    text: str = "",
    outcome: str = "done",
    by: User | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Tell the change's own history, the audit, and whoever listens."""
    ChangeEvent.objects.create(
        change=change, state=change.state, text=text, actor=by.get_username() if by else ""
    )
    auditing.record(
        f"change.{action}",
        change,
        outcome=outcome,
        detail=text,
        before=before,
        after=after,
        by=by,
    )
    tell(about(change, "change.progress", READ, state=change.state, feature=change.feature))
