"""Backup plans and stored backups of Home Assistant devices."""

import secrets
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationOwned, OrganizationScoped, User
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from controller.devices.models import DeviceGroup
from supervisor_proxy.models.supervisors import Supervisor


def new_password() -> str:
    return secrets.token_urlsafe(24)


class BackupPlan(OrganizationOwned, Base):
    """Backup schedule and retention of an organization's or group's devices."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "supervisor:secret", whole=frozenset({"password"})
    )

    name = models.CharField(max_length=100)
    group = models.ForeignKey(
        DeviceGroup, models.CASCADE, null=True, blank=True, related_name="+",
        help_text=_("Leave empty for all devices of the organization."),
    )  # fmt: skip
    enabled = models.BooleanField(default=True)
    hours = models.PositiveIntegerField(
        default=24, validators=[MinValueValidator(1), MaxValueValidator(24 * 31)],
        help_text=_("Time between two backups."),
    )  # fmt: skip
    keep = models.PositiveIntegerField(
        default=7, validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_("Number of backups per device that the portal keeps."),
    )  # fmt: skip
    keep_on_device = models.PositiveIntegerField(
        default=1, validators=[MaxValueValidator(100)],
        help_text=_("Number of backups that also stay on the device."),
    )  # fmt: skip
    # Home Assistant encrypts the backup with it, so the portal's disk contains no plain
    # secrets.
    password = EncryptedTextField(default=new_password, editable=False)
    user = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="backup_plan_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class StoredBackup(OrganizationScoped, Leased, Base):
    """One backup of one device: made there, fetched and stored in the portal."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "supervisor:secret", whole=frozenset({"password"})
    )

    organization_path: ClassVar[str] = "supervisor__device__organization"
    is_audited = False

    class State(models.TextChoices):
        WAITING = "waiting", _("to be made")
        MADE = "made", _("made, to be fetched")
        STORED = "stored", _("stored")
        FAILED = "failed", _("failed")

    plan = models.ForeignKey(BackupPlan, models.SET_NULL, null=True, related_name="backups")
    supervisor = models.ForeignKey(Supervisor, models.CASCADE, related_name="backups")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    slug = models.CharField(
        max_length=64, blank=True, help_text=_("Name of the backup on the device.")
    )
    is_on_device = models.BooleanField(default=False)
    core = models.CharField(max_length=32, blank=True)
    size = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    password = EncryptedTextField(blank=True)
    reason = models.TextField(blank=True)
    fetched = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("backup")
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["supervisor", "-created"]),
            lease_index("stored_backup_leased"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["supervisor"],
                condition=models.Q(state__in=["waiting", "made"]),
                name="stored_backup_one_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return gettext("Backup of %(device)s, %(time)s") % {
            "device": self.supervisor.device,
            "time": f"{self.created:%Y-%m-%d %H:%M}",
        }

    @property
    def file_name(self) -> str:
        return f"{self.supervisor_id}/{self.pk}.tar"

    @property
    def device_name(self) -> str:
        """What the backup is called on the device, by which it is found there again."""
        return f"Muster {self.created:%Y-%m-%d} {self.pk.hex[:8]}"


BACKUPS = LeaseQueue(
    "backups", StoredBackup,
    waits=models.Q(
        state__in=(StoredBackup.State.WAITING, StoredBackup.State.MADE),
        plan__isnull=False, plan__user__isnull=False,
    ),
)  # fmt: skip
