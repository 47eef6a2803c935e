"""Build, authorize and record a supervisor call, and lease the device for it."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, NotPermitted, Refused, Unreachable
from controller.base.leases import FREE, assign
from controller.base.request_context import current_context
from supervisor_proxy.drivers.contract import Order, Target
from supervisor_proxy.engine import balena, hassio
from supervisor_proxy.engine.answers import LARGEST_ANSWER, LARGEST_JOURNAL, Answer
from supervisor_proxy.engine.routes import CallRequest, Route, gate, parse_request
from supervisor_proxy.models import CALLS, Supervisor, SupervisorBatch, SupervisorCall
from supervisor_proxy.rules.supervisors import target_of

State = SupervisorCall.State
TABLES: Mapping[str, Sequence[Route]] = {
    Supervisor.Flavor.BALENA: balena.TABLE,
    Supervisor.Flavor.HASSIO: hassio.TABLE,
}
# Of a call, and of the device that it has for itself; renewed while it is under way.
LEASE = timedelta(seconds=CALLS.seconds)
BUSY = "Another call that changes something is running on this device. Try again after it."
JOURNAL_SECONDS = 60.0


@dataclass
class CallJob:
    """One call on one device, from the request to its result."""

    supervisor: Supervisor
    wish: CallRequest
    call: SupervisorCall
    target: Target | None = None
    order: Order | None = None
    answer: Answer | None = None
    refusal: Refused | None = None
    """Reason for a missing answer."""
    opens: bool = field(default=False)
    """Whether the caller may see secrets."""
    is_let_in: bool = field(default=False)
    """Whether the device takes the portal's key, though it did not allow this call."""
    is_late: bool = field(default=False)
    """Whether its turn did not come within the time of the request."""
    on_send: Callable[[], object] | None = None
    """Asked just before the call leaves; it does not where the answer is false."""

    @property
    def is_ready(self) -> bool:
        return self.target is not None and self.refusal is None


def match_route(flavor: str, **request: Any) -> CallRequest:
    """Match the request to a route; see :func:`engine.routes.parse_request`."""
    try:
        return parse_request(TABLES[flavor], **request)
    except Refused as refusal:
        if refusal.code != "method" or flavor == Supervisor.Flavor.HASSIO:
            raise
        hint = 'Name it as "method" in the body.'
        raise Refused(f"{refusal.detail} {hint}", code=refusal.code) from None


def check_permission(user: User, wanted: CallRequest, supervisor: Supervisor) -> None:
    """Raise NotPermitted unless the user may make this call on this device."""
    needed = [wanted.route.permission, *(["force"] if wanted.forces else [])]
    for verb in needed:
        if not user.has_perm_on(f"supervisor:{verb}", supervisor):
            raise NotPermitted(
                gettext(
                    "You do not have permission to perform this action: it needs supervisor:%(verb)s."
                )
                % {"verb": verb},
                code="forbidden",
            )


def start(
    user: User,
    supervisor: Supervisor,
    wanted: CallRequest,
    *,
    batch: SupervisorBatch | None = None,
    queue: bool = False,
) -> CallJob:
    """Record the call and prepare it. A failure is stored as the job's refusal."""
    job = CallJob(supervisor, wanted, record(supervisor, wanted, batch=batch))
    job.opens = user.has_perm_on("supervisor:secret", supervisor)
    try:
        check_permission(user, wanted, supervisor)
        may_wait(wanted, queue=queue)
        prepare(job)
    except Refused as refusal:
        refuse(job, refusal)
    return job


def check_carrier(supervisor: Supervisor, wanted: CallRequest) -> None:
    """Raise Refused for a call that would end the add-on by which it is made."""
    by_addon = supervisor.transport == Supervisor.Transport.AGENT
    if by_addon and hassio.ends_own_addon(wanted.path):
        raise Refused(
            gettext(
                "This add-on connects the device with the portal: only somebody at the device may "
                "end it."
            ),
            code="own_addon",
        )


def may_wait(wanted: CallRequest, *, queue: bool) -> None:
    if queue and not wanted.route.waits:
        raise Refused(
            gettext("%(path)s is never kept for later: by then it would surprise.")
            % {"path": wanted.path},
            code="not_queueable",
        )


def prepare(job: CallJob) -> None:
    """Check version, application and address; lease the device for modifications."""
    supervisor, route = job.supervisor, job.wish.route
    check_carrier(supervisor, job.wish)
    gate(route, supervisor.version)
    data = dict(job.wish.data)
    if supervisor.flavor == Supervisor.Flavor.BALENA:
        data = balena.with_application(job.wish, supervisor.app_id)
    method, path = on_device(job.wish, supervisor)
    target = target_of(supervisor)
    if route.changes and not acquire_lease(supervisor, job.call):
        raise Conflict(BUSY, code="busy")
    job.target = target
    journal = route.name == "journal"
    job.order = Order(
        method,
        path,
        job.wish.query,
        data if route.body is not None else None,
        JOURNAL_SECONDS if journal else route.seconds,
        LARGEST_JOURNAL if journal else LARGEST_ANSWER,
        current_context().request_id,
        accept="text/plain" if route.kind == "text" else "",
        byte_range=job.wish.entries,
        content=job.wish.content,
        kind=route.kind,
    )


def on_device(wanted: CallRequest, supervisor: Supervisor) -> tuple[str, str]:
    """Return method and path in the form that the device's version knows."""
    if supervisor.flavor == Supervisor.Flavor.HASSIO:
        return hassio.on_device(wanted.route.method, wanted.path, supervisor.version)
    return wanted.route.method, wanted.path


def record(
    supervisor: Supervisor, wanted: CallRequest, *, batch: SupervisorBatch | None = None
) -> SupervisorCall:
    """Record the call before anything is sent."""
    return SupervisorCall.objects.create(
        supervisor=supervisor,
        batch=batch,
        name=wanted.route.name,
        method=wanted.route.method,
        path=wanted.path,
        asked=wanted.shown,
        body_digest=digest_of(wanted),
        started=timezone.now(),
        lease_holder=uuid4(),
        leased_until=timezone.now() + LEASE,
        **who(),
    )


def record_refusals(
    supervisors: Iterable[Supervisor], method: str, path: str, refusal: Refused
) -> None:
    """Record requests without a route, none of which reaches a device."""
    now = timezone.now()
    SupervisorCall.objects.bulk_create(
        SupervisorCall(
            supervisor=supervisor,
            method=method[:8],
            path=path.replace("\0", "\N{REPLACEMENT CHARACTER}")[:512],
            state=State.REFUSED,
            code=refusal.code,
            reason=str(refusal)[:1000],
            started=now,
            ended=now,
            **who(),
        )
        for supervisor in supervisors
    )


def who() -> dict[str, Any]:
    trace = current_context()
    return {
        "actor": trace.actor,
        "actor_id": trace.actor_id,
        "channel": trace.channel,
        "address": trace.address or None,
        "request_id": trace.request_id,
    }


def digest_of(wanted: CallRequest) -> str:
    text = json.dumps([wanted.path, dict(wanted.query), dict(wanted.data)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def refuse(job: CallJob, refusal: Refused) -> None:
    """Close the call as refused or unreachable: nothing was sent."""
    job.refusal = refusal
    close_refused(job.call, refusal)


def close_refused(call: SupervisorCall, refusal: Refused) -> None:
    away = isinstance(refusal, Unreachable)
    call.state = State.UNREACHABLE if away else State.REFUSED
    call.code, call.reason = refusal.code, str(refusal)
    call.ended, call.wish = timezone.now(), None
    assign(call, FREE)
    call.save()


# --- lease of a device


def acquire_lease(supervisor: Supervisor, call: SupervisorCall) -> bool:
    """Take the device for this call alone. Returns False while another call has it."""
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    return bool(
        Supervisor.objects.filter(free, pk=supervisor.pk).update(
            lease=call.pk, leased_until=now + LEASE
        )
    )


def renew_leases(jobs: Iterable[CallJob]) -> None:
    """Renew the leases of calls that are under way, and of the devices that they have."""
    until = timezone.now() + LEASE
    calls = [job.call.pk for job in jobs]
    SupervisorCall.objects.filter(
        pk__in=calls, state=State.RUNNING, leased_until__isnull=False
    ).update(leased_until=until)
    Supervisor.objects.filter(lease__in=calls).update(leased_until=until)


def mark_sent(job: CallJob) -> bool:
    """Record that the call is about to leave. Returns False if its lease has run out."""
    if job.on_send is not None and not job.on_send():
        return False
    call, now = job.call, timezone.now()
    held = SupervisorCall.objects.filter(
        pk=call.pk, state=State.RUNNING, lease_holder=call.lease_holder, leased_until__gte=now
    )
    if not held.update(sent=now, leased_until=now + LEASE):
        return False
    call.sent = now
    return True


def release_lease(call: SupervisorCall) -> None:
    Supervisor.objects.filter(pk=call.supervisor_id, lease=call.pk).update(
        lease=None, leased_until=None
    )


# --- queue


def to_queue(call: SupervisorCall, pause: timedelta = timedelta()) -> None:
    """Let a call wait for a worker; nothing of it was sent."""
    call.state, call.not_before = State.QUEUED, timezone.now() + pause
    call.started = call.ended = call.sent = None
    assign(call, FREE)


def stored(wanted: CallRequest) -> dict[str, Any]:
    return {
        "name": wanted.route.name,
        "path": wanted.path,
        "query": dict(wanted.query),
        "data": dict(wanted.data),
    }


def restored(flavor: str, kept: Mapping[str, Any]) -> CallRequest:
    route = next((row for row in TABLES[flavor] if row.name == kept["name"]), None)
    if route is None:
        raise Refused(
            gettext("There is no call %(kept)s any more.") % {"kept": kept["name"]},
            code="unsupported",
        )
    return CallRequest(route, kept["path"], kept["query"], kept["data"])


@transaction.atomic
def enqueue(job: CallJob, *, until: timedelta) -> SupervisorCall:
    """Queue the call for an offline device, coalescing duplicates."""
    call = job.call
    same = SupervisorCall.objects.filter(
        supervisor=job.supervisor, state=State.QUEUED, body_digest=call.body_digest
    ).exclude(pk=call.pk)
    if (waiting := same.first()) is not None:
        call.state, call.code = State.CANCELED, "coalesced"
        call.reason = "The same call waits for this device already."
        call.ended = timezone.now()
        assign(call, FREE)
        call.save()
        found: SupervisorCall = waiting
        return found
    call.wish = stored(job.wish)
    to_queue(call)
    call.expires = timezone.now() + until
    call.code, call.reason = "", "The device is away; it is called when it is back."
    call.save()
    return call


@transaction.atomic
def cancel(call: SupervisorCall) -> SupervisorCall:
    """Cancel a queued call. Raises Conflict if it is not queued any longer."""
    row: SupervisorCall = SupervisorCall.objects.select_for_update(of=("self",)).get(pk=call.pk)
    if row.state != State.QUEUED:
        raise Conflict(
            gettext("It is no longer queued: %(state)s.") % {"state": row.get_state_display()},
            code="not_waiting",
        )
    row.state, row.ended, row.wish = State.CANCELED, timezone.now(), None
    row.save()
    return row
