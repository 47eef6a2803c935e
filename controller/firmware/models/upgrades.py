"""Upgrades of single devices: a queue that workers lease from.

``sent`` is set just before the device is told to flash. A row without it can be started again;
a row with it is only ever asked about.
"""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, User
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.devices.models import Device
from controller.firmware.models.catalog import Image
from controller.firmware.models.rollouts import FirmwareRollout, Packages, valid_options


class Upgrade(OrganizationScoped, Base, Leased):
    """Upgrade of one device; at most one is open per device."""

    is_audited = False  # recorded by the rule
    organization_path = "device__organization"

    class State(models.TextChoices):
        PROPOSED = "proposed", _("Waits for approval")
        WAITING = "waiting", _("In a later wave")
        QUEUED = "queued", _("Queued")
        PREPARING = "preparing", _("Checking the device")
        SENDING = "sending", _("Sending the image")
        VERIFYING = "verifying", _("Verifying on the device")
        FLASHING = "flashing", _("Flashing")
        AWAY = "away", _("Restarting")
        BACK = "back", _("Back, being checked")
        CONFIRMED = "confirmed", _("Installed")
        FAILED = "failed", _("Failed")
        ABORTED = "aborted", _("Not started")
        CANCELLED = "cancelled", _("Cancelled")
        LEFT = "left", _("Left out")
        UNKNOWN = "unknown", _("Unknown")

    BEFORE = (State.QUEUED, State.PREPARING, State.SENDING, State.VERIFYING)
    AFTER = (State.FLASHING, State.AWAY, State.BACK, State.UNKNOWN)
    OPEN = (*BEFORE, *AFTER)
    ENDED = (State.CONFIRMED, State.FAILED, State.ABORTED, State.CANCELLED, State.LEFT)

    device = models.ForeignKey(Device, models.CASCADE, related_name="upgrades")
    image = models.ForeignKey(Image, models.SET_NULL, null=True, related_name="upgrades")
    # Copies: the image may be deleted, its history stays.
    image_name = models.CharField(max_length=180)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    version = models.CharField(max_length=128, blank=True)
    revision = models.CharField(max_length=128, blank=True)
    # Updates of packages instead of an image, and what apt planned to install.
    packages = models.CharField(max_length=8, blank=True, choices=Packages)
    may_restart = models.BooleanField(default=False)
    planned = models.JSONField(default=list, blank=True)
    rollout = models.ForeignKey(
        FirmwareRollout, models.CASCADE, null=True, blank=True, related_name="upgrades"
    )
    wave = models.PositiveSmallIntegerField(default=0)
    released = models.DateTimeField(null=True)
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    options = models.JSONField(default=dict, blank=True, validators=[valid_options])
    is_persistent = models.BooleanField(default=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    reason = models.TextField(blank=True)
    log = models.TextField(blank=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    # The system before the flash, by which its outcome is judged.
    boot_id = models.CharField(max_length=64, blank=True)
    old_version = models.CharField(max_length=128, blank=True)
    old_revision = models.CharField(max_length=128, blank=True)
    is_marked = models.BooleanField(default=False)
    # Health and configuration before the flash, and until when they are watched after it.
    health_before = models.CharField(max_length=12, blank=True)
    had_config_error = models.BooleanField(default=False)
    watched_until = models.DateTimeField(null=True)
    is_well = models.BooleanField(null=True)

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["device"], name="one_open_upgrade",
                condition=Q(
                    state__in=[
                        "queued", "preparing", "sending", "verifying", "flashing", "away",
                        "back", "unknown",
                    ]
                ),
                violation_error_message=_("Another upgrade of the device is under way."),
            )
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=["not_before"], name="open_upgrades",
                condition=Q(
                    state__in=[
                        "queued", "preparing", "sending", "verifying", "flashing", "away",
                        "back", "unknown",
                    ]
                ),
            ),
            models.Index(fields=["device", "-created"]),
            models.Index(fields=["rollout", "wave"]),
            models.Index(
                fields=["watched_until"], name="watched_upgrades",
                condition=Q(watched_until__isnull=False),
            ),
            lease_index("upgrade_leased"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.device}: {self.image_name}"

    @property
    def state_label(self) -> str:
        """Return the state in words that fit what is installed."""
        if self.packages and self.state in PACKAGE_STATES:
            return str(PACKAGE_STATES[self.State(self.state)])
        return str(self.get_state_display())

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def may_be_cancelled(self) -> bool:
        return self.sent is None and self.state in {
            self.State.PROPOSED,
            self.State.WAITING,
            *self.BEFORE,
        }

    @property
    def since_flash(self) -> timedelta:
        return timezone.now() - (self.sent or timezone.now())


PACKAGE_STATES = {
    Upgrade.State.PREPARING: _("Checking the host"),
    Upgrade.State.SENDING: _("Downloading packages"),
    Upgrade.State.VERIFYING: _("Waiting for dpkg"),
    Upgrade.State.FLASHING: _("Installing packages"),
    Upgrade.State.AWAY: _("Installing packages"),
}

UPGRADES = LeaseQueue(
    "upgrades", Upgrade, waits=Q(state__in=Upgrade.OPEN),
    waiting={"state": Upgrade.State.QUEUED}, seconds=60, shortest_pause=10, longest_pause=300,
)  # fmt: skip
