"""Rollouts: staged changes of templates in waves, with health checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Case, CharField, Count, F, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Conflict, Refused
from controller.base.events import event_for, publish
from controller.configs.engine.waves import assign_waves
from controller.configs.models import PUSHES, Config, Push, Rollout, RolloutDevice, Template
from controller.configs.rules import waves
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
        return waves.percent(bad, counted)

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
        raise Conflict(gettext("Only a draft can be changed."))
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
        raise Conflict(gettext("It is under way: roll it back first."))
    rollout.delete()


@transaction.atomic
def start(rollout: Rollout) -> Rollout:
    """Distribute the template's devices over the waves and release the first.

    Raises Conflict if the rollout was started before or the template has another active
    one.
    """
    row = CARGO.locked(rollout.pk)
    if not row.is_draft:
        raise Conflict(gettext("It has been started before."))
    if Rollout.objects.filter(template=row.template_id, state__in=Rollout.ACTIVE).exists():
        raise Conflict(gettext("A rollout of this template is under way already."))
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
        raise Refused(gettext("No device has this template: change the template itself."))
    RolloutDevice.objects.bulk_create(
        (
            RolloutDevice(
                rollout=row, config_id=pk, wave=wave,
                was_failing=status == Config.Status.ERROR,
            )
            for wave, (pk, status) in assign_waves(row.waves, configs)
        ),
        batch_size=500,
    )  # fmt: skip
    return waves.start(CARGO, row)


class TemplateCargo(waves.Cargo[Rollout]):
    """New version of a template; devices take it with their configuration."""

    model = Rollout

    def publish(self, row: Rollout) -> None:
        event = event_for(
            row, "rollout.progress", "template:read", name=str(row.template),
            state=row.state, wave=row.wave, waves=len(row.waves), reason=row.reason,
        )  # fmt: skip
        publish(event)
        record_notices([event])

    def release(self, row: Rollout) -> None:
        row.advanced = row.wave_started
        row.save(update_fields=["advanced"])
        reached = row.devices.filter(wave__lte=row.wave, released=None)
        configs = list(reached.values_list("config", flat=True))
        reached.update(released=timezone.now())
        mark_stale(Config.objects.filter(pk__in=configs))

    def begin_step(self, row: Rollout) -> None:
        """Move the start of the wave on by the time without rendering or pushing.

        An outage of the portal says nothing about the change, so it counts against no device.
        """
        now = timezone.now()
        passed = now - (row.advanced or now)
        counted = min(passed, LONGEST_STEP) if _is_served(row) else timedelta()
        if row.wave_started is not None:
            row.wave_started += passed - counted
        row.advanced = now
        row.save(update_fields=["wave_started", "advanced"])

    def bad_percent(self, row: Rollout, *, is_over: bool) -> tuple[int, str]:
        found = health(released(row))
        return found.failure_percent(in_the_end=is_over), str(found)

    def is_under_way(self, row: Rollout) -> bool:
        configs = released(row).values("config")
        owed = Push.objects.filter(config__in=configs, state__in=Push.OPEN, reason="")
        return owed.exists()

    def following(self, row: Rollout) -> int | None:
        waiting = row.devices.filter(released=None).order_by("wave")
        return waiting.values_list("wave", flat=True).first()

    def finish(self, row: Rollout) -> None:
        template: Template = Template.objects.get(pk=row.template_id)
        update_template(template, config=row.config, default_values=row.default_values)

    def give_up(self, row: Rollout) -> None:
        """Give the former version back to the devices that were reached."""
        reached = row.devices.filter(released__isnull=False).values("config")
        mark_stale(Config.objects.filter(pk__in=reached))


CARGO = TemplateCargo()
pause = partial(waves.pause, CARGO)
resume = partial(waves.resume, CARGO)
advance = partial(waves.advance, CARGO)
advance_all = partial(waves.advance_all, CARGO)


def roll_back(rollout: Rollout) -> Rollout:
    """Give the former version back to all released devices."""
    return waves.stop(CARGO, rollout, State.ROLLED_BACK, "Rolled back by hand.")


def _is_served(row: Rollout) -> bool:
    stale = released(row).filter(~IS_RENDERED)
    return PUSHES.oldest() < LONGEST_STEP.total_seconds() and not stale.exists()


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
