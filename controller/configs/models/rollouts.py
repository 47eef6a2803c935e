"""Rollouts of template changes in waves."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped
from controller.base.secret_fields import SecretFields
from controller.configs.models.configurations import Config, Template
from controller.configs.models.waves import WaveRollout
from controller.devices.models import valid_object


class Rollout(OrganizationScoped, WaveRollout):
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

    template = models.ForeignKey(Template, models.CASCADE, related_name="rollouts")
    config = models.JSONField(_("configuration"), validators=[valid_object])
    default_values = models.JSONField(default=dict, blank=True, validators=[valid_object])
    # When it was looked at last; the start of the wave moves on by time without workers.
    advanced = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["template"], name="one_active_rollout",
                condition=Q(state__in=["running", "paused"]),
                violation_error_message=_("A rollout of this template is under way already."),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return gettext("Rollout of %(name)s") % {"name": self.template}


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
