"""Rollouts: staged changes of templates in waves, with health checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, CharField, Count, F, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone

from controller.base.errors import Conflict, Refused
from controller.base.events import event_for, publish
from controller.base.leases import for_each
from controller.configs.engine.waves import sizes
from controller.configs.models import PUSHES, Config, Push, Rollout, RolloutDevice, Template
from controller.configs.rules.rendering import mark_stale
from controller.configs.rules.templates import check, update_template
from controller.devices.models import Presence
from controller.notifications.rules.notices import record_notices

State = Rollout.State
# Longer gaps between two steps are time without workers.
LONGEST_STEP = timedelta(seconds=30)

IS_RENDERED = Q(config__rendered_revision__gte=F("config__revision"))
IS_OFFLINE = Q(config__device__presence__state=Presence.State.OFFLINE)
FAILED = IS_RENDERED & Q(config__status=Config.Status.ERROR)
TAKEN = IS_RENDERED & Q(config__status=Config.Status.APPLIED)
CAME_AFTER = Q(config__device__presence__since__gte=F("released"))
# State of a released device; the first matching case applies.
HOW = Case(
    # Its configuration had failed before, so it says nothing about the change.
    When(FAILED & Q(was_failing=True), then=Value("left_out")),
    When(FAILED, then=Value("failed")),
    When(IS_OFFLINE & CAME_AFTER, then=Value("gone")),
    When(TAKEN, then=Value("taken")),
    When(IS_OFFLINE, then=Value("left_out")),
    default=Value("waiting"),
    output_field=CharField(),
)


@dataclass(frozen=True)
class Health:
    """Health of the devices that a rollout has reached."""

    taken: int
    failed: int
    gone: int
    """Offline since the change came."""
    left_out: int
    """Offline or in error before, so that it tells nothing of the change."""
    waiting: int

    def failure_percent(self, *, in_the_end: bool) -> int:
        """Return the failure rate in percent, rounded up.

        At the end of a wave, devices still waiting count as failed.
        """
        counted = self.taken + self.failed + self.gone + self.waiting
        bad = self.failed + self.gone + (self.waiting if in_the_end else 0)
        return -(-100 * bad // counted) if counted else 0

    def __str__(self) -> str:
        return (
            f"{self.failed} refused it, {self.gone} went offline and {self.waiting} have not "
            f"taken it; {self.taken} have."
        )


def create_draft(template: Template, **values: Any) -> Rollout:
    """Create a draft rollout. ``config`` and ``default_values`` default to the template's."""
    row = Rollout(
        **{
            "template": template,
            "config": template.config,
            "default_values": template.default_values,
        }
        | values
    )
    return _checked(row)


def adjust(rollout: Rollout, **values: Any) -> Rollout:
    """Update a draft; raise Conflict if it was started."""
    if rollout.state != State.DRAFT:
        raise Conflict("Only a draft can be changed.")
    for name, value in values.items():
        setattr(rollout, name, value)
    return _checked(rollout)


def _checked(row: Rollout) -> Rollout:
    row.checked()
    check(_as_template(row))
    row.save()
    return row


def _as_template(row: Rollout) -> Template:
    """Return the template as it will be; never saved."""
    version: Template = Template.objects.select_related("vpn", "organization").get(
        pk=row.template_id
    )
    version.config, version.default_values = row.config, row.default_values
    return version


def discard(rollout: Rollout) -> None:
    if rollout.state in Rollout.ACTIVE:
        raise Conflict("It is under way: roll it back first.")
    rollout.delete()


@transaction.atomic
def start(rollout: Rollout) -> Rollout:
    """Distribute the template's devices over the waves and release the first.

    Raises Conflict if the rollout was started before or the template has another active
    one.
    """
    row = _locked(rollout.pk)
    if row.state != State.DRAFT:
        raise Conflict("It has been started before.")
    if Rollout.objects.filter(template=row.template_id, state__in=Rollout.ACTIVE).exists():
        raise Conflict("A rollout of this template is under way already.")
    here = Case(
        When(device__presence__state=Presence.State.ONLINE, then=Value(0)),
        When(device__presence__state=Presence.State.OFFLINE, then=Value(2)),
        default=Value(1),
        output_field=IntegerField(),
    )
    # Online devices first; ids are random, so each wave is a sample of the fleet.
    configs = list(
        Config.objects.filter(uses__template=row.template_id, is_retired=False)
        .order_by(here, "pk")
        .values_list("pk", "status")
    )
    if not configs:
        raise Refused("No device has this template: change the template itself.")
    ends = sizes(row.waves, len(configs))
    RolloutDevice.objects.bulk_create(
        (
            RolloutDevice(
                rollout=row,
                config_id=pk,
                was_failing=status == Config.Status.ERROR,
                wave=next(w for w, end in enumerate(ends) if at < end),
            )
            for at, (pk, status) in enumerate(configs)
        ),
        batch_size=500,
    )
    row.state, row.started = State.RUNNING, timezone.now()
    _release(row, 0)
    return row


def _locked(pk: UUID) -> Rollout:
    row: Rollout = Rollout.objects.select_for_update(of=("self",)).get(pk=pk)
    return row


