"""Execute supervisor calls concurrently and record the results."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from controller.accounts.models import User
from controller.base.circuit import close_circuit, open_circuit, refusal_of
from controller.base.database import release_connections
from controller.base.errors import NotPermitted, Refused, Unreachable
from controller.base.leases import FREE, assign
from controller.base.masking import masked_document
from controller.base.outbound.transactions import blocking
from supervisor_proxy.drivers.contract import BadAnswer, Driver, Order, Target
from supervisor_proxy.engine import answers, hassio
from supervisor_proxy.engine.answers import Answer, Reply
from supervisor_proxy.engine.routes import MASK, CallRequest
from supervisor_proxy.models import CALLS, Supervisor, SupervisorCall
from supervisor_proxy.rules.call_requests import (
    CallJob,
    enqueue,
    mark_sent,
    refuse,
    release_lease,
    renew_leases,
    start,
    stored,
    to_queue,
)
from supervisor_proxy.rules.presence import record_presence
from supervisor_proxy.rules.supervisors import KEY_FIELDS, take_key
from supervisor_proxy.rules.transports import driver_for

State = SupervisorCall.State
AT_ONCE = 20
# Stagger of a batch's first calls, so that the answers do not arrive all at once.
STAGGER_SECONDS = 0.05
# Clients time out after 50 seconds.
REQUEST_SECONDS = 45.0
PROGRESS_SECONDS = 3.0
RENEW_SECONDS = CALLS.seconds / 4
FORBIDDEN = 403
LONGEST_KEPT = 64 * 1024
OFFLINE = {"offline", "no_address"}
# How a read fails that was waited for in vain; a device that refuses at once costs no wait.
SILENT = {"timeout", "offline"}
QUICK_MILLISECONDS = 2000


def ask(
    user: User,
    supervisor: Supervisor,
    wanted: CallRequest,
    *,
    queue_for: timedelta | None = None,
) -> CallJob:
    """Make one call now. With ``queue_for``, queue it if the device is offline."""
    job = start(user, supervisor, wanted, queue=queue_for is not None)
    if job.is_ready:
        _execute_for_somebody(job)
    away = isinstance(job.refusal, Unreachable) and job.refusal.code in OFFLINE
    if away and queue_for is not None:
        job.call = enqueue(job, until=queue_for)
    return job


def _execute_for_somebody(job: CallJob) -> None:
    """Make a call that somebody waits for, unless the device was silent a moment ago."""
    if (known := refusal_of(job.supervisor.circuit, code="offline")) is not None:
        release_lease(job.call)
        refuse(job, known)
        return
    execute_all([job])
    waited = (job.call.duration or 0) > QUICK_MILLISECONDS and not job.wish.route.changes
    if waited and job.refusal is not None and job.refusal.code in SILENT:
        open_circuit(job.supervisor.circuit, job.refusal)


def execute_all(
    jobs: Sequence[CallJob],
    *,
    seconds: float = REQUEST_SECONDS,
    renew: Callable[[], object] = lambda: None,
    hands_over: bool = True,
) -> None:
    """Make these calls concurrently, recording each result as it arrives.

    After ``seconds`` no further one begins: those left are late. They are handed over to the
    workers, unless the caller repeats them by itself.
    ``renew`` is called every few seconds, for what else the caller has leased.
    """
    release_connections()
    blocking(_drive)(jobs, seconds, renew, hand_over if hands_over else leave)


async def _drive(
    jobs: Sequence[CallJob],
    seconds: float,
    renew: Callable[[], object],
    on_late: Callable[[CallJob], None],
) -> None:
    renewing = asyncio.ensure_future(_keep_leases(jobs, renew))
    try:
        await _make(jobs, seconds, on_late)
    finally:
        renewing.cancel()


async def _keep_leases(jobs: Sequence[CallJob], renew: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        await sync_to_async(renew_leases)(job for job in jobs if job.call.ended is None)
        await sync_to_async(renew)()


async def _make(
    jobs: Sequence[CallJob], seconds: float, on_late: Callable[[CallJob], None]
) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    end = time.monotonic() + seconds

    async def one(number: int, job: CallJob) -> None:
        await asyncio.sleep(number * STAGGER_SECONDS)
        async with places:
            left = end - time.monotonic()
            if left <= 0:
                job.is_late = True
                await sync_to_async(on_late)(job)
                return
            if not await sync_to_async(mark_sent)(job):
                # It waited for longer than its lease, and is another worker's by now.
                job.is_late = True
                return
            began = time.monotonic()
            found = await _call(job, left)
            await sync_to_async(finish)(job, found, time.monotonic() - began)

    await asyncio.gather(*(one(at, job) for at, job in enumerate(jobs)))


async def _call(job: CallJob, left: float) -> Reply | Refused:
    if job.target is None or job.order is None:
        raise TypeError("A job is made ready before it is driven.")
    driver = driver_for(job.supervisor)
    order = replace(job.order, seconds=min(job.order.seconds, max(left, 1.0)))
    try:
        reply = await followed(job, driver, order)
        if reply.status == answers.UNAUTHORIZED:
            # The key may have been rotated meanwhile. Nothing was done, so retry with the new
            # one.
            key = await sync_to_async(_key_now)(job.supervisor)
            if key != job.target.key:
                reply = await driver.call(replace(job.target, key=key), order)
        if reply.status == FORBIDDEN and is_hassio(job) and order.path != "/info":
            job.is_let_in = await _is_let_in(job, driver, job.target)
    except Refused as refusal:
        return refusal
    return reply


async def followed(job: CallJob, driver: Driver, order: Order) -> Reply:
    """Make the call; for a long one, poll its progress meanwhile."""
    target = job.target
    if target is None:
        raise TypeError("A job is made ready before it is driven.")
    if not hassio.tells_progress(job.wish.route, job.supervisor.version):
        return await driver.call(target, order)
    watching = asyncio.ensure_future(_watch(job, driver, target))
    try:
        return await driver.call(target, order)
    finally:
        watching.cancel()


async def _watch(job: CallJob, driver: Driver, target: Target) -> None:
    question = Order("GET", "/jobs/info", seconds=hassio.READ)
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        try:
            reply = await driver.call(target, question)
        except Refused:
            # Expected during a Core update, which interrupts the connection through Core.
            continue
        if (found := hassio.progress_of(answers.read(reply))) is not None:
            progress, stage = found
            await sync_to_async(_note_progress)(job.call, progress, stage)


def _note_progress(call: SupervisorCall, progress: int, stage: str) -> None:
    SupervisorCall.objects.filter(pk=call.pk, state=State.RUNNING).update(
        progress=progress, stage=stage
    )
    call.progress, call.stage = progress, stage


def _key_now(supervisor: Supervisor) -> str:
    return str(Supervisor.objects.only("key").get(pk=supervisor.pk).key)


def hand_over(job: CallJob) -> None:
    """Queue a late call for a worker."""
    release_lease(job.call)
    call = job.call
    call.wish = stored(job.wish)
    to_queue(call)
    call.save()


def leave(job: CallJob) -> None:
    release_lease(job.call)
    refuse(job, Refused("The call waited too long, so nothing was done.", code="late"))


# --- results


@transaction.atomic
def finish(job: CallJob, found: Reply | Refused, seconds: float) -> None:
    """Evaluate and record the result, and release the device's lease."""
    call = job.call
    call.duration = round(seconds * 1000)
    if isinstance(found, Unreachable):
        refuse(job, found)
    elif isinstance(found, Refused):
        _no_answer(job, found)
    else:
        _answered(job, found)
    if job.wish.route.changes:
        release_lease(call)


