"""Checks that the portal makes of devices, and how each went last."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, OrganizationOwned, OrganizationScoped
from controller.base.models import Base
from controller.devices.models import Device, DeviceGroup
from controller.monitoring.engine.active import TITLES, problems
from controller.monitoring.models.samples import MonitoredDevice

SHORTEST_SECONDS = 30


class Check(OrganizationOwned, Base):
    """One check of the devices of an organization, of a group, or of one device."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    group = models.ForeignKey(
        DeviceGroup, models.CASCADE, null=True, blank=True, related_name="checks",
        help_text=_("Only these devices."),
    )  # fmt: skip
    device = models.ForeignKey(
        Device, models.CASCADE, null=True, blank=True, related_name="checks",
        help_text=_("Only this device."),
    )  # fmt: skip
    name = models.CharField(
        max_length=40, help_text=_("Name in charts and notifications, such as web.")
    )
    kind = models.CharField(
        max_length=8, choices=[(kind.value, title) for kind, title in TITLES.items()]
    )
    parameters = models.JSONField(
        default=dict, blank=True,
        help_text=_("HTTP: port, path, tls, status, text. DNS: name, record, port, answer. "
        "TCP and SSH: port. iperf3: server, port, protocol (tcp, udp), seconds, bandwidth, reverse."),
    )  # fmt: skip
    seconds = models.PositiveIntegerField(
        _("every"), default=300,
        help_text=_("Seconds between two runs. 0 runs the check on demand only."),
    )  # fmt: skip
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="check_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if found := problems(self.kind, self.parameters):
            raise ValidationError({"parameters": found})
        if 0 < self.seconds < SHORTEST_SECONDS:
            MinValueValidator(SHORTEST_SECONDS)(self.seconds)

    @property
    def target(self) -> str:
        """Which devices are checked, in words for pages."""
        return str(self.device or self.group or self.organization)


class CheckRun(OrganizationScoped):
    """One device's turn of a check, and what came of the last one."""

    organization_path: ClassVar[str] = "monitored__device__organization"
    is_audited: ClassVar[bool] = False

    parent = models.ForeignKey(Check, models.CASCADE, related_name="runs")
    monitored = models.ForeignKey(MonitoredDevice, models.CASCADE, related_name="runs")
    # Null is on demand alone.
    next_run = models.DateTimeField(null=True, db_index=True)
    # A worker's own until then.
    leased_until = models.DateTimeField(null=True)
    at = models.BigIntegerField(null=True)
    is_good = models.BooleanField(null=True)
    milliseconds = models.FloatField(null=True)
    reason = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "monitored"], name="check_run_once")
        ]

    def __str__(self) -> str:
        return f"{self.parent} of {self.monitored.device}"

    def outcome(self) -> dict[str, Any]:
        """Return what came of the last run."""
        return {
            "at": self.at, "is_good": self.is_good, "milliseconds": self.milliseconds,
            "reason": self.reason,
        }  # fmt: skip
