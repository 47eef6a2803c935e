"""Apply a staged change to its gateway with at-most-once semantics.

A worker leases the change by a conditional update, and records what it will send before
sending. After that the change is never pending again, even if the worker dies or stalls:
**what may have been sent is never sent a second time**, which a database constraint
enforces. An interrupted change becomes *unknown*; ``reconciliation`` reads the outcome from
the gateway.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base import redis_signal
from controller.base.errors import (
    Conflict,
    NotPermitted,
    OutcomeUnknown,
    Refused,
    TimedOut,
    Unreachable,
)
from controller.base.leases import RENEW_PART, keep_renewing
from controller.celery import enqueue_on_commit
from networks.gateways.drivers.contract import Gateway as Connection
from networks.gateways.drivers.contract import Rejected
from networks.gateways.models import CHANGES, Change
from networks.gateways.rules.approvals import ready, waiting_state
from networks.gateways.rules.backups import file_to_restore
from networks.gateways.rules.changes import may_write, sole_id
from networks.gateways.rules.diff import drifted
from networks.gateways.rules.gateway_connections import connect, note_version
from networks.gateways.rules.scheduling import error_kind, topic, wake_due
from networks.gateways.rules.transitions import LEASED, log_event, transition

State = Change.State
ADVANCE = "networks.tasks.advance_set"
# Upper bound of reads and writes per change, each with the gateway's timeout.
CALLS = 12
LEASE = timedelta(seconds=CHANGES.seconds)

log = logging.getLogger(__name__)


def work(change: Change) -> bool:
    """Apply a due change. Returns False if another worker has it."""
    longest = settings.MUSTER_GATEWAY_SECONDS * CALLS
    with keep_renewing(
        lambda: renew(change), every=CHANGES.seconds / RENEW_PART, at_most=longest
    ):
        return bool(list(steps(change)))


def renew(change: Change) -> None:
    """Renew the lease of a change that is being applied, while this worker has it."""
    if change.lease_holder is not None:
        rows = Change.objects.filter(pk=change.pk, lease_holder=change.lease_holder)
        rows.filter(state__in=LEASED).update(leased_until=timezone.now() + LEASE)


def steps(change: Change) -> Iterator[str]:
    """Apply the change, yielding at the steps after which a worker may die."""
    try:
        claim(change)
    except Conflict as reason:
        log.info("Change %s is not begun: %s", change.pk, reason)
        return
    yield "claimed"
    try:
        still_permitted(change)
        with connect(change.gateway) as device:
            prepare(change, device)
            yield "prepared"
            target = send(change, device)
            yield "sent"
            transition(change, State.APPLYING, State.VERIFYING, target_id=target)
            log_event(change, "verify", by=change.applier)
            yield "verifying"
            finish(change, device, target, change.applier)
    except Refused as error:
        record_failure(change, error)
    notify_done(change)


def claim(change: Change) -> None:
    now = timezone.now()
    if change.not_before is not None and change.not_before > now:
        raise Conflict(gettext("It is not due yet."))
    try:
        with transaction.atomic():
            transition(
                change, State.SCHEDULED, State.APPLYING, started=now, intent=None,
                lease_holder=uuid4(), leased_until=now + LEASE,
            )  # fmt: skip
    except IntegrityError as error:
        change.refresh_from_db()
        raise Conflict(
            gettext(
                "Another change of this gateway is being applied, or its outcome is not known yet."
            )
        ) from error


def still_permitted(change: Change) -> None:
    """Check permissions and approval again: they may have changed since scheduling."""
    if settings.ADAPTER_READ_ONLY:
        raise NotPermitted(gettext("The portal is read-only: ADAPTER_READ_ONLY is true."))
    if change.applier is None:
        raise NotPermitted(gettext("Whoever asked for this is no longer there."))
    may_write(change.applier, change.gateway, change.what)
    ready(change)


def prepare(change: Change, device: Connection) -> None:
    """Read the gateway and record the intent before anything is sent."""
    feature, target = change.what, change.target_id
    note_version(change.gateway, device)
    device.check(feature, change.wanted)
    now = timezone.now()
    intent: dict[str, Any] = {"at": now.isoformat()}
    if feature.action:
        intent["started"] = device.started(feature, change.wanted)
    elif change.operation == "create":
        intent["ids"] = device.ids(feature, change.wanted)
    else:
        target = target or sole_id(device, feature)
        intent["before"] = live = device.read(feature, target)
        if live is None or (drifted(change, live) and not change.accepts_drift):
            raise Conflict(
                gettext(
                    "The gateway is not as it was when this was staged. Look at the difference, "
                    'and say "accept_drift": true, or stage it again.'
                )
            )
        target = device.lasting(feature, target)
    transition(
        change, State.APPLYING, State.APPLYING, intent=intent, target_id=target, sent=now
    )


def send(change: Change, device: Connection) -> str:
    """Send the write, once. Returns the id of the object."""
    feature = change.what
    values = feature.values(change.full_payload)
    backup = file_to_restore(change) if feature.restores else None
    held = Change.objects.filter(pk=change.pk, lease_holder=change.lease_holder)
    if not held.filter(leased_until__gt=timezone.now()).exists():
        raise TimedOut(gettext("The gateway took too long before anything was sent."))
    if backup is not None:
        device.restore(backup)
        return ""
    return device.write(feature, change.operation, change.target_id, values)


def finish(change: Change, device: Connection, target: str, by: User | None) -> None:
    """Activate what was written, verify it, and mark the change as applied."""
    feature = change.what
    try:
        device.activate(feature)
        after = None if feature.action else device.read(feature, target)
    except Refused as error:
        raise OutcomeUnknown(
            gettext("It is written, and not in effect for certain: %(error)s")
            % {"error": error}
        ) from error
    if not feature.action and not matches_desired(change, after):
        raise Rejected("The gateway says that it is done, and holds something else.")
    with transaction.atomic():
        transition(
            change, change.state, State.APPLIED, after=after, target_id=target,
            applied=timezone.now(), outcome="", trouble="", watched_until=None,
        )  # fmt: skip
        before = (change.intent or {}).get("before")
        log_event(change, "apply", by=by, before=before, after=after or change.payload)
        if change.operation != "create":
            # Stop watching earlier failed writes of this object: they cannot be told apart from
            # this one.
            twins = change.gateway.changes.filter(feature=change.feature, target_id=target)
            twins.filter(state=State.FAILED).update(watched_until=None)
        if change.inverse_of is not None:
            _take_back(change.inverse_of)


def _take_back(origin: Change) -> None:
    if origin.state == State.APPLIED:
        transition(origin, State.APPLIED, State.ROLLED_BACK)
        log_event(origin, "roll_back")


def matches_desired(change: Change, found: dict[str, str] | None) -> bool:
    """Return whether the object read is in the change's desired state."""
    if change.operation == "delete":
        return found is None
    return found is not None and not change.what.differs(change.wanted, found)


def record_failure(change: Change, error: Refused) -> None:
    """Set the state after a failed attempt: pending again, failed, or unknown."""
    values: dict[str, Any] = {"outcome": str(error), "trouble": error_kind(error)}
    new: str = State.FAILED
    if isinstance(error, OutcomeUnknown):
        new = State.UNKNOWN
    elif change.sent is None or _was_not_sent(change, error):
        new, values["sent"], values["not_before"] = waiting_state(change), None, None
    try:
        with transaction.atomic():
            transition(change, change.state, new, **values)
            log_event(change, "apply", text=str(error), outcome="failed", by=change.applier)
    except Conflict as reason:
        # The lease expired and the reconciler took over.
        log.warning("Change %s was taken away: %s; it had: %s", change.pk, reason, error)


def _was_not_sent(change: Change, error: Refused) -> bool:
    """Return whether the driver reports that nothing was sent."""
    return change.state == State.APPLYING and isinstance(error, Unreachable | TimedOut)


def notify_done(change: Change) -> None:
    """Notify waiters, then dispatch the gateway's next change and the change set."""
    redis_signal.tell(topic(change))
    wake_due()
    if change.change_set_id is not None:
        enqueue_on_commit(ADVANCE, str(change.change_set_id))
