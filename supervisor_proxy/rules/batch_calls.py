"""Make one call on many devices: at once, or by a worker."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, User
from controller.base.errors import NotFound, Refused
from controller.base.request_context import current_context
from controller.celery import enqueue_on_commit
from supervisor_proxy.engine.routes import CallRequest, gate
from supervisor_proxy.models import (
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
)
from supervisor_proxy.rules.call_execution import execute_all
from supervisor_proxy.rules.call_requests import (
    CallJob,
    check_carrier,
    check_permission,
    may_wait,
    record,
    refuse,
    start,
    stored,
    to_queue,
)

RUN = "supervisor_proxy.tasks.run_calls"
MOST_DEVICES = 500


def ask_many(
    user: User, supervisors: Sequence[Supervisor], wanted: CallRequest
) -> list[CallJob]:
    """Make a call on many devices within the time of a request, with one job each."""
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
    """Queue a call on many devices for a worker.

    Calls not permitted are refused at once. With ``queue_for``, offline devices are called
    once they are back.
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
        job.call.wish = stored(wanted)
        to_queue(job.call)
        job.call.expires = timezone.now() + queue_for if queue_for else None
        job.call.save()
    enqueue_on_commit(RUN)
    return batch


def ask_later(user: User, supervisor: Supervisor, wanted: CallRequest) -> SupervisorCall:
    """Queue one long call for a worker. Raises Refused if it is not permitted."""
    job = CallJob(supervisor, wanted, record(supervisor, wanted))
    try:
        check_permission(user, wanted, supervisor)
        check_carrier(supervisor, wanted)
        gate(wanted.route, supervisor.version)
    except Refused as refusal:
        refuse(job, refusal)
        raise
    call = job.call
    call.wish = stored(wanted)
    to_queue(call)
    call.save()
    enqueue_on_commit(RUN)
    return call


def new_batch(
    supervisors: Sequence[Supervisor], wanted: CallRequest, *, app_id: int | None
) -> SupervisorBatch:
    if not supervisors:
        raise NotFound(gettext("No online device(s) found"), code="no_device")
    if len(supervisors) > MOST_DEVICES:
        raise Refused(
            gettext(
                "%(count)s devices are too many for one call; %(most_devices)s is the most."
            )
            % {"count": len(supervisors), "most_devices": MOST_DEVICES},
            code="too_many",
        )
    owners = {supervisor.device.organization_id for supervisor in supervisors}
    if len(owners) > 1:
        raise Refused(
            gettext(
                "Devices of several organizations have this application. Name the device, or sign "
                "in as somebody of one organization."
            ),
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


def visible(user: User, **wanted: Any) -> list[Supervisor]:
    """Return the supervisors visible to the user that match the filter."""
    rows = Supervisor.objects.visible_to(user, "supervisor:read").filter(**wanted)
    return list(
        rows.select_related("device__organization").order_by("device__name")[: MOST_DEVICES + 1]
    )
