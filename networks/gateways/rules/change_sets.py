"""Change sets: applied in order, stopped or rolled back on failure."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules import audit
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import event_for, publish
from controller.base.leases import for_each
from controller.celery import enqueue_on_commit
from networks.gateways.models import Change, ChangeSet
from networks.gateways.rules import approvals, backups, changes, scheduling, transitions
from networks.gateways.rules.execution import ADVANCE
from networks.gateways.rules.scheduling import ApplyOptions

State = ChangeSet.State
MOST = 200
OVER = {Change.State.FAILED, Change.State.DISCARDED, Change.State.EXPIRED}
DONE = {Change.State.APPLIED, Change.State.ROLLED_BACK}


@transaction.atomic
def create_set(parts: Sequence[Change], *, by: User, name: str, **values: Any) -> ChangeSet:
    """Create a set of pending changes in order. All must be of one organization."""
    if not 1 <= len(parts) <= MOST or len({one.pk for one in parts}) < len(parts):
        raise Refused(
            {
                "changes": [
                    gettext("Name 1 to %(most)s changes, each of them once.") % {"most": MOST}
                ]
            }
        )
    owners = {one.gateway.organization_id for one in parts}
    if len(owners) > 1:
        raise Refused({"changes": [gettext("They are of gateways of several organizations.")]})
    for change in parts:
        changes.may_write(by, change.gateway, change.what)
    sites = {one.gateway.site_id for one in parts}
    row = ChangeSet(
        organization=parts[0].gateway.organization, name=name, author=by,
        site_id=sites.pop() if len(sites) == 1 else None, **values,
    )  # fmt: skip
    row.checked(leave_out={"applier", "started", "ended", "author"})
    row.save(force_insert=True)
    for position, change in enumerate(parts):
        if change.change_set_id is not None:
            raise Refused(
                {
                    "changes": [
                        gettext("%(change)s is part of a set already.") % {"change": change.pk}
                    ]
                }
            )
        state = change.state if change.state != Change.State.DRAFT else Change.State.PENDING
        if state not in {Change.State.PENDING, Change.State.APPROVED}:
            raise Conflict(
                gettext("%(change)s is %(state)s, and does not wait.")
                % {"change": change.pk, "state": state}
            )
        transitions.transition(change, change.state, state, change_set=row, position=position)
    _note(row, "create", by)
    return row


def parts_of(row: ChangeSet) -> list[Change]:
    """Return the changes of the set in order."""
    rows = row.changes.filter(position__isnull=False).order_by("position")
    return list(rows.select_related("gateway__organization", "gateway__site", "author"))


def apply_set(
    row: ChangeSet, *, by: User, force: bool, accepts_drift: bool = False
) -> ChangeSet:
    """Start applying the set, or resume where it stopped."""
    parts = parts_of(row)
    may_write(row, by)
    scheduling.permitted(ApplyOptions(force=force))
    waiting = [one for one in parts if one.state not in DONE]
    for change in waiting:
        approvals.ready(change)
    old = State.FAILED if row.state == State.FAILED else State.DRAFT
    with transaction.atomic():
        _move(
            row, old, State.RUNNING, applier=by, accepts_drift=accepts_drift,
            started=timezone.now(), ended=None, outcome="",
        )  # fmt: skip
        Change.objects.filter(pk__in=[one.pk for one in waiting]).update(attempt=0)
        _note(row, "apply", by)
        enqueue_on_commit(ADVANCE, str(row.pk))
    return row


def may_write(row: ChangeSet, by: User) -> None:
    for change in parts_of(row):
        changes.may_write(by, change.gateway, change.what)


@transaction.atomic
def discard_set(row: ChangeSet, *, by: User) -> ChangeSet:
    """Discard the set and its changes that have not been applied."""
    may_write(row, by)
    _move(row, State.FAILED if row.state == State.FAILED else State.DRAFT, State.DISCARDED)
    for change in parts_of(row):
        if change.state in {Change.State.PENDING, Change.State.APPROVED}:
            changes.discard(change, by=by)
    _note(row, "discard", by)
    return row


def approve_set(row: ChangeSet, *, by: User) -> ChangeSet:
    """Approve each pending change of the set in its current form."""
    with transaction.atomic():
        waiting = [one for one in parts_of(row) if one.state == Change.State.PENDING]
        if not waiting:
            raise Conflict(gettext("Nothing of it waits to be approved."))
        for change in waiting:
            approvals.approve(change, by=by)
    return row


def roll_back_set(row: ChangeSet, *, by: User) -> ChangeSet:
    """Start rolling back all applied changes, the last one first."""
    may_write(row, by)
    old = row.state if row.state in {State.APPLIED, State.FAILED} else State.APPLIED
    with transaction.atomic():
        _move(row, old, State.ROLLING_BACK, applier=by, ended=None)
        _note(row, "roll_back", by)
        enqueue_on_commit(ADVANCE, str(row.pk))
    return row


# --- worker


def advance(row: ChangeSet) -> None:
    """Schedule the next change once the previous one is over. Idempotent."""
    try:
        if row.state == State.RUNNING:
            _go_on(row)
        elif row.state == State.ROLLING_BACK:
            _go_back(row)
    except Conflict:
        return  # another worker was faster


def active_sets() -> QuerySet[ChangeSet]:
    return ChangeSet.objects.filter(state__in=ChangeSet.ACTIVE)


def advance_all() -> int:
    rows = list(active_sets())
    for_each(rows, advance, name="gateways.change_sets")
    return len(rows)


def _go_on(row: ChangeSet) -> None:
    change = next((one for one in parts_of(row) if not _is_left_out(one)), None)
    if change is None:
        _close_complete(row)
    elif change.state in (*Change.MOVING, Change.State.UNKNOWN):
        return
    elif change.attempt:
        _stop(row, f"{change} did not work: {change.outcome or change.state}")
    elif _is_backed_up(row, change):
        _begin(row, change)


def _is_backed_up(row: ChangeSet, change: Change) -> bool:
    """Return whether the gateway's backup is over; the set goes on when it is."""
    try:
        return backups.may_change(row, change.gateway)
    except Refused as error:
        _stop(row, str(error))
        return False


