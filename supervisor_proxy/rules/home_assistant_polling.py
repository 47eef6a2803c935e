"""Polling of Home Assistant devices, and their alerts."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Refused, Unreachable
from controller.base.events import event_for, publish
from controller.base.measurements import tell_measurements
from controller.base.outbound.transactions import blocking
from supervisor_proxy.drivers.contract import BadAnswer, Order, Target
from supervisor_proxy.engine import hassio, home_assistant_info, measurements
from supervisor_proxy.engine.answers import Answer
from supervisor_proxy.engine.routes import CallRequest, gate
from supervisor_proxy.models import Home, HomeAlert, Supervisor
from supervisor_proxy.rules.call_requests import match_route, on_device
from supervisor_proxy.rules.supervisors import target_of
from supervisor_proxy.rules.transports import driver_for

EVERY = timedelta(minutes=5)
AT_ONCE = 20
ICON_SECONDS = 24 * 3600
MOST = 500
FORBIDDEN = {401, 403}


def look_at_all() -> int:
    """Poll the devices that are due. Returns their number."""
    due = Q(home=None) | Q(home__asked=None) | Q(home__asked__lt=timezone.now() - EVERY)
    rows = list(
        Supervisor.objects.filter(
            due, flavor=Supervisor.Flavor.HASSIO, device__is_deactivated=False
        )
        .select_related("device__organization")
        .prefetch_related("device__vpn_clients__ip")
        .order_by(F("home__asked").asc(nulls_first=True))[:MOST]
    )
    look_at(rows)
    return len(rows)


def look_at(rows: Sequence[Supervisor]) -> dict[int, dict[str, Any]]:
    """Poll these devices and store their state. Returns {supervisor id: {path: data}}.

    Polling is not recorded as calls.
    """
    targets: dict[int, Target | Refused] = {row.pk: _target(row) for row in rows}
    found: dict[int, dict[str, Any] | Refused] = blocking(_ask_all)(rows, targets)
    told: dict[int, dict[str, Any]] = {}
    for row in rows:
        one = found[row.pk]
        note(row, one)
        told[row.pk] = {} if isinstance(one, Refused) else one
    return told


def _target(row: Supervisor) -> Target | Refused:
    try:
        return target_of(row)
    except Refused as refusal:
        return refusal


async def _ask_all(
    rows: Sequence[Supervisor], targets: Mapping[int, Target | Refused]
) -> dict[int, dict[str, Any] | Refused]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(row: Supervisor) -> dict[str, Any] | Refused:
        target = targets[row.pk]
        if isinstance(target, Refused):
            return target
        async with places:
            try:
                return await _ask_one(row, target)
            except Refused as refusal:
                return refusal

    results = await asyncio.gather(*(one(row) for row in rows))
    return {row.pk: result for row, result in zip(rows, results, strict=True)}


async def _ask_one(row: Supervisor, target: Target) -> dict[str, Any]:
    """Poll one device. Raises if the first call fails; later failures are skipped."""
    first, *others = home_assistant_info.PATHS
    answer = await quietly(row, target, match_route(row.flavor, method="GET", path=first))
    if not answer.is_good:
        raise BadAnswer(f"It answered {answer.status}: {answer.text[:200]}", code="bad_answer")
    row.version = hassio.told_version(first, answer.value)[:32] or row.version
    told = {first: data_of(answer)}
    for path in others:
        try:
            answer = await quietly(
                row, target, match_route(row.flavor, method="GET", path=path)
            )
        except Unreachable:
            raise
        except Refused:
            continue
        if answer.is_good:
            told[path] = data_of(answer)
    return told


async def quietly(row: Supervisor, target: Target, wanted: CallRequest) -> Answer:
    """Make an unrecorded read-only call. Errors of the device are raised as ours."""
    gate(wanted.route, row.version)
    method, path = on_device(wanted, row)
    order = Order(method, path, seconds=wanted.route.seconds, kind=wanted.route.kind)
    reply = await driver_for(row).call(target, order)
    if reply.status in FORBIDDEN:
        raise BadAnswer("The device does not take the portal's key.", code="unauthorized")
    if hassio.not_ready(reply):
        raise Unreachable(gettext("The supervisor starts or stops just now."), code="not_ready")
    answer = hassio.judged(wanted.route.kind, reply)
    if answer.bad_because:
        raise BadAnswer(answer.bad_because, code="bad_answer")
    return answer


def icon_of(row: Supervisor, slug: str) -> bytes | None:
    """Return an add-on's icon, cached for a day."""
    name = f"supervisor_proxy:icon:{row.pk}:{slug}"
    kept: bytes | None = cache.get(name)
    if kept is None:
        kept = _icon(row, slug)
        cache.set(name, kept, ICON_SECONDS if kept else EVERY.total_seconds())
    return kept or None


def _icon(row: Supervisor, slug: str) -> bytes:
    try:
        wanted = match_route(row.flavor, method="GET", path=f"/addons/{slug}/icon")
        answer: Answer = blocking(quietly)(row, target_of(row), wanted)
    except Refused:
        return b""
    return answer.body if answer.is_good else b""


def data_of(answer: Answer) -> dict[str, Any]:
    value = answer.value
    data = value.get("data") if isinstance(value, dict) else None
    return data if isinstance(data, dict) else {}


# --- storage


@transaction.atomic
def note(row: Supervisor, found: Mapping[str, Any] | Refused) -> Home:
    home, _ = Home.objects.get_or_create(supervisor=row)
    home.asked = timezone.now()
    if isinstance(found, Refused):
        home.reason = str(found)[:1000]
        home.save()
        return home
    for name, value in home_assistant_info.summary(found).items():
        setattr(home, name, value)
    home.seen, home.reason = home.asked, ""
    home.save()
    Supervisor.objects.filter(pk=row.pk).update(version=row.version)
    note_alerts(row, home_assistant_info.alerts(found))
    tell_measurements({row.device_id: measurements.of_home(found)})
    return home


def note_alerts(row: Supervisor, found: Sequence[home_assistant_info.Alert]) -> None:
    """Open new alerts, close those that are gone, and publish both."""
    now = timezone.now()
    wanted = {(one.kind, one.about): one for one in found}
    known = {(one.kind, one.about): one for one in HomeAlert.objects.filter(supervisor=row, ended=None)}  # fmt: skip
    for key, alert in known.items():
        if key not in wanted:
            alert.ended = now
            alert.save()
            _tell(row, alert)
    for key, one in wanted.items():
        if key in known:
            HomeAlert.objects.filter(pk=known[key].pk).update(seen=now, text=one.text)
            continue
        alert = HomeAlert(supervisor=row, kind=one.kind, about=one.about, text=one.text)
        alert.save()
        _tell(row, alert)


def _tell(row: Supervisor, alert: HomeAlert) -> None:
    publish(
        event_for(
            row, "home.alert", "supervisor:read", device=str(row.device_id),
            name=row.device.name, trouble=alert.kind, about=alert.about, text=alert.text,
            state="ended" if alert.ended else "open",
        )
    )  # fmt: skip
