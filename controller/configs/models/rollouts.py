"""Rollouts of template changes in waves."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from controller.accounts.models import OrganizationScoped
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.configs.engine import waves
from controller.configs.models.configurations import Config, Template
from controller.devices.models import valid_object


def valid_waves(value: Any) -> None:
    try:
        waves.check(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def usual_waves() -> list[str]:
    return ["1", "10%", "100%"]


class Rollout(OrganizationScoped, Base):
    """Change of a template that is applied to its devices in waves.

    During a rollout the template is unchanged, and released devices are rendered with the
    new
    version; at the end the template gets the new version.
    """

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", inside=frozenset({"config", "default_values"})
    )

    organization_path = "template__organization"
    is_shareable = True

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        HALTED = "halted", "Halted"
        ROLLED_BACK = "rolled_back", "Rolled back"

    ACTIVE = (State.RUNNING, State.PAUSED)

    template = models.ForeignKey(Template, models.CASCADE, related_name="rollouts")
    config = models.JSONField("configuration", validators=[valid_object])
    default_values = models.JSONField(default=dict, blank=True, validators=[valid_object])
    waves = models.JSONField(
        default=usual_waves, validators=[valid_waves],
        help_text="Devices or shares of them, with commas between; the last is 100%.",
    )  # fmt: skip
    pause = models.PositiveIntegerField(
        default=600, validators=[MinValueValidator(1)],
        help_text="Seconds that each wave has to take the change before the next one.",
    )  # fmt: skip
    allowed = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(100)],
        help_text="Percent of the reached devices that may refuse it, go offline by it or not "
        "take it in time; with more it halts, and they go back.",
    )  # fmt: skip
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.DRAFT, editable=False
    )
    reason = models.TextField(blank=True, editable=False)
    wave = models.PositiveSmallIntegerField(default=0, editable=False)
    # Start of the wave, moved on by the time without workers.
    wave_started = models.DateTimeField(null=True, editable=False)
    advanced = models.DateTimeField(null=True, editable=False)
    started = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["template"], name="one_active_rollout",
                condition=Q(state__in=["running", "paused"]),
                violation_error_message="A rollout of this template is under way already.",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"Rollout of {self.template}"


class RolloutDevice(models.Model):
    """Wave in which a rollout reaches a device, and the time of release."""

    rollout = models.ForeignKey(Rollout, models.CASCADE, related_name="devices")
    config = models.ForeignKey(Config, models.CASCADE, related_name="releases")
    wave = models.PositiveSmallIntegerField()
    # The configuration had failed before: its state says nothing about the change.
    was_failing = models.BooleanField(default=False)
    released = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rollout", "config"], name="device_once_per_rollout"
            )
        ]

    def __str__(self) -> str:
        return f"{self.config.device} in wave {self.wave}"

    @property
    def is_in_force(self) -> bool:
        return self.released is not None and self.rollout.state in Rollout.ACTIVE