def _no_answer(job: CallJob, refusal: Refused) -> None:
    """Record a missing answer: a read call has failed, others have an unknown outcome."""
    job.refusal = refusal
    changes = job.wish.route.changes
    if job.wish.route.name == "regenerate-api-key":
        _note_key(job.supervisor, state=Supervisor.KeyState.UNKNOWN)
    _close(job.call, State.UNKNOWN if changes else State.FAILED, refusal)


def _close(call: SupervisorCall, state: str, refusal: Refused) -> None:
    call.state, call.code, call.reason = state, refusal.code, str(refusal)
    call.ended, call.wish = timezone.now(), None
    assign(call, FREE)
    call.save()


def _answered(job: CallJob, reply: Reply) -> None:
    answer = parse_answer(job, reply)
    call = job.call
    call.status = reply.status
    record_presence(job.supervisor.device)
    close_circuit(job.supervisor.circuit)
    if is_hassio(job) and (refusal := refusal_of_hassio(job, reply)) is not None:
        job.refusal = refusal
        _close(call, State.FAILED, refusal)
        return
    if is_turned_away(job, reply):
        device_unauthorized(job, answer)
        return
    if answer.bad_because:
        unreadable_answer(job, answer)
        return
    if job.wish.route.name == "app":
        answer = answers.masked_environment(answer, MASK)
    if answer.is_good and job.wish.route.name == "regenerate-api-key":
        if not answers.NEW_KEY.fullmatch(answer.text):
            bad = BadAnswer("The device sent something that is no key.", code="bad_answer")
            _no_answer(job, bad)
            return
        _note_key(job.supervisor, key=answer.text, state=Supervisor.KeyState.GOOD)
    job.answer = answer
    update_supervisor(job, answer)
    call.state = State.SUCCEEDED if answer.is_good else State.FAILED
    if answer.is_locked:
        call.state, call.code = State.LOCKED, "locked"
    hides = job.wish.route.secret and answer.is_good
    kept = "" if hides else masked_document(answer.text)[:LONGEST_KEPT]
    call.answer = kept if call.batch_id or call.wish or not answer.is_good else ""
    call.ended, call.wish = timezone.now(), None
    assign(call, FREE)
    call.save()


