"""Backups of settings that devices made just before they were flashed."""

from typing import ClassVar

from django.db import models

from controller.accounts.models import OrganizationScoped
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedBytesField
from controller.devices.models import Device
from controller.firmware.models.upgrades import Upgrade


class ConfigurationBackup(OrganizationScoped, Base):
    """Archive of a device's settings, as sysupgrade makes it; holds keys and passwords."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", whole=frozenset({"archive"})
    )
    is_audited = False
    organization_path = "device__organization"

    device = models.ForeignKey(Device, models.CASCADE, related_name="configuration_backups")
    upgrade = models.ForeignKey(Upgrade, models.SET_NULL, null=True, related_name="backups")
    version = models.CharField(max_length=128, blank=True)
    size = models.PositiveIntegerField()
    archive = EncryptedBytesField()

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.device} before {self.upgrade}"
