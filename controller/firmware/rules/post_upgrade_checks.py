"""Checks of upgraded devices: online, as healthy as before, configuration applied."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from controller.base.leases import for_each
from controller.configs.models import Config
from controller.devices.models import Presence
from controller.firmware.models import Upgrade
from controller.firmware.rules.policies import policy_of
from controller.firmware.rules.upgrades import appended, publish_progress
from controller.monitoring.engine.health import Health
from controller.monitoring.models import MonitoredDevice

WORSE = (Health.OK, Health.PROBLEM, Health.CRITICAL)
# How much longer a device may take until it has been online for the whole time.
GRACE = timedelta(minutes=15)


def state_before(device_id: UUID) -> dict[str, Any]:
    """Return the device's state before the upgrade, for comparison afterwards."""
    return {"health_before": _health(device_id), "had_config_error": _has_error(device_id)}


def watched_until(row: Upgrade) -> Any:
    """Return until when an upgraded device is watched; None if it was not flashed."""
    if row.sent is None:
        return None
    minutes = policy_of(row.device.organization_id).watch_minutes
    return timezone.now() + timedelta(minutes=minutes) if minutes else None


def judge_watched() -> int:
    """Judge the devices whose time is over. Returns their number."""
    due = Upgrade.objects.filter(watched_until__lte=timezone.now(), is_well=None)
    rows = due.filter(state=Upgrade.State.CONFIRMED).select_related("device", "rollout")
    return for_each(rows, judge, name="firmware.aftermath")


def judge(row: Upgrade) -> None:
    """Record whether a device is as healthy as before; postpone if undecided."""
    presence = Presence.objects.filter(device=row.device_id).first()
    if presence and _is_too_early(row, presence):
        return
    found = list(_troubles(row, presence))
    reason = " ".join(found) or "The device is as well as before."
    now = timezone.now()
    mine = Upgrade.objects.filter(pk=row.pk, is_well=None)
    values: dict[str, Any] = {"reason": f"{row.reason} {reason}"} if found else {}
    if mine.update(is_well=not found, modified=now, log=appended(reason), **values):
        row.refresh_from_db()
        publish_progress(row)


def _is_too_early(row: Upgrade, presence: Presence) -> bool:
    if row.watched_until is None or row.ended is None:
        return False
    now, patience = timezone.now(), row.watched_until - row.ended
    has_come_late = presence.state == Presence.State.ONLINE and presence.since > now - patience
    return has_come_late and now < row.watched_until + GRACE


def _troubles(row: Upgrade, presence: Presence | None) -> Any:
    if presence and presence.state == Presence.State.OFFLINE:
        yield "It has gone offline since."
    before, after = row.health_before, _health(row.device_id)
    if before in WORSE and after in WORSE and WORSE.index(after) > WORSE.index(before):
        yield f"Its health was {before} before and is {after} now."
    if _has_error(row.device_id) and not row.had_config_error:
        yield "Its configuration is in error, which it was not before."


def _health(device_id: UUID) -> str:
    found = MonitoredDevice.objects.filter(device=device_id).values_list("health", flat=True)
    return found.first() or ""


def _has_error(device_id: UUID) -> bool:
    return Config.objects.filter(
        device=device_id, is_retired=False, status=Config.Status.ERROR
    ).exists()


@dataclass(frozen=True)
class Comparison:
    """Health of upgraded devices before their upgrade and now."""

    rows: list[tuple[str, int, int]]
    """Health, with the numbers of devices before and now."""
    away: timedelta | None
    """How long it took from the order to the proof, the median."""


def compare(upgrades: QuerySet[Upgrade]) -> Comparison:
    """Compare the devices of these upgrades that were flashed and came back."""
    back = upgrades.filter(state=Upgrade.State.CONFIRMED, sent__isnull=False)
    found = list(back.values_list("device", "health_before", "sent", "ended"))
    known = {device: health for device, health, *_ in found if health in WORSE}
    now = MonitoredDevice.objects.filter(device__in=known).values_list("health", flat=True)
    before, after = Counter(known.values()), Counter(now)
    spans = [(ended - sent).total_seconds() for *_, sent, ended in found if ended and sent]
    rows = [
        (str(MonitoredDevice.State(health.value).label), before[health], after[health])
        for health in WORSE
        if known
    ]
    return Comparison(rows, timedelta(seconds=round(median(spans))) if spans else None)