def is_hassio(job: CallJob) -> bool:
    return bool(job.supervisor.flavor == Supervisor.Flavor.HASSIO)


def parse_answer(job: CallJob, reply: Reply) -> Answer:
    """Return the sanitized answer in the format of the requested path."""
    if not is_hassio(job):
        return answers.read(reply)
    answer = hassio.judged(job.wish.route.kind, reply)
    if not answer.is_good or answer.content_type != answers.JSON:
        return answer
    value = hassio.shaped(job.wish.path, answer.value, opens=job.opens)
    return replace(answer, body=json.dumps(value).encode())


def refusal_of_hassio(job: CallJob, reply: Reply) -> Refused | None:
    """Return why a supervisor refused, where that is not about the portal's key."""
    if reply.status == FORBIDDEN and job.is_let_in:
        return NotPermitted(
            "The device does not allow this to the role that the portal's key has there.",
            code="device_role",
        )
    if hassio.not_ready(reply):
        return Unreachable("The supervisor starts or stops just now.", code="not_ready")
    return None


async def _is_let_in(job: CallJob, driver: Driver, target: Target) -> bool:
    """Ask for what every role may read: a 403 says the same of a key and of a role."""
    if job.supervisor.transport == Supervisor.Transport.AGENT:
        return True
    try:
        reply = await driver.call(target, Order("GET", "/info", seconds=hassio.READ))
    except Refused:
        return False
    return reply.status < answers.LOWEST_ERROR


def is_turned_away(job: CallJob, reply: Reply) -> bool:
    refusals = {answers.UNAUTHORIZED, *([FORBIDDEN] if is_hassio(job) else [])}
    return reply.status in refusals


def device_unauthorized(job: CallJob, answer: Answer) -> None:
    """Map the device's 401/403 to a bad-gateway error: the caller is authorized."""
    if answer.content_type == answers.JSON and not is_hassio(job):
        job.refusal = BadAnswer(
            "The device says that the portal's key is not for this application.",
            code="device_scope",
        )
    else:
        _note_key(job.supervisor, state=Supervisor.KeyState.INVALID)
        job.refusal = BadAnswer(
            "The device does not take the portal's key. It may have made a new one: wait for "
            "its next report, or enter the key on its Supervisor tab.",
            code="device_unauthorized",
        )
    _close(job.call, State.FAILED, job.refusal)


def unreadable_answer(job: CallJob, answer: Answer) -> None:
    """Handle an answer that is not JSON, e.g. an HTML error page."""
    if answer.status == answers.NOT_FOUND:
        job.refusal = Refused(
            f"The device does not know {job.wish.path}.", code="unsupported_by_device"
        )
    else:
        job.refusal = BadAnswer(
            f"The device answered nothing that can be passed on. {answer.bad_because}",
            code="bad_answer",
        )
    is_error = answer.status >= answers.LOWEST_ERROR or not job.wish.route.changes
    _close(job.call, State.FAILED if is_error else State.UNKNOWN, job.refusal)


def _note_key(supervisor: Supervisor, *, state: str, key: str = "") -> None:
    """Store the key's new state before anything is returned to the caller."""
    row = Supervisor.objects.select_for_update(of=("self",)).get(pk=supervisor.pk)
    if key:
        take_key(row, key, state)
    else:
        row.key_state = state
    row.save(update_fields=KEY_FIELDS)
    for name in KEY_FIELDS:
        setattr(supervisor, name, getattr(row, name))


def update_supervisor(job: CallJob, answer: Answer) -> None:
    """Update the stored version and key state from the answer."""
    supervisor, name = job.supervisor, job.wish.route.name
    states = Supervisor.KeyState
    changed: dict[str, str] = {}
    if (
        supervisor.key
        and supervisor.key_state != states.GOOD
        and name not in {"ping", "healthy"}
    ):
        changed["key_state"] = states.GOOD
    value = json.loads(answer.body) if answer.content_type == answers.JSON else None
    if is_hassio(job) and (version := hassio.told_version(job.wish.path, value)):
        changed["version"] = version[:32]
    elif isinstance(value, dict) and answer.is_good:
        told = value.get({"device": "supervisor_version", "version": "version"}.get(name, ""))
        if isinstance(told, str) and told != supervisor.version:
            changed["version"] = told[:32]
    if changed:
        Supervisor.objects.filter(pk=supervisor.pk).update(**changed)
        for field, text in changed.items():
            setattr(supervisor, field, text)
