"""Resolve changes with an unknown outcome from the gateway's live state."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from controller.base.counters import count
from controller.base.errors import Conflict, Refused
from controller.base.leases import EXPIRED, for_each
from networks.gateways.drivers.contract import Gateway as Connection
from networks.gateways.models import CHANGES, Change
from networks.gateways.rules.approvals import waiting_state
from networks.gateways.rules.execution import finish, matches_desired, notify_done
from networks.gateways.rules.gateway_connections import connect
from networks.gateways.rules.transitions import log_event, transition

AT_ONCE = 20
# An action without visible effect by then is given up.
DEED_AFTER = timedelta(minutes=15)
LOOK_AGAIN = timedelta(minutes=1)

State = Change.State
log = logging.getLogger(__name__)


def has_work() -> bool:
    """Return whether a change was abandoned, is unknown or may come late."""
    now = timezone.now()
    found = (CHANGES.expired(now), _unknown(now), _late(now))
    return any(rows.exists() for rows in found)


def reconcile() -> int:
    """Recover abandoned changes and resolve unknown ones. Returns the number resolved."""
    now = timezone.now()
    lost = list(CHANGES.expired(now))
    count(EXPIRED, CHANGES.name, len(lost))
    for_each(lost, _recover_abandoned, name="gateways.abandoned")
    return _look_at_all(_unknown(now)) + _look_at_all(_late(now))


def _unknown(now: datetime) -> QuerySet[Change]:
    # A write may still be in flight for a while.
    rested = now - timedelta(seconds=settings.MUSTER_GATEWAY_SETTLE_SECONDS)
    return Change.objects.filter(state=State.UNKNOWN, sent__lte=rested).order_by("modified")


def _late(now: datetime) -> QuerySet[Change]:
    rows = Change.objects.filter(state=State.FAILED, watched_until__gt=now)
    return rows.filter(modified__lt=now - LOOK_AGAIN).order_by("modified")


def _look_at_all(rows: QuerySet[Change]) -> int:
    found: list[bool] = []
    some = rows.select_related("gateway")[:AT_ONCE]
    for_each(some, lambda change: found.append(_look(change)), name="gateways.unknown")
    return sum(found)


def _look(change: Change) -> bool:
    # Move it to the end of the queue.
    Change.objects.filter(pk=change.pk).update(modified=timezone.now())
    try:
        found = resolve_outcome(change)
    except Refused as error:
        log.info("The outcome of change %s is still unknown: %s", change.pk, error)
        return False
    if found:
        notify_done(change)
    return found


def _recover_abandoned(change: Change) -> None:
    """Reset a change with an expired lease: pending if nothing was sent, else unknown."""
    text = "The worker that applied it is gone."
    was_sent = change.sent is not None
    new = State.UNKNOWN if was_sent else waiting_state(change)
    trouble = "unknown" if was_sent else "unreachable"
    try:
        with transaction.atomic():
            transition(change, change.state, new, outcome=text, trouble=trouble)
            log_event(change, "interrupted", text=text, outcome="failed")
    except Conflict:
        log.info("Change %s went on by itself.", change.pk)
    else:
        notify_done(change)


def resolve_outcome(change: Change) -> bool:
    """Look for the change on the gateway. Returns whether the outcome is now known."""
    with connect(change.gateway) as device:
        target = _written(change, device)
        if target is not None:
            finish(change, device, target, None)
            return True
        if change.state == State.FAILED:
            return False
        if (
            change.what.action
            and change.started
            and timezone.now() - change.started < DEED_AFTER
        ):
            return False
        _give_up(change, device)
    return True


def _written(change: Change, device: Connection) -> str | None:
    """Return the id of the object that the change wrote, or None if it did not."""
    feature, intent = change.what, change.intent or {}
    if feature.action:
        now = device.started(feature, change.wanted)
        return "" if now != intent["started"] else None
    if change.operation != "create":
        return (
            change.target_id
            if matches_desired(change, device.read(feature, change.target_id))
            else None
        )
    known = {*intent["ids"], *_made_by_others(change)}
    new = [one for one in device.ids(feature, change.wanted) if one not in known]
    fitting = [one for one in new if matches_desired(change, device.read(feature, one))]
    return fitting[0] if fitting else None


def _made_by_others(change: Change) -> list[str]:
    rows = change.gateway.changes.filter(feature=change.feature, operation="create")
    return list(rows.exclude(pk=change.pk).values_list("target_id", flat=True))


def _is_untouched(change: Change, device: Connection) -> bool:
    if change.what.action or change.operation == "create":
        return True
    before = (change.intent or {}).get("before") or {}
    found = device.read(change.what, change.target_id)
    return found is not None and not change.what.differs(before, found)


def _give_up(change: Change, device: Connection) -> None:
    """Mark an unknown change as failed.

    It may still arrive, so it is never sent again.
    """
    if _is_untouched(change, device):
        text = "It did not reach the gateway, as far as can be seen. Stage it again if need be."
    else:
        text = "The gateway holds neither what was nor what was to be."
    until = timezone.now() + timedelta(seconds=settings.MUSTER_GATEWAY_WATCH_SECONDS)
    with transaction.atomic():
        transition(
            change, State.UNKNOWN, State.FAILED, outcome=text, trouble="refused",
            watched_until=until,
        )  # fmt: skip
        log_event(change, "reconcile", text=text, outcome="failed")
