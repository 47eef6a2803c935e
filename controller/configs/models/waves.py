"""What rollouts of every kind have: waves, gates, and how far they have come."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.base.models import Base
from controller.configs.engine import waves


def valid_waves(value: Any) -> None:
    try:
        waves.check(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def usual_waves() -> list[str]:
    return ["1", "10%", "100%"]


class WaveRollout(Base):
    """Rollout that reaches devices in waves; halts when too many are not well."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        DONE = "done", _("Done")
        HALTED = "halted", _("Halted")
        STOPPED = "stopped", _("Stopped")
        ROLLED_BACK = "rolled_back", _("Rolled back")

    ACTIVE = (State.RUNNING, State.PAUSED)

    waves = models.JSONField(
        default=usual_waves, validators=[valid_waves],
        help_text=_("Number or share of devices in each wave, separated by commas. The last is 100%."),
    )  # fmt: skip
    pause = models.PositiveIntegerField(
        default=600, validators=[MinValueValidator(1)],
        help_text=_("Seconds between the start of a wave and the next one, at least."),
    )  # fmt: skip
    allowed = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(100)],
        help_text=_("Percent of reached devices that may fail. Above it, the rollout halts."),
    )  # fmt: skip
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.DRAFT, editable=False
    )
    reason = models.TextField(blank=True, editable=False)
    wave = models.PositiveSmallIntegerField(default=0, editable=False)
    wave_started = models.DateTimeField(null=True, editable=False)
    started = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
        ordering = ["-created"]

    @property
    def is_draft(self) -> bool:
        return self.state == self.State.DRAFT

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE
