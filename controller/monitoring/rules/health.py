"""Health of all devices from their newest values: conditions and notices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from controller.base.events import event_for, publish_on_commit
from controller.configs.models import Config
from controller.devices.models import Device
from controller.monitoring.engine import health, vectors
from controller.monitoring.engine.health import late_after
from controller.monitoring.engine.metrics import CHECKED, Limit, Metric, split_key
from controller.monitoring.models import Condition, LatestSample, MonitoredDevice
from controller.monitoring.rules import alerts
from controller.monitoring.rules.active_checks import measured
from controller.monitoring.rules.alerts import Due
from controller.monitoring.rules.ingest import PINGS, REPORT, origin_of
from controller.monitoring.rules.limits import Limits

BATCH = 500
# After so many seconds without a check, its values say nothing any more.
CHECKS_FRESH_SECONDS = 1200
# A configuration that waits to be fetched is normal for this long.
CONFIG_PATIENCE_SECONDS = 600
JUDGED_CONFIGS = {
    Config.Status.APPLIED: 1.0,
    Config.Status.ERROR: 0.0,
    Config.Status.MODIFIED: 0.0,
}

Key = tuple[str, str]


@dataclass(slots=True)
class Judged:
    """What one pass found out about a device."""

    row: MonitoredDevice
    measured: dict[Key, tuple[float, int]]
    limits: Mapping[Metric, Limit]
    open: dict[Key, Condition] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What a pass changed, to be written and told together."""

    made: list[Condition] = field(default_factory=list)
    kept: list[Condition] = field(default_factory=list)
    dropped: list[Condition] = field(default_factory=list)
    over: list[Due] = field(default_factory=list)
    due: list[Due] = field(default_factory=list)
    changed: list[MonitoredDevice] = field(default_factory=list)


def judge_all(now: datetime | None = None) -> int:
    """Judge every device in service, and return of how many the health changed."""
    moment = now or timezone.now()
    limits = Limits()
    rows = MonitoredDevice.objects.filter(
        device__is_deactivated=False, device__organization__is_active=True
    ).order_by("pk")
    ids = list(rows.values_list("pk", flat=True))
    return sum(
        judge_some(ids[at : at + BATCH], limits, moment) for at in range(0, len(ids), BATCH)
    )


@transaction.atomic
def judge_some(ids: Sequence[int], limits: Limits, moment: datetime) -> int:
    """Judge these devices in one transaction; two workers never judge one at once."""
    now = int(moment.timestamp())
    outcome = Outcome()
    uplinks: dict[UUID, UUID | None] = {}
    for one in looked_at(ids, limits, now):
        uplinks[one.row.device_id] = one.row.uplink_id
        judge_device(one, outcome, now)
        settle_health(one, outcome, moment, now)
    write(outcome, moment)
    tell(outcome, all_uplinks(uplinks), now)
    return len(outcome.changed)


def looked_at(ids: Sequence[int], limits: Limits, now: int) -> Iterator[Judged]:
    """Yield each device with what was measured last and what is wrong with it already."""
    rows = list(
        MonitoredDevice.objects.select_for_update(of=("self",))
        .select_related("device")
        .filter(pk__in=ids)
        .order_by("pk")
    )
    latest = {row.monitored_id: row for row in LatestSample.objects.filter(monitored__in=ids)}
    active = measured(ids, now)
    configs = configs_of([row.device_id for row in rows])
    conditions: dict[int, dict[Key, Condition]] = {}
    for condition in Condition.objects.filter(monitored__in=ids, ended=None):
        found = conditions.setdefault(condition.monitored_id, {})
        found[condition.metric, condition.label] = condition
    for row in rows:
        device = row.device
        values = measured_of(latest.get(row.pk), now) | active.get(row.pk, {})
        if device.pk in configs:
            values[Metric.CONFIG_APPLIED, ""] = configs[device.pk], now
        in_force = limits.of(device.pk, device.group_id, device.organization_id)
        yield Judged(row, values, in_force, conditions.get(row.pk, {}))


def configs_of(devices: Sequence[UUID]) -> dict[UUID, float]:
    """Return whether each device has the configuration that it should have."""
    rows = Config.objects.filter(device__in=devices, status__in=JUDGED_CONFIGS)
    patience = timezone.now().timestamp() - CONFIG_PATIENCE_SECONDS
    found = {}
    for device, status, modified in rows.values_list("device", "status", "modified"):
        waits = status == Config.Status.MODIFIED and modified.timestamp() > patience
        if not waits:
            found[device] = JUDGED_CONFIGS[status]
    return found


def measured_of(latest: LatestSample | None, now: int) -> dict[Key, tuple[float, int]]:
    """Return the values that are new enough to be judged, with when they were measured."""
    if latest is None:
        return {}
    patience = late_after(latest.interval)
    values = vectors.known(latest.values, wide=True)
    found: dict[Key, tuple[float, int]] = {}
    for slot, at in moments_of(latest).items():
        metric, label = split_key(latest.layout[slot])
        if is_fresh(latest, slot, at, now):
            found[metric, label] = values[slot], at
    if latest.arrived is not None:
        late = latest.arrived + patience
        is_late = now > late
        found[Metric.DATA_RECEIVED, ""] = (0.0, late) if is_late else (1.0, now)
    return found


def moments_of(latest: LatestSample) -> dict[int, int]:
    """Return when the value of each slot was measured; other checks have rows of their own."""
    told = {REPORT: latest.at, PINGS: latest.checked_at}
    moments = {
        slot: told.get(origin_of(latest.layout[slot]))
        for slot in vectors.known(latest.values, wide=True)
    }
    return {slot: at for slot, at in moments.items() if at is not None}


def is_fresh(latest: LatestSample, slot: int, at: int, now: int) -> bool:
    is_ping = origin_of(latest.layout[slot]) == PINGS
    return now - at <= (CHECKS_FRESH_SECONDS if is_ping else late_after(latest.interval))


def fresh_slots(latest: LatestSample, now: int) -> set[int]:
    """Return the slots whose values are not outdated."""
    return {slot for slot, at in moments_of(latest).items() if is_fresh(latest, slot, at, now)}


def judge_device(one: Judged, outcome: Outcome, now: int) -> None:
    """Bring the conditions of a device up to date with what was measured."""
    for key, (value, at) in one.measured.items():
        limit = one.limits.get(Metric(key[0]))
        if limit is None:
            continue
        row = one.open.get(key)
        found = health.judge(None if row is None else state_of(row), value, at, limit)
        if found is not None:
            keep(one, key, found, limit, outcome, now)
        elif row is not None:
            end(one, key, row, outcome, now)
    for key, row in list(one.open.items()):
        if key not in one.measured and not may_come_back(one, key):
            end(one, key, row, outcome, now)


def may_come_back(one: Judged, key: Key) -> bool:
    """Return whether a value is missing because nothing new has come, and not because it is gone."""
    if key[0] == Metric.CHECK:
        return False
    if key[0] in CHECKED:
        return (Metric.REACHABLE, "") not in one.measured
    return one.measured.get((Metric.DATA_RECEIVED, ""), (0.0, 0))[0] == 0


def state_of(row: Condition) -> health.Condition:
    return health.Condition(row.value, row.bad_since, row.good_since, row.told_at, row.returns)


def keep(
    one: Judged, key: Key, found: health.Condition, limit: Limit, outcome: Outcome, now: int
) -> None:
    row = one.open.get(key)
    shown = health.is_shown(found, limit, now)
    values: dict[str, Any] = {
        "value": found.value, "bad_since": found.bad_since, "good_since": found.good_since,
        "returns": found.returns, "limit": limit.value, "minutes": limit.minutes,
        "source": limit.source, "is_shown": shown,
    }  # fmt: skip
    if row is None:
        row = Condition(monitored=one.row, metric=key[0], label=key[1], **values)
        outcome.made.append(row)
        one.open[key] = row
    elif any(getattr(row, name) != value for name, value in values.items()):
        for name, value in values.items():
            setattr(row, name, value)
        outcome.kept.append(row)
    if health.is_due(found, limit, now):
        outcome.due.append(Due(one.row.device, row))


def end(one: Judged, key: Key, row: Condition, outcome: Outcome, now: int) -> None:
    """Close a condition. Of one that nobody was told of and that never showed, nothing is kept."""
    del one.open[key]
    was_seen = row.told_at is not None or row.is_shown
    if not was_seen:
        outcome.dropped.append(row)
        return
    row.ended = row.good_since or now
    outcome.kept.append(row)
    if row.told_at is not None:
        outcome.over.append(Due(one.row.device, row))


def settle_health(one: Judged, outcome: Outcome, moment: datetime, now: int) -> None:
    judged = [metric for metric, _ in one.measured if Metric(metric) in one.limits]
    shown = [
        key[0]
        for key, row in one.open.items()
        if health.is_shown(state_of(row), one.limits[Metric(key[0])], now)
    ]
    found = health.health_of([*judged, *shown], shown)
    if found != one.row.health:
        one.row.health, one.row.since = found, moment
        outcome.changed.append(one.row)


FIELDS = ["value", "limit", "minutes", "source", "is_shown", "bad_since", "good_since",
          "told_at", "returns", "ended", "behind"]  # fmt: skip


def write(outcome: Outcome, moment: datetime) -> None:
    Condition.objects.bulk_create(outcome.made, batch_size=BATCH)
    Condition.objects.bulk_update(outcome.kept, FIELDS, batch_size=BATCH)
    Condition.objects.filter(pk__in=[row.pk for row in outcome.dropped]).delete()
    MonitoredDevice.objects.bulk_update(outcome.changed, ["health", "since"], batch_size=BATCH)
    changed = list(outcome.changed)
    if changed:
        publish_on_commit(
            lambda: [
                event_for(
                    row.device, "device.health", "device:read",
                    name=row.device.name, health=row.health, since=moment,
                )
                for row in changed
            ]
        )  # fmt: skip


def tell(outcome: Outcome, uplinks: Mapping[UUID, UUID | None], now: int) -> None:
    """Tell people of what is due and of what is over, and note that they were told."""
    alerts.tell_recoveries(outcome.over)
    told = alerts.hold_back(outcome.due, uplinks)
    rows = [one.condition for one in outcome.due]
    for one in told:
        one.condition.told_at, one.condition.is_shown = now, True
    Condition.objects.bulk_update(rows, ["told_at", "behind", "is_shown"], batch_size=BATCH)
    alerts.tell(told, behind_each([one.device for one in told], uplinks))


def behind_each(
    devices: Sequence[Device], uplinks: Mapping[UUID, UUID | None]
) -> dict[UUID, int]:
    """Return how many devices are behind each of these, directly or not."""
    counts = {device.pk: 0 for device in devices}
    if not counts:
        return counts
    for device in uplinks:
        at = uplinks.get(device)
        for _ in range(alerts.LONGEST_CHAIN):
            if at is None or at == device:
                break
            if at in counts:
                counts[at] += 1
            at = uplinks.get(at)
    return counts


def all_uplinks(known: dict[UUID, UUID | None]) -> dict[UUID, UUID | None]:
    """Return every device's uplink: an outage may be of a device of another batch."""
    rows = MonitoredDevice.objects.exclude(uplink=None).values_list("device", "uplink")
    return known | dict(rows)
