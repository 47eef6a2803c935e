"""Backups of gateways' configurations, and the policies by which they are made."""

import zlib
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationOwned, OrganizationScoped, User
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedBytesField
from networks.gateways.engine.backups import BackupFile
from networks.gateways.models.changes import ChangeSet
from networks.gateways.models.gateways import Gateway


class GatewayBackupPolicy(OrganizationOwned, Base):
    """How often gateways are backed up, and how long backups are kept."""

    class BeforeChanges(models.TextChoices):
        NEVER = "never", _("No backup")
        TRY = "try", _("Back up, and go on if that fails")
        MUST = "must", _("Back up, and stop if that fails")

    gateway = models.ForeignKey(
        Gateway, models.CASCADE, null=True, blank=True, related_name="+",
        help_text=_("Leave empty for all gateways of the organization that have no policy of "
        "their own."),
    )  # fmt: skip
    hours = models.PositiveIntegerField(
        default=24, validators=[MaxValueValidator(24 * 366)],
        help_text=_("Time between two backups; 0 for none on a schedule."),
    )  # fmt: skip
    before_changes = models.CharField(
        _("before change sets"), max_length=8, choices=BeforeChanges, default=BeforeChanges.TRY,
        help_text=_("Whether a gateway is backed up before a change set changes it."),
    )  # fmt: skip
    keep = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(10_000)],
        help_text=_("Number of backups of each gateway that are kept."),
    )  # fmt: skip
    days = models.PositiveIntegerField(
        default=400, validators=[MaxValueValidator(36_500)],
        help_text=_("Older backups are deleted, except the newest one; 0 keeps them for ever."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("gateway backup policy")
        verbose_name_plural = _("gateway backup policies")
        ordering = [
            "organization",
            models.F("gateway__name").asc(nulls_first=True),
            "id",
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], name="one_backup_policy",
                condition=Q(gateway__isnull=True),
            ),
            models.UniqueConstraint(fields=["gateway"], name="one_backup_policy_of_gateway"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return gettext("Backups of %(name)s") % {"name": self.gateway or self.organization}

    def clean(self) -> None:
        if self.gateway and self.gateway.organization_id != self.organization_id:
            raise ValidationError(
                {"gateway": gettext("The gateway belongs to another organization.")}
            )


class StoredConfiguration(OrganizationScoped, models.Model):
    """Contents of one or more equal backups, compressed and encrypted."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "gateway:secret", whole=frozenset({"contents", "settings"})
    )
    organization_path: ClassVar[str] = "gateway__organization"
    is_audited: ClassVar[bool] = False

    gateway = models.ForeignKey(Gateway, models.CASCADE, related_name="+")
    # SHA-256 of what the file holds.
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)
    size = models.PositiveIntegerField(help_text=_("Bytes of the vendor's file."))
    contents = EncryptedBytesField()
    settings = EncryptedBytesField(default=b"")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gateway", "digest"], name="configuration_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.digest[:8]}"

    @property
    def file(self) -> BackupFile:
        return BackupFile(
            self.name, self.kind, inflated(self.contents), inflated(self.settings).decode()
        )


def deflated(contents: bytes) -> bytes:
    """Return the contents compressed, unless that makes them longer."""
    return min(zlib.compress(contents, 9), contents, key=len)


def inflated(contents: bytes) -> bytes:
    try:
        return zlib.decompress(contents)
    except zlib.error:
        return contents


class GatewayBackup(OrganizationScoped, Leased, Base):
    """One backup of one gateway: asked for, then taken by a worker, stored or failed."""

    organization_path: ClassVar[str] = "gateway__organization"
    is_audited: ClassVar[bool] = False  # audited by the rules

    class State(models.TextChoices):
        WAITING = "waiting", _("To be taken")
        STORED = "stored", _("Stored")
        FAILED = "failed", _("Failed")

    class Reason(models.TextChoices):
        SCHEDULE = "schedule", _("On schedule")
        CHANGES = "changes", _("Before a change set")
        DEMAND = "demand", _("On demand")

    gateway = models.ForeignKey(Gateway, models.CASCADE, related_name="backups")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=8, choices=Reason, default=Reason.SCHEDULE)
    change_set = models.ForeignKey(
        ChangeSet, models.SET_NULL, null=True, related_name="backups"
    )
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    configuration = models.ForeignKey(
        StoredConfiguration, models.PROTECT, null=True, related_name="backups"
    )
    version = models.CharField(max_length=64, blank=True)
    taken = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True)

    class Meta:
        verbose_name = _("gateway backup")
        ordering = ["-created", "id"]
        indexes = [
            models.Index(fields=["gateway", "-created"], name="gateway_backup_newest"),
            lease_index("gateway_backup_leased"),
        ]
        constraints = [
            models.CheckConstraint(
                name="gateway_backup_stored",
                condition=~Q(state="stored")
                | Q(configuration__isnull=False, taken__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["gateway"], name="one_waiting_backup", condition=Q(state="waiting")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway}, {self.created:%Y-%m-%d %H:%M}"


BACKUPS = LeaseQueue(
    "gateway_backups", GatewayBackup, waits=Q(state=GatewayBackup.State.WAITING)
)