def _close_complete(row: ChangeSet) -> None:
    """Close a set without further parts: it is applied only if all of them are."""
    left_out = [one for one in parts_of(row) if one.state not in DONE]
    if left_out:
        names = ", ".join(f"{one} ({one.get_state_display().lower()})" for one in left_out)
        _stop(row, f"Not all of it was applied. Left out: {names}.")
    else:
        _close(row, State.APPLIED)


def _is_left_out(change: Change) -> bool:
    """Return whether a change is done, or was over before this run began."""
    return change.state in DONE or (change.state in OVER and not change.attempt)


def _begin(row: ChangeSet, change: Change) -> None:
    try:
        if row.applier is None:
            raise NotPermitted(gettext("Whoever asked for this is no longer there."))
        # Applying the set confirmed each change (`force`); each waits for its maintenance
        # window.
        how = ApplyOptions(
            force=True, accepts_drift=row.accepts_drift, in_window=True, in_set=True
        )
        scheduling.schedule(change, by=row.applier, how=how)
    except Refused as error:
        change.refresh_from_db()
        if change.state in {Change.State.PENDING, Change.State.APPROVED} and not change.attempt:
            _stop(row, f"{change}: {error}")


def _stop(row: ChangeSet, text: str) -> None:
    goes_back = row.state == State.RUNNING and row.on_failure == ChangeSet.OnFailure.ROLL_BACK
    if goes_back:
        with transaction.atomic():
            _move(row, row.state, State.ROLLING_BACK, outcome=text)
            _note(row, "stop", None, text)
            enqueue_on_commit(ADVANCE, str(row.pk))
    else:
        _close(row, State.FAILED, text)


def _go_back(row: ChangeSet) -> None:
    applied = [one for one in parts_of(row) if one.state == Change.State.APPLIED]
    if not applied:
        _close(row, State.ROLLED_BACK)
        return
    origin = applied[-1]
    back = row.changes.filter(inverse_of=origin).first()
    if back is None:
        back = _way_back(row, origin)
    if back is None or back.state in (*Change.MOVING, Change.State.UNKNOWN):
        return
    if back.attempt:
        _close(row, State.FAILED, f"{origin} was not taken back: {back.outcome or back.state}")
    else:
        _begin(row, back)


def _way_back(row: ChangeSet, origin: Change) -> Change | None:
    try:
        if row.applier is None:
            raise NotPermitted(gettext("Whoever asked for this is no longer there."))
        return changes.plan_inverse(origin, by=row.applier, change_set=row)
    except (Conflict, IntegrityError):
        return None  # another worker was faster
    except Refused as error:
        _close(row, State.FAILED, f"{origin} was not taken back: {error}")
        return None


def _close(row: ChangeSet, new: str, text: str = "") -> None:
    with transaction.atomic():
        text = " ".join(one for one in (row.outcome, text) if one)
        _move(row, row.state, new, outcome=text, ended=timezone.now())
        _note(row, new, None, text)


def _move(row: ChangeSet, old: str, new: str, **values: Any) -> None:
    moved = ChangeSet.objects.filter(pk=row.pk, state=old, version=row.version).update(
        state=new, version=row.version + 1, **values
    )
    if not moved:
        now = ChangeSet.objects.filter(pk=row.pk).values_list("state", flat=True).first()
        raise Conflict(
            gettext("The set is %(value)s, not %(old)s.") % {"value": now or "gone", "old": old}
        )
    row.state, row.version = new, row.version + 1
    for name, value in values.items():
        setattr(row, name, value)


def _note(row: ChangeSet, action: str, by: User | None, text: str = "") -> None:
    failed = row.state == State.FAILED
    audit.record_audit(
        f"change_set.{action}", row, detail=text, outcome="failed" if failed else "done", by=by
    )
    publish(
        event_for(row, "change.progress", transitions.READ, state=row.state, set=str(row.pk))
    )
