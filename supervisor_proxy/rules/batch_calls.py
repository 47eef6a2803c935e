"""One call on many devices, those that wait for theirs, and a later look at the unknown."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import NotFound, Refused, Unreachable
from controller.base.request_context import current_context
from controller.celery import enqueue_on_commit
from supervisor_proxy.engine import balena, hassio
from supervisor_proxy.engine.routes import CallRequest, gate
from supervisor_proxy.models import (
    RememberedAnswer,
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
)
from supervisor_proxy.rules.call_execution import OFFLINE, execute_all
from supervisor_proxy.rules.call_requests import (
    LEASE_MARGIN,
    CallJob,
    check_permission,
    may_wait,
    prepare,
    record,
    refuse,
    restored,
    start,
    stored,
)

State = SupervisorCall.State
RUN = "supervisor_proxy.tasks.run_calls"
MOST_DEVICES = 500
WORK_SECONDS = 240.0
TRY_AGAIN = timedelta(seconds=30)
LOST = "The process that made it died, so it may have been done."
LOOK_AFTER = timedelta(seconds=5)
LOOK_UNTIL = timedelta(minutes=15)


def ask_many(
    user: User, supervisors: Sequence[Supervisor], wanted: CallRequest
) -> list[CallJob]:
    """The call on all of them, within the time of a request; each has an end of its own."""
    batch = new_batch(supervisors, wanted, app_id=wanted.app)
    jobs = [start(user, supervisor, wanted, batch=batch) for supervisor in supervisors]
    execute_all([job for job in jobs if job.is_ready])
    if any(job.is_late for job in jobs):
        enqueue_on_commit(RUN)
    return jobs


@transaction.atomic
def ask_many_later(
    user: User,
    supervisors: Sequence[Supervisor],
    wanted: CallRequest,
    *,
    queue_for: timedelta | None = None,
) -> SupervisorBatch:
    """The same by a worker; what one of them may not be asked is refused at once.

    With ``queue_for``, devices that are away are called when they are back.
    """
    may_wait(wanted, queue=queue_for is not None)
    batch = new_batch(supervisors, wanted, app_id=wanted.app)
    for supervisor in supervisors:
        job = CallJob(supervisor, wanted, record(supervisor, wanted, batch=batch))
        try:
            check_permission(user, wanted, supervisor)
        except Refused as refusal:
            refuse(job, refusal)
            continue
        job.call.state, job.call.wish = State.QUEUED, stored(wanted)
        job.call.started = job.call.leased_until = None
        job.call.expires = timezone.now() + queue_for if queue_for else None
        job.call.save()
    enqueue_on_commit(RUN)
    return batch


def ask_later(user: User, supervisor: Supervisor, wanted: CallRequest) -> SupervisorCall:
    """One call that takes long, by a worker; where it may not be made, the refusal at once."""
    job = CallJob(supervisor, wanted, record(supervisor, wanted))
    try:
        check_permission(user, wanted, supervisor)
        gate(wanted.route, supervisor.version)
    except Refused as refusal:
        refuse(job, refusal)
        raise
    call = job.call
    call.state, call.wish, call.started, call.leased_until = (
        State.QUEUED,
        stored(wanted),
        None,
        None,
    )
    call.save()
    enqueue_on_commit(RUN)
    return call


def new_batch(
    supervisors: Sequence[Supervisor], wanted: CallRequest, *, app_id: int | None
) -> SupervisorBatch:
    if not supervisors:
        raise NotFound("No online device(s) found", code="no_device")
    if len(supervisors) > MOST_DEVICES:
        raise Refused(
            f"{len(supervisors)} devices are too many for one call; {MOST_DEVICES} is the most.",
            code="too_many",
        )
    owners = {supervisor.device.organization_id for supervisor in supervisors}
    if len(owners) > 1:
        raise Refused(
            "Devices of several organizations have this application. Name the device, or sign "
            "in as somebody of one organization.",
            code="ambiguous",
        )
    (owner,) = owners
    return SupervisorBatch.objects.create(
        organization=Organization.objects.get(pk=owner),
        name=wanted.route.name,
        method=wanted.route.method,
        path=wanted.path,
        app_id=app_id,
        actor=current_context().actor,
    )


# --- what a worker does


def run_due() -> int:
    """Make the calls that wait; how many were made."""
    mark_lost_unknown()
    done = 0
    while calls := lease_due():
        jobs = [resume(call) for call in calls]
        ready_ones = [job for job in jobs if job.is_ready]
        longest = max((job.order.seconds for job in ready_ones if job.order), default=0.0)
        execute_all(ready_ones, seconds=max(WORK_SECONDS, longest))
        for job in jobs:
            requeue(job)
        done += len(jobs)
    return done


def mark_lost_unknown() -> None:
    now = timezone.now()
    SupervisorCall.objects.filter(state=State.RUNNING, leased_until__lt=now).update(
        state=State.UNKNOWN, code="lost", reason=LOST, ended=now, leased_until=None
    )
    SupervisorCall.objects.filter(state=State.QUEUED, expires__lt=now).update(
        state=State.EXPIRED,
        ended=now,
        wish=None,
        reason="The device did not come back in time.",
    )


@transaction.atomic
def lease_due() -> list[SupervisorCall]:
    now = timezone.now()
    rows: list[SupervisorCall] = list(
        SupervisorCall.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(Q(leased_until=None) | Q(leased_until__lt=now), state=State.QUEUED)
        .select_related("supervisor__device")
        .order_by("created")[:100]
    )
    for row in rows:
        row.state, row.started = State.RUNNING, now
        row.leased_until = now + timedelta(seconds=WORK_SECONDS * 2)
    SupervisorCall.objects.bulk_update(rows, ["state", "started", "leased_until"])
    return rows


def resume(call: SupervisorCall) -> CallJob:
    job = CallJob(call.supervisor, restored(call.supervisor.flavor, call.wish), call)
    try:
        prepare(job)
        call.leased_until = (
            timezone.now()
            + LEASE_MARGIN
            + timedelta(seconds=max(WORK_SECONDS, job.wish.route.seconds))
        )
        call.save(update_fields=["leased_until", "modified"])
    except Refused as refusal:
        refuse(job, refusal)
    return job


def requeue(job: CallJob) -> None:
    """A call that may wait goes on waiting while its device is away or busy."""
    call, refusal = job.call, job.refusal
    away = isinstance(refusal, Unreachable) and refusal.code in OFFLINE
    busy = refusal is not None and refusal.code == "busy"
    if not busy and not (away and call.expires):
        return
    call.state, call.wish, call.ended = State.QUEUED, stored(job.wish), None
    call.leased_until = timezone.now() + (TRY_AGAIN if away else timedelta(seconds=2))
    call.save()


def verify_unknown() -> int:
    """Look at the devices of calls whose outcome is unknown; how many were looked at."""
    now = timezone.now()
    calls = list(
        SupervisorCall.objects.filter(
            state=State.UNKNOWN, verified=None, ended__lt=now - LOOK_AFTER
        ).select_related("supervisor__device")[:100]
    )
    jobs = [look(call) for call in calls]
    execute_all([job for job in jobs if job.is_ready], seconds=WORK_SECONDS)
    for call, job in zip(calls, jobs, strict=True):
        conclude(call, job)
    return len(calls)


def look(call: SupervisorCall) -> CallJob:
    """A harmless question with the key, or without where there was none before."""
    supervisor = call.supervisor
    if supervisor.flavor == Supervisor.Flavor.HASSIO:
        route = next(row for row in hassio.TABLE if row.pattern == "/info")
    else:
        old = supervisor.version.lstrip("v").startswith("1.")
        route = balena.BY_NAME["ping" if old else "device"]
    wanted = CallRequest(route, route.pattern)
    job = CallJob(supervisor, wanted, record(supervisor, wanted))
    try:
        prepare(job)
    except Refused as refusal:
        refuse(job, refusal)
    return job


def conclude(call: SupervisorCall, job: CallJob) -> None:
    answered = job.answer is not None or job.call.status is not None
    if not answered and timezone.now() - (call.ended or call.created) < LOOK_UNTIL:
        return
    if job.answer is not None and job.answer.is_good:
        value = job.answer.value
        status = value.get("status", "") if isinstance(value, dict) else ""
        told = f" Its state: {status}." if status else ""
        call.verdict = f"The device answers, and takes the portal's key.{told}"
    elif answered:
        call.verdict = f"The device answers, but not as it should: {job.call.reason}"
    else:
        call.verdict = "The device has not answered since."
    call.verified = timezone.now()
    call.save(update_fields=["verified", "verdict", "modified"])


def prune() -> int:
    """Drop what is older than the settings keep, and answers nobody can ask for again."""
    RememberedAnswer.objects.filter(expires__lt=timezone.now()).delete()
    days = settings.MUSTER_SUPERVISOR_HISTORY_DAYS
    old = timezone.now() - timedelta(days=days)
    gone, _ = (
        SupervisorCall.objects.filter(created__lt=old)
        .exclude(state__in=SupervisorCall.OPEN)
        .delete()
    )
    return gone


def visible(user: User, **wanted: Any) -> list[Supervisor]:
    """The supervisors that the user may know of, of one flavor, that fit."""
    rows = Supervisor.objects.visible_to(user, "supervisor:read").filter(**wanted)
    return list(
        rows.select_related("device__organization").order_by("device__name")[: MOST_DEVICES + 1]
    )


def batch_of(user: User, pk: UUID) -> SupervisorBatch:
    found: SupervisorBatch | None = (
        SupervisorBatch.objects.visible_to(user, "supervisor:read").filter(pk=pk).first()
    )
    if found is None:
        raise NotFound("There is no such operation.")
    return found
