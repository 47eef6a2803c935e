"""Firmware of devices: what they reported, and what was assigned to them."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped
from controller.base.models import Base
from controller.devices.models import Device
from controller.firmware.engine.matching import DeviceFacts
from controller.firmware.engine.metadata import FIRST_COMPAT
from controller.firmware.models.catalog import Image


class DeviceSystem(OrganizationScoped):
    """System that a device reported when it was last read."""

    is_audited = False
    organization_path = "device__organization"

    device = models.OneToOneField(
        Device, models.CASCADE, primary_key=True, related_name="firmware_system"
    )
    board = models.CharField(max_length=128, blank=True, db_index=True)
    model = models.CharField(max_length=128, blank=True)
    target = models.CharField(max_length=128, blank=True)
    distribution = models.CharField(max_length=128, blank=True)
    version = models.CharField(max_length=128, blank=True)
    revision = models.CharField(max_length=128, blank=True)
    rootfs_type = models.CharField(max_length=128, blank=True)
    compat_version = models.CharField(max_length=9, default=FIRST_COMPAT)
    memory_total = models.PositiveBigIntegerField(null=True)
    memory_available = models.PositiveBigIntegerField(null=True)
    tmp_free = models.PositiveBigIntegerField(null=True)
    checksum = models.CharField(
        max_length=64, blank=True, help_text=_("SHA-256 of the image installed last.")
    )
    read_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(
        blank=True, help_text=_("Reason why the system could not be read.")
    )

    class Meta:
        ordering = ["device"]
        indexes = [models.Index(fields=["tried_at"])]

    def __str__(self) -> str:
        return f"{self.board} {self.version}".strip()

    @property
    def facts(self) -> DeviceFacts:
        return DeviceFacts(
            board=self.board,
            target=self.target,
            version=self.version,
            compat_version=self.compat_version,
            memory_available=self.memory_available,
            memory_total=self.memory_total,
            tmp_free=self.tmp_free,
        )


class DeviceFirmware(OrganizationScoped, Base):
    """Image assigned to a device, and whether the device proved to run it."""

    organization_path = "device__organization"
    not_audited = frozenset({"installed", "proved"})

    device = models.OneToOneField(Device, models.CASCADE, related_name="firmware")
    image = models.ForeignKey(Image, models.CASCADE, related_name="devices")
    installed = models.BooleanField(default=False, editable=False)
    proved = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["device"]

    def __str__(self) -> str:
        return f"{self.device}: {self.image}"
