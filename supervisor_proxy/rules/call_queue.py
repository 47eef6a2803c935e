"""Make the calls that wait for a worker, and settle those whose process was lost."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import NotPermitted, Refused, Unreachable
from controller.base.leases import FREE, LeaseHolder
from supervisor_proxy.models import CALLS, RememberedAnswer, SupervisorCall
from supervisor_proxy.rules.call_execution import OFFLINE, execute_all
from supervisor_proxy.rules.call_requests import (
    CallJob,
    check_permission,
    close_refused,
    prepare,
    refuse,
    restored,
    stored,
    to_queue,
)

State = SupervisorCall.State
AT_ONCE = 40
MOST_LOST = 500
WORK_SECONDS = 240.0
AWAY_PAUSE = timedelta(seconds=30)
BUSY_PAUSE = timedelta(seconds=2)
LOST = "The process that made it died, so it may have been done."
NOT_SENT = "The process that was to make it died before that, so nothing was done."


def run_due() -> int:
    """Make the calls that wait. Returns the number of calls that were made."""
    settle_lost()
    done = 0
    while calls := lease_due():
        jobs = [job for job in map(resume, calls) if job is not None]
        ready = [job for job in jobs if job.is_ready]
        longest = max((job.order.seconds for job in ready if job.order), default=0.0)
        execute_all(ready, seconds=max(WORK_SECONDS, longest))
        for job in jobs:
            requeue(job)
        done += len(calls)
    return done


def settle_lost() -> None:
    """Find the outcome of calls whose process was lost.

    What was not sent waits again, if a worker can make it; what may have been done is unknown.
    """
    now = timezone.now()
    unsent = SupervisorCall.objects.filter(
        state=State.RUNNING, leased_until__lt=now, sent=None, wish=None
    )
    unsent.update(state=State.UNREACHABLE, code="lost", reason=NOT_SENT, ended=now, **FREE)
    CALLS.put_back()
    holder = LeaseHolder(CALLS)
    for call in holder.adopt(MOST_LOST):
        holder.end(
            call, state=State.UNKNOWN, code="lost", reason=LOST, ended=now, wish=None,
            not_before=now,
        )  # fmt: skip
    SupervisorCall.objects.filter(state=State.QUEUED, expires__lt=now).update(
        state=State.EXPIRED,
        ended=now,
        wish=None,
        reason="The device did not come back in time.",
    )


def lease_due() -> list[SupervisorCall]:
    rows = SupervisorCall.objects.select_related("supervisor__device")
    calls: list[SupervisorCall] = LeaseHolder(CALLS).lease(AT_ONCE, rows)
    now = timezone.now()
    for call in calls:
        call.started = now
    SupervisorCall.objects.bulk_update(calls, ["started"])
    return calls


def resume(call: SupervisorCall) -> CallJob | None:
    """Prepare a queued call again; the job's refusal says what prevents the call.

    Returns None for a call that this version of the portal does not know.
    """
    try:
        wanted = restored(call.supervisor.flavor, call.wish)
    except Refused as refusal:
        close_refused(call, refusal)
        return None
    job = CallJob(call.supervisor, wanted, call)
    try:
        still_permitted(job)
        prepare(job)
    except Refused as refusal:
        refuse(job, refusal)
    return job


def still_permitted(job: CallJob) -> None:
    """Raise NotPermitted if who asked for the call may not make it any more."""
    if job.call.actor_id is None:
        return
    user = User.objects.filter(pk=job.call.actor_id).first()
    if user is None or not user.may_sign_in:
        raise NotPermitted(
            gettext("The user who started this can no longer sign in."), code="forbidden"
        )
    check_permission(user, job.wish, job.supervisor)


def requeue(job: CallJob) -> None:
    """Let a call wait on while its device is away or busy, if it may."""
    call, refusal = job.call, job.refusal
    away = isinstance(refusal, Unreachable) and refusal.code in OFFLINE
    busy = refusal is not None and refusal.code == "busy"
    if not busy and not (away and call.expires):
        return
    call.wish = stored(job.wish)
    to_queue(call, AWAY_PAUSE if away else BUSY_PAUSE)
    call.save()


def prune() -> int:
    """Delete calls older than the setting keeps. Returns the number of deleted rows."""
    RememberedAnswer.objects.filter(expires__lt=timezone.now()).delete()
    days = settings.MUSTER_SUPERVISOR_HISTORY_DAYS
    old = timezone.now() - timedelta(days=days)
    gone, _ = (
        SupervisorCall.objects.filter(created__lt=old)
        .exclude(state__in=SupervisorCall.OPEN)
        .delete()
    )
    return gone
