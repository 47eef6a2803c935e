"""Staged changes: stage, amend, submit, discard, repeat, invert."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, NotPermitted, Refused, Unreachable
from controller.base.secrets import digest
from networks.gateways.drivers.contract import Gateway as Connection
from networks.gateways.engine.features import CATASTROPHIC_ROLE, FEATURES, Feature
from networks.gateways.models import Change, ChangeSet, Gateway
from networks.gateways.rules.backups import restorable
from networks.gateways.rules.conflicts import conflict_key
from networks.gateways.rules.transitions import log_event, shown_payload, transition
from networks.gateways.rules.visits import visit

TARGET = re.compile(r"[A-Za-z0-9_.\-*:]{1,64}")
LONGEST_KEY = 255
State = Change.State
Rows = dict[str, str] | None


def may_write(user: User, gateway: Gateway, feature: Feature) -> None:
    """Raise NotPermitted unless the user may write changes of this feature here."""
    if not user.has_perm_on(feature.permission, gateway):
        raise NotPermitted(
            gettext("Permission denied: requires '%(permission)s'")
            % {"permission": feature.permission}
        )
    if feature.catastrophic and not user.outranks(CATASTROPHIC_ROLE, gateway.organization_id):
        raise NotPermitted(
            gettext("%(key)s requires at least the role %(catastrophic_role)s")
            % {"key": feature.key, "catastrophic_role": CATASTROPHIC_ROLE}
        )


def feature_of(gateway: Gateway, name: str, area: str = "") -> Feature:
    feature = FEATURES.get(name)
    if feature is None or feature.vendor != gateway.vendor:
        raise Refused(
            gettext("There is no feature %(name)s on gateways of %(vendor)s.")
            % {"name": repr(name[:128]), "vendor": gateway.vendor}
        )
    if area and feature.area != area:
        raise Refused(
            gettext("%(key)s is of the area %(area)s, not %(area_2)s.")
            % {"key": feature.key, "area": feature.area, "area_2": area}
        )
    return feature


def stage(
    gateway: Gateway,
    *,
    feature: Feature,
    operation: str,
    payload: Mapping[str, Any],
    by: User,
    target_id: str = "",
    key: str = "",
    **values: Any,
) -> Change:
    """Stage a change. The gateway is read, and nothing is written.

    ``key`` is the request's Idempotency-Key: a repeated request returns the change staged
    before. ``values`` are further fields: notes, state, inverse_of, change_set.
    """
    may_write(by, gateway, feature)
    operation, payload, target_id = feature.as_asked(operation, payload, target_id)
    if not values.get("inverse_of"):
        _check(gateway, feature, operation, payload, target_id)
    asked = sealed(gateway, feature, operation, payload, target_id)
    key = idempotency_digest(key)
    if key and (known := Change.objects.filter(author=by, stage_key=key).first()):
        return _same(known, asked)
    found, before = _looked_up(gateway, feature, operation, target_id)
    row = Change(
        gateway=gateway, feature=feature.key, operation=operation, target_id=found,
        before=before, author=by, stage_key=key or None, digest=asked,
        expires=timezone.now() + timedelta(days=settings.MUSTER_CHANGE_DAYS), **values,
    )  # fmt: skip
    _fill(row, payload)
    row.subject = conflict_key(row)
    try:
        return _kept(row, by)
    except IntegrityError as error:
        if not key:
            raise Conflict(gettext("This has been staged already.")) from error
    return _same(Change.objects.get(author=by, stage_key=key), asked)


@transaction.atomic
def _kept(row: Change, by: User) -> Change:
    _make_room(row.gateway)
    row.save(force_insert=True)
    log_event(row, "stage", after={"payload": shown_payload(row)}, by=by)
    return row


def _check(
    gateway: Gateway,
    feature: Feature,
    operation: str,
    payload: Mapping[str, Any],
    target_id: str,
) -> None:
    if operation not in feature.operations:
        possible = ", ".join(feature.operations)
        raise Refused(
            {
                "query.operation": [
                    gettext("%(key)s can: %(possible)s.")
                    % {"key": feature.key, "possible": possible}
                ]
            }
        )
    if found := feature.problems(operation, payload):
        raise Refused(found)
    if feature.restores:
        restorable(gateway, payload)
    if target_id and (operation == "create" or not TARGET.fullmatch(target_id)):
        raise Refused({"target_id": [gettext("This is no id of something to change.")]})


def idempotency_digest(key: str) -> str:
    """Validate and hash an Idempotency-Key."""
    if len(key) > LONGEST_KEY:
        raise Refused(
            gettext("An Idempotency-Key has 1 to %(longest_key)s characters.")
            % {"longest_key": LONGEST_KEY}
        )
    return digest(key) if key else ""


def _same(known: Change, asked: str) -> Change:
    if known.digest != asked:
        raise Refused(
            gettext(
                "This Idempotency-Key was used for another change. Take a new one for a new change."
            )
        )
    return known


def sealed(
    gateway: Gateway,
    feature: Feature,
    operation: str,
    payload: Mapping[str, Any],
    target_id: str,
) -> str:
    """Return a digest of the change with its secrets; approvals are bound to it."""
    asked = [str(gateway.pk), feature.key, operation, target_id, payload]
    text = json.dumps(asked, sort_keys=True, default=str)
    return salted_hmac("networks.change", text, algorithm="sha256").hexdigest()


def _fill(row: Change, payload: Mapping[str, Any]) -> None:
    hidden: Any = {n: value for n, value in payload.items() if row.what.is_secret(n)}
    row.payload = {name: value for name, value in payload.items() if name not in hidden}
    row.secrets = hidden or None


def amend(
    change: Change,
    *,
    by: User,
    payload: Mapping[str, Any] | None = None,
    notes: str | None = None,
) -> Change:
    """Edit a pending change. Invalidates existing approvals."""
    may_write(by, change.gateway, change.what)
    values: dict[str, Any] = {} if notes is None else {"notes": notes}
    state = change.state
    if state not in {State.DRAFT, State.PENDING, State.APPROVED}:
        raise Conflict(
            gettext("change is %(state)s, and only what waits can be amended")
            % {"state": state}
        )
    if payload is not None:
        _check(change.gateway, change.what, change.operation, payload, change.target_id)
        _fill(change, payload)
        values |= {
            "payload": change.payload,
            "secrets": change.secrets,
            "writers": sorted({*change.writers, str(by.pk)}),
            "subject": conflict_key(change),
            "digest": sealed(
                change.gateway, change.what, change.operation, payload, change.target_id
            ),
        }
        state = State.PENDING if state == State.APPROVED else state
    with transaction.atomic():
        transition(change, change.state, state, **values)
        log_event(change, "amend", after={"payload": shown_payload(change)}, by=by)
    return change


@transaction.atomic
def submit(change: Change, *, by: User) -> Change:
    """Submit a draft for review."""
    may_write(by, change.gateway, change.what)
    transition(change, State.DRAFT, State.PENDING)
    log_event(change, "submit", by=by)
    return change


def _make_room(gateway: Gateway) -> None:
    mine = Change.objects.filter(gateway__organization=gateway.organization_id)
    if mine.filter(state__in=Change.WAITING).count() >= settings.MUSTER_PENDING_CHANGES:
        raise Conflict(
            gettext(
                "%(muster_pending_changes)s changes of this organization wait already. Apply "
                "or discard some."
            )
            % {"muster_pending_changes": settings.MUSTER_PENDING_CHANGES}
        )


def _looked_up(
    gateway: Gateway, feature: Feature, operation: str, target: str
) -> tuple[str, Rows]:
    """Return the target and its current values, or None if the gateway is unreachable."""
    if operation == "create":
        return "", None
    try:
        with visit(gateway) as device:
            target = target or sole_id(device, feature)
            before = device.read(feature, target)
    except (Unreachable, Conflict):
        return target, None
    if before is None:
        raise Refused(
            {
                "target_id": [
                    gettext("The gateway has no %(key)s of this id.") % {"key": feature.key}
                ]
            }
        )
    return target, before


def sole_id(device: Connection, feature: Feature) -> str:
    """Return the id of the only object. Raises Refused if there are several or none."""
    found = device.ids(feature, {})
    if len(found) != 1:
        raise Refused(
            {
                "target_id": [
                    gettext("The gateway has %(count)s of %(key)s: say which one.")
                    % {"count": len(found), "key": feature.key}
                ]
            }
        )
    return found[0]


@transaction.atomic
def discard(change: Change, *, by: User) -> Change:
    """Discard a pending change. Raises Conflict once a worker has started it.

    A change whose outcome stays unknown is given up instead, so that its gateway is free for
    other changes and can be deleted. Whether it was carried out remains unknown.
    """
    may_write(by, change.gateway, change.what)
    if change.state == State.UNKNOWN:
        return _give_up(change, by)
    old = change.state if change.state in Change.WAITING else State.PENDING
    transition(change, old, State.DISCARDED)
    log_event(change, "discard", by=by)
    return change


def may_give_up(change: Change, *, by: User) -> bool:
    """Return whether the user may give up a change whose outcome stays unknown."""
    return by.outranks(CATASTROPHIC_ROLE, change.gateway.organization_id)


def _give_up(change: Change, by: User) -> Change:
    if not may_give_up(change, by=by):
        raise NotPermitted(
            gettext("To give up a change needs at least the role %(catastrophic_role)s.")
            % {"catastrophic_role": CATASTROPHIC_ROLE}
        )
    rested = timezone.now() - timedelta(seconds=settings.MUSTER_GATEWAY_SETTLE_SECONDS)
    if change.sent is not None and change.sent > rested:
        raise Conflict(gettext("It was sent a moment ago: the gateway may still answer."))
    text = f"Given up by {by.get_username()}: nobody knows whether it was carried out."
    transition(change, State.UNKNOWN, State.FAILED, outcome=text, trouble="unknown")
    log_event(change, "give_up", by=by, text=text, outcome="failed")
    return change


def stage_again(change: Change, *, by: User) -> Change:
    """Stage a failed, expired or discarded change again, from the live state."""
    over = {State.FAILED, State.EXPIRED, State.DISCARDED}
    if change.state not in over:
        raise Conflict(
            gettext("change is %(state)s, and what is over without effect is repeated")
            % {"state": change.state}
        )
    return stage(
        change.gateway,
        feature=change.what,
        operation=change.operation,
        payload=change.full_payload,
        target_id=change.target_id if change.operation != "create" else "",
        notes=change.notes,
        by=by,
    )


def plan_inverse(change: Change, *, by: User, change_set: ChangeSet | None = None) -> Change:
    """Stage the inverse of an applied change, to be applied like any other change."""
    if change.state != State.APPLIED or change.what.action:
        raise Conflict(
            gettext("change is %(state)s, and only what was applied is taken back")
            % {"state": change.state}
        )
    before = (change.intent or {}).get("before") or {}
    operation = {"create": "delete", "update": "update", "delete": "create"}[change.operation]
    if operation == "create" and change.what.secret:
        raise Refused(gettext("The deleted object had secrets, which cannot be read back."))
    # Use the vendor's raw values as they were read, which it accepts again.
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
        change_set=change_set,
    )
