"""Limits, what is beyond them, and when nobody is told of it."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import (
    Organization,
    OrganizationOwned,
    OrganizationScoped,
    Shareable,
    Site,
)
from controller.base.models import Base
from controller.devices.models import Device, DeviceGroup
from controller.monitoring.engine.metrics import ABOUT, JUDGED, Limit, Metric, Operator
from controller.monitoring.models.samples import MonitoredDevice

METRICS = [(metric.value, _(ABOUT[metric].title)) for metric in JUDGED]
LONGEST_TOLERANCE = 7 * 24 * 60


class Threshold(Shareable, Base):
    """A limit of a metric: of the portal, an organization, a group or one device.

    The nearest to a device is in force: its own, else its group's, else its organization's.
    """

    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+",
        help_text=_("Leave empty for all organizations."),
    )  # fmt: skip
    group = models.ForeignKey(
        DeviceGroup, models.CASCADE, null=True, blank=True, related_name="thresholds",
        help_text=_("Only these devices."),
    )  # fmt: skip
    device = models.ForeignKey(
        Device, models.CASCADE, null=True, blank=True, related_name="thresholds",
        help_text=_("Only this device."),
    )  # fmt: skip
    metric = models.CharField(max_length=32, choices=METRICS)
    operator = models.CharField(
        max_length=5,
        choices=[(one.value, one.value.capitalize()) for one in Operator],
        default=Operator.ABOVE.value,
        help_text=_("Side of the limit on which the check fails."),
    )
    value = models.FloatField(_("limit"))
    minutes = models.PositiveIntegerField(
        _("tolerance"), default=30, validators=[MaxValueValidator(LONGEST_TOLERANCE)],
        help_text=_("Minutes beyond the limit before people are notified."),
    )  # fmt: skip
    enabled = models.BooleanField(
        default=True, help_text=_("If off, the metric is not checked.")
    )

    class Meta:
        verbose_name = _("limit")
        ordering = ["metric", "created"]
        constraints = [
            models.UniqueConstraint(
                # A missing organization, group or device counts as a value: SQLite knows no
                # NULLS NOT DISTINCT.
                *(
                    Coalesce(level, Value(UUID(int=0), output_field=models.UUIDField()))
                    for level in ("organization", "group", "device")
                ),
                "metric",
                name="threshold_unique",
                violation_error_message=_("There is a limit of this metric for these devices."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_metric_display()} {self.operator} {self.value:g}"

    @property
    def source(self) -> str:
        """Where the limit was set, in words for pages."""
        if self.device is not None:
            return "this device"
        if self.group is not None:
            return f"group {self.group.name}"
        return f"organization {self.organization.name}" if self.organization else "the portal"

    def limit(self) -> Limit:
        return Limit(
            Operator(self.operator), self.value, self.minutes, self.enabled, self.source
        )


class Condition(OrganizationScoped):
    """Something that is or was wrong with a device. At most one is open of each series."""

    organization_path: ClassVar[str] = "monitored__device__organization"
    is_audited: ClassVar[bool] = False

    monitored = models.ForeignKey(MonitoredDevice, models.CASCADE, related_name="conditions")
    metric = models.CharField(max_length=32, choices=METRICS)
    label = models.CharField(max_length=64, blank=True)
    value = models.FloatField()
    limit = models.FloatField()
    minutes = models.PositiveIntegerField()
    source = models.CharField(max_length=200)
    is_shown = models.BooleanField(default=False)
    bad_since = models.BigIntegerField()
    good_since = models.BigIntegerField(null=True)
    told_at = models.BigIntegerField(null=True)
    returns = models.PositiveIntegerField(default=0)
    ended = models.BigIntegerField(null=True)
    # The device behind whose outage this one is; of the outage alone people are told.
    behind = models.ForeignKey(Device, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-bad_since"]
        indexes = [models.Index(fields=["ended"], name="condition_ended")]
        constraints = [
            models.UniqueConstraint(
                fields=["monitored", "metric", "label"],
                condition=models.Q(ended=None), name="condition_once",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return gettext("%(problem)s of %(device)s") % {
            "problem": self.text,
            "device": self.monitored.device,
        }

    @property
    def text(self) -> str:
        """What is wrong, in words for pages."""
        trouble = gettext(ABOUT[Metric(self.metric)].trouble)
        return f"{trouble} ({self.label})" if self.label else trouble


class Silence(OrganizationOwned, Base):
    """A maintenance window: devices are judged and shown as ever, and nobody is told."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    site = models.ForeignKey(
        Site, models.CASCADE, null=True, blank=True, related_name="silences",
        help_text=_("Only devices of this site."),
    )  # fmt: skip
    group = models.ForeignKey(
        DeviceGroup, models.CASCADE, null=True, blank=True, related_name="silences"
    )
    device = models.ForeignKey(
        Device, models.CASCADE, null=True, blank=True, related_name="silences"
    )
    metric = models.CharField(
        max_length=32, choices=METRICS, blank=True, help_text=_("Leave empty for all metrics.")
    )
    starts = models.DateTimeField(default=timezone.now)
    ends = models.DateTimeField()
    reason = models.CharField(max_length=200)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-ends"]
        indexes = [models.Index(fields=["organization", "ends"], name="silence_current")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends__gt=models.F("starts")), name="silence_ends_later",
                violation_error_message=_("A maintenance window ends after it starts."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        shown = {"reason": self.reason, "time": f"{self.ends:%Y-%m-%d %H:%M}"}
        return gettext("%(reason)s until %(time)s") % shown

    def covers(self, device: Device, metric: str, now: datetime) -> bool:
        """Return whether nobody is told of this metric of the device now."""
        return (
            self.starts <= now < self.ends
            and self.organization_id == device.organization_id
            and self.device_id in {None, device.pk}
            and self.group_id in {None, device.group_id}
            and self.site_id in {None, device.site_id}
            and self.metric in {"", metric}
        )
