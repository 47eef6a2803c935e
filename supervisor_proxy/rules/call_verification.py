"""Ask the devices of calls whose outcome is unknown."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from controller.base.database import release_connections
from controller.base.errors import Refused, Unreachable
from controller.base.outbound.transactions import blocking
from supervisor_proxy.drivers.contract import Driver, Order, Target
from supervisor_proxy.engine import answers, balena, hassio
from supervisor_proxy.engine.answers import Answer, Reply
from supervisor_proxy.engine.routes import CallRequest
from supervisor_proxy.models import CALLS, Supervisor, SupervisorCall
from supervisor_proxy.rules.call_requests import on_device
from supervisor_proxy.rules.supervisors import target_of
from supervisor_proxy.rules.transports import driver_for

State = SupervisorCall.State
AT_ONCE = 20
MOST = 100
LOOK_AFTER = timedelta(seconds=5)
LOOK_UNTIL = timedelta(minutes=15)


def unknown_calls() -> QuerySet[SupervisorCall]:
    """Return the calls with an unknown outcome that are due for a question to the device."""
    now = timezone.now()
    return SupervisorCall.objects.filter(
        state=State.UNKNOWN, verified=None, ended__lt=now - LOOK_AFTER, not_before__lte=now
    )


def verify_unknown() -> int:
    """Ask the devices of calls whose outcome is unknown. Returns the number asked.

    A device that does not answer is asked again after a growing pause.
    """
    now = timezone.now()
    calls = list(
        unknown_calls().select_related("supervisor__device").order_by("not_before")[:MOST]
    )
    # Asked by this worker alone, for as long as the pause.
    for call in calls:
        call.attempts += 1
        call.not_before = now + CALLS.pause(call.attempts)
    SupervisorCall.objects.bulk_update(calls, ["attempts", "not_before"])
    for call, found in zip(calls, probe([call.supervisor for call in calls]), strict=True):
        conclude(call, found)
    return len(calls)


def probe(supervisors: Sequence[Supervisor]) -> list[Reply | Refused]:
    """Ask each a harmless question, with the key, or without where there was none before."""
    asked = [(row, question_for(row), _target(row)) for row in supervisors]
    release_connections()
    return blocking(_probe_all)(
        [(driver_for(row), target, order) for row, order, target in asked]
    )


def _target(supervisor: Supervisor) -> Target | Refused:
    try:
        return target_of(supervisor)
    except Refused as refusal:
        return refusal


def question_for(supervisor: Supervisor) -> Order:
    if supervisor.flavor == Supervisor.Flavor.HASSIO:
        route = next(row for row in hassio.TABLE if row.pattern == "/info")
    else:
        old = supervisor.version.lstrip("v").startswith("1.")
        route = balena.BY_NAME["ping" if old else "device"]
    method, path = on_device(CallRequest(route, route.pattern), supervisor)
    return Order(method, path, seconds=route.seconds)


async def _probe_all(
    asked: Sequence[tuple[Driver, Target | Refused, Order]],
) -> list[Reply | Refused]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(driver: Driver, target: Target | Refused, order: Order) -> Reply | Refused:
        if isinstance(target, Refused):
            return target
        async with places:
            try:
                return await driver.call(target, order)
            except Refused as refusal:
                return refusal

    return list(await asyncio.gather(*(one(*each) for each in asked)))


def conclude(call: SupervisorCall, found: Reply | Refused) -> None:
    """Write the verdict of a call, once there is one."""
    if isinstance(found, Reply):
        call.verdict = verdict_of(answers.read(found))
    elif not isinstance(found, Unreachable):
        call.verdict = f"The device answers, but not as it should: {found}"
    elif timezone.now() - (call.ended or call.created) < LOOK_UNTIL:
        return
    else:
        call.verdict = "The device has not answered since."
    call.verified = timezone.now()
    call.save(update_fields=["verified", "verdict", "modified"])


def verdict_of(answer: Answer) -> str:
    if not answer.is_good:
        return f"The device answers, but not as it should: status {answer.status}."
    value = answer.value
    status = value.get("status", "") if isinstance(value, dict) else ""
    told = f" Its state: {status}." if isinstance(status, str) and status else ""
    return f"The device answers, and takes the portal's key.{told}"