def _release(row: Rollout, wave: int) -> None:
    now = timezone.now()
    row.wave, row.wave_started, row.advanced = wave, now, now
    row.save()
    publish_progress(row)
    reached = row.devices.filter(wave__lte=wave, released=None)
    configs = list(reached.values_list("config", flat=True))
    reached.update(released=now)
    mark_stale(Config.objects.filter(pk__in=configs))


@transaction.atomic
def pause(rollout: Rollout) -> Rollout:
    """Release no further devices; released devices keep the new version."""
    row = _locked(rollout.pk)
    if row.state != State.RUNNING:
        raise Conflict("It is not running.")
    row.state = State.PAUSED
    row.save()
    publish_progress(row)
    return row


@transaction.atomic
def resume(rollout: Rollout) -> Rollout:
    """Resume a paused rollout; the current wave starts its waiting time again."""
    row = _locked(rollout.pk)
    if row.state != State.PAUSED:
        raise Conflict("It is not paused.")
    row.state, row.wave_started = State.RUNNING, timezone.now()
    row.advanced = row.wave_started
    row.save()
    publish_progress(row)
    return row


@transaction.atomic
def roll_back(rollout: Rollout) -> Rollout:
    """Give the former version back to all released devices."""
    row = _locked(rollout.pk)
    if row.state not in Rollout.ACTIVE:
        raise Conflict("It is not under way.")
    return _roll_back(row, State.ROLLED_BACK, "Rolled back by hand.")


def publish_progress(row: Rollout) -> None:
    event = event_for(
        row, "rollout.progress", "template:read", name=str(row.template),
        state=row.state, wave=row.wave, waves=len(row.waves), reason=row.reason,
    )  # fmt: skip
    publish(event)
    record_notices([event])


def _roll_back(row: Rollout, state: State, reason: str) -> Rollout:
    row.state, row.reason, row.ended = state, reason, timezone.now()
    row.save()
    publish_progress(row)
    reached = row.devices.filter(released__isnull=False).values("config")
    mark_stale(Config.objects.filter(pk__in=reached))
    return row


def advance_all() -> None:
    """Advance every running rollout; one that fails does not stop the others."""
    running = list(Rollout.objects.filter(state=State.RUNNING).values_list("pk", flat=True))
    for_each(running, advance, name="configs.rollouts")


@transaction.atomic
def advance(pk: UUID) -> Rollout:
    """Halt on too many failures; otherwise release the next wave when it is due."""
    row = _locked(pk)
    if row.state != State.RUNNING or row.wave_started is None:
        return row
    now = timezone.now()
    _skip_lost_time(row, now)
    is_over = now >= row.wave_started + timedelta(seconds=row.pause)
    is_over = is_over and not _is_under_way(row)
    found = health(released(row))
    if (bad := found.failure_percent(in_the_end=is_over)) > row.allowed:
        reason = f"{bad} % of the devices are not well, {row.allowed} % are allowed: {found}"
        return _roll_back(row, State.HALTED, reason)
    if is_over:
        following = row.devices.filter(released=None).order_by("wave").first()
        if following is not None:
            _release(row, following.wave)
        else:
            _finish(row)
    return row


def _skip_lost_time(row: Rollout, now: datetime) -> None:
    """Move the start of the wave on by the time without rendering or pushing.

    An outage of the portal says nothing about the change, so it counts against no device.
    """
    passed = now - (row.advanced or now)
    counted = min(passed, LONGEST_STEP) if _is_served(row) else timedelta()
    if row.wave_started is not None:
        row.wave_started += passed - counted
    row.advanced = now
    row.save(update_fields=["wave_started", "advanced"])


def _is_served(row: Rollout) -> bool:
    stale = released(row).filter(~IS_RENDERED)
    return PUSHES.oldest() < LONGEST_STEP.total_seconds() and not stale.exists()


def _is_under_way(row: Rollout) -> bool:
    """Return whether a device of this wave still lacks the outcome of its first attempt."""
    configs = released(row).values("config")
    owed = Push.objects.filter(config__in=configs, state__in=Push.OPEN, reason="")
    return owed.exists()


def _finish(row: Rollout) -> None:
    row.state, row.ended = State.DONE, timezone.now()
    row.save()
    publish_progress(row)
    template: Template = Template.objects.get(pk=row.template_id)
    update_template(template, config=row.config, default_values=row.default_values)


def released(rollout: Rollout) -> QuerySet[RolloutDevice]:
    """Return released devices that still use the template."""
    return members(rollout).filter(released__isnull=False)


def members(rollout: Rollout) -> QuerySet[RolloutDevice]:
    return RolloutDevice.objects.filter(
        rollout=rollout, config__uses__template=rollout.template_id, config__is_retired=False
    )


def health(rows: QuerySet[RolloutDevice]) -> Health:
    return Health(**rows.annotate(how=HOW).aggregate(**COUNTS))


COUNTS: Mapping[str, Any] = {
    how: Count("pk", filter=Q(released__isnull=False, how=how))
    for how in ("taken", "failed", "gone", "left_out", "waiting")
}


def by_wave(rollout: Rollout) -> list[dict[str, Any]]:
    """Return the number of devices and their health per wave."""
    rows: Any = members(rollout).annotate(how=HOW).values("wave")
    return list(
        rows.annotate(total=Count("pk"), reached=Count("released"), **COUNTS).order_by("wave")
    )
