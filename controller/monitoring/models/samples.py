"""What devices measured: the newest values, the samples of the last days, and blocks of older ones.

Rows of samples carry a number instead of a device's id, for a UUID would be most of the row.
"""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, OrganizationOwned, OrganizationScoped
from controller.devices.models import Device
from controller.monitoring.engine.health import Health


class MonitoredDevice(OrganizationScoped):
    """A device that has been measured at least once, and how it is."""

    organization_path: ClassVar[str] = "device__organization"
    is_audited: ClassVar[bool] = False

    class State(models.TextChoices):
        OK = Health.OK.value, _("OK")
        PROBLEM = Health.PROBLEM.value, _("Problem")
        CRITICAL = Health.CRITICAL.value, _("Critical")
        UNKNOWN = Health.UNKNOWN.value, _("Unknown")

    device = models.OneToOneField(Device, models.CASCADE, related_name="monitoring")
    health = models.CharField(max_length=8, choices=State, default=State.UNKNOWN, db_index=True)
    since = models.DateTimeField(default=timezone.now)
    # What leads it to the portal: while that is away, nothing is told of what is behind it.
    uplink = models.ForeignKey(
        Device, models.SET_NULL, null=True, blank=True, related_name="downlinks",
        help_text=_("Uplink of the device. Leave empty to find it in the reports."),
    )  # fmt: skip
    # An uplink that a person set stays; one found in reports follows them.
    uplink_is_found = models.BooleanField(default=True)
    # When the portal pings it and asks it over SSH the next time; null is at once.
    next_check = models.DateTimeField(null=True, db_index=True)
    next_pull = models.DateTimeField(null=True, db_index=True)
    # When a report arrived last that was fetched over SSH, in seconds since the epoch.
    pulled_at = models.BigIntegerField(null=True)
    # Of a demonstration: what is older was never measured.
    invented_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.device}: {self.health}"


class LatestSample(OrganizationScoped):
    """The newest values of a device. Written with each report, so apart from its health."""

    organization_path: ClassVar[str] = "monitored__device__organization"
    is_audited: ClassVar[bool] = False

    monitored = models.OneToOneField(
        MonitoredDevice, models.CASCADE, primary_key=True, related_name="latest"
    )
    # The names of its series in the order of their slots. A slot is never given twice.
    layout = models.JSONField(default=list)
    # When its newest report was made, in seconds since the epoch, and when it arrived.
    at = models.BigIntegerField(null=True)
    arrived = models.BigIntegerField(null=True)
    # When the portal last checked it.
    checked_at = models.BigIntegerField(null=True)
    interval = models.FloatField(
        default=0, help_text=_("Seconds between two reports, usually.")
    )
    uptime = models.FloatField(null=True)
    values = models.BinaryField(default=b"")
    counters = models.BinaryField(default=b"")
    complaints = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Newest values of {self.monitored.device}"


class Snapshot(OrganizationScoped):
    """The newest report of a device as it was sent, deflated."""

    organization_path: ClassVar[str] = "monitored__device__organization"
    is_audited: ClassVar[bool] = False

    monitored = models.OneToOneField(
        MonitoredDevice, models.CASCADE, primary_key=True, related_name="snapshot"
    )
    at = models.BigIntegerField()
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"Newest report of {self.monitored.device}"


class Reboot(OrganizationScoped):
    """When a device started again."""

    organization_path: ClassVar[str] = "monitored__device__organization"
    is_audited: ClassVar[bool] = False

    monitored = models.ForeignKey(MonitoredDevice, models.CASCADE, related_name="reboots")
    at = models.BigIntegerField()

    class Meta:
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["monitored", "at"], name="reboot_once")]

    def __str__(self) -> str:
        return f"{self.monitored.device} restarted at {self.at}"


class MonitoredOrganization(OrganizationOwned):
    """An organization whose devices are added up, so that its charts read none of them."""

    is_audited: ClassVar[bool] = False

    organization = models.OneToOneField(Organization, models.CASCADE, related_name="monitoring")
    layout = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Totals of {self.organization}"

    @property
    def number(self) -> int:
        """The number of its samples: below zero, where no device's is."""
        return -int(self.pk)


class Sample(models.Model):
    """The values of one device at one moment; until they are sealed into blocks."""

    class Kind(models.IntegerChoices):
        REPORT = 0, _("Told by the device")
        CHECK = 1, _("Pings of the portal")
        ACTIVE = 2, _("Other checks of the portal")

    pk = models.CompositePrimaryKey("number", "at", "kind")
    number = models.BigIntegerField()
    at = models.BigIntegerField()
    kind = models.SmallIntegerField(choices=Kind)
    values = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["at"], name="sample_oldest")]

    def __str__(self) -> str:
        return f"{self.number} at {self.at}"


class Block(models.Model):
    """Many samples of one device, rolled up to buckets of one length."""

    pk = models.CompositePrimaryKey("number", "resolution", "start")
    number = models.BigIntegerField()
    resolution = models.IntegerField(help_text=_("Seconds of a bucket."))
    start = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["resolution", "start"], name="block_oldest")]

    def __str__(self) -> str:
        return f"{self.number} from {self.start} by {self.resolution} s"
