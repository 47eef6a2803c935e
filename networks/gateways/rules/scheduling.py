"""Schedule changes, wait for their outcome, and expire stale ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
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
from controller.celery import enqueue_on_commit
from networks.gateways.engine import maintenance_windows
from networks.gateways.models import Change, ChangeSet
from networks.gateways.rules.approvals import ready, waiting_state
from networks.gateways.rules.changes import idempotency_digest, may_write
from networks.gateways.rules.transitions import log_event, transition

State = Change.State
HOLDING = (ChangeSet.State.DRAFT, *ChangeSet.ACTIVE)
# States that another request may set before the worker starts.
GIVEN_UP = (State.DRAFT, State.PENDING, State.APPROVED, State.DISCARDED, State.EXPIRED)
WORK = "networks.tasks.apply_change"
# Most specific first: the first match counts.
ERROR_KINDS: Mapping[str, type[Refused]] = {
    "timed out": TimedOut,
    "unreachable": Unreachable,
    "unknown": OutcomeUnknown,
    "not permitted": NotPermitted,
    "conflict": Conflict,
    "refused": Refused,
}


@dataclass(frozen=True)
class ApplyOptions:
    """Options of apply.

    ``not_before`` and ``in_window`` delay; ``key`` is the Idempotency-Key.
    """

    force: bool = False
    accepts_drift: bool = False
    in_window: bool = False
    in_set: bool = False
    not_before: datetime | None = None
    key: str = ""


def apply(change: Change, *, by: User, how: ApplyOptions) -> Change:
    """Schedule the change and wait for its outcome up to MUSTER_APPLY_WAIT_SECONDS.

    Raises the error that the worker recorded. A change still scheduled is returned as is.
    """
    schedule(change, by=by, how=how)
    return outcome(change, seconds=settings.MUSTER_APPLY_WAIT_SECONDS)


def schedule(change: Change, *, by: User, how: ApplyOptions) -> Change:
    """Schedule the change for a worker. Of concurrent callers, one succeeds."""
    may_write(by, change.gateway, change.what)
    key = idempotency_digest(how.key)
    if key and change.apply_key == key:
        return change
    permitted(how)
    if change.change_set and change.change_set.state in HOLDING and not how.in_set:
        raise Conflict(gettext("It is part of a set of changes, and applied with it."))
    ready(change)
    begin = next_start(change, how)
    old = change.state if change.state == State.APPROVED else State.PENDING
    with transaction.atomic():
        transition(
            change, old, State.SCHEDULED, applier=by, accepts_drift=how.accepts_drift,
            attempt=change.attempt + 1, not_before=begin, trouble="", outcome="", apply_key=key,
        )  # fmt: skip
        log_event(change, "schedule", text=told(begin), by=by)
        if begin <= timezone.now():
            enqueue_on_commit(WORK, str(change.pk))
    return change


def permitted(how: ApplyOptions) -> None:
    if settings.ADAPTER_READ_ONLY:
        raise NotPermitted(gettext("The portal is read-only: ADAPTER_READ_ONLY is true."))
    if not how.force:
        raise NotPermitted(gettext('Say "force": true to write this to the live device.'))


def next_start(change: Change, how: ApplyOptions) -> datetime:
    """Return when the change may start.

    Outside of the maintenance windows raises Conflict, unless ``in_window`` or
    ``not_before`` is set.
    """
    now = timezone.now()
    wanted = max(how.not_before or now, now)
    parsed = maintenance_windows.parse(change.gateway.maintenance)
    begin = maintenance_windows.next_opening(parsed, wanted, change.gateway.zone) or wanted
    if begin > wanted and not how.in_window and how.not_before is None:
        local = begin.astimezone(change.gateway.zone)
        raise Conflict(
            gettext(
                "The gateway's maintenance windows are %(maintenance)s; the next one opens "
                'at %(local)s. Say "in_window": true to have it applied then.'
            )
            % {
                "maintenance": change.gateway.maintenance,
                "local": format(local, "%Y-%m-%d %H:%M %Z"),
            }
        )
    if change.expires and begin >= change.expires:
        raise Conflict(gettext("It expires before that."))
    return begin


def told(begin: datetime) -> str:
    return "" if begin <= timezone.now() else f"Not before {begin:%Y-%m-%d %H:%M} UTC."


@transaction.atomic
def unschedule(change: Change, *, by: User) -> Change:
    """Return a scheduled change to pending.

    Raises Conflict once a worker has started it.
    """
    may_write(by, change.gateway, change.what)
    transition(change, State.SCHEDULED, waiting_state(change), not_before=None)
    log_event(change, "hold", by=by)
    return change


def outcome(change: Change, *, seconds: float) -> Change:
    """Wait up to `seconds` for the outcome; raise the error the worker recorded."""
    if change.not_before is None or change.not_before <= timezone.now():
        redis_signal.wait(topic(change), lambda: is_over(change), seconds=seconds)
    change.refresh_from_db()
    if change.trouble and change.state not in Change.MOVING:
        raise ERROR_KINDS[change.trouble](change.outcome)
    if change.state in GIVEN_UP:
        raise Conflict(
            gettext("Nothing was written: the change is %(state)s.")
            % {"state": change.get_state_display().lower()}
        )
    return change


def is_over(change: Change) -> bool:
    state = Change.objects.filter(pk=change.pk).values_list("state", flat=True).first()
    return state not in Change.MOVING


def topic(change: Change) -> str:
    return f"{change.pk}:{change.attempt}"


def error_kind(error: Refused) -> str:
    return next(name for name, kind in ERROR_KINDS.items() if isinstance(error, kind))


# --- periodic tasks


def scheduled_and_due() -> QuerySet[Change]:
    return Change.objects.filter(state=State.SCHEDULED, not_before__lte=timezone.now())


def wake_due() -> int:
    """Enqueue due changes, in case their message was lost. Returns their number."""
    busy = Change.objects.filter(state__in=Change.OPEN).values("gateway")
    due = (
        scheduled_and_due()
        .exclude(gateway__in=busy)
        .order_by(F("not_before").asc(nulls_first=True), "created", "pk")
    )
    # One per gateway: changes of a gateway are applied one at a time.
    firsts: dict[Any, Any] = {}
    for pk, gateway in due.values_list("pk", "gateway")[:500]:
        firsts.setdefault(gateway, pk)
    for pk in firsts.values():
        enqueue_on_commit(WORK, str(pk))
    return len(firsts)


def expire() -> int:
    """Expire pending changes past their time. Returns their number."""
    old = Q(expires__lt=timezone.now(), state__in=Change.WAITING)
    gone = 0
    for change in Change.objects.filter(old).select_related("gateway")[:500]:
        try:
            with transaction.atomic():
                transition(
                    change, change.state, State.EXPIRED, outcome="Nobody applied it in time."
                )
                log_event(change, "expire", text=change.outcome)
                gone += 1
        except Conflict:
            continue
    return gone
