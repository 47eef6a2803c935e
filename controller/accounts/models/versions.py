"""Versions of rows, one per change."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models.tenancy import Shareable, Site
from controller.accounts.models.users import Organization
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedJSONField


class Version(Shareable):
    """Content of a row after one change; encrypted, like secrets in the row itself."""

    secret_fields: ClassVar[SecretFields] = SecretFields(inside=frozenset({"values"}))

    is_audited = False

    class Verb(models.TextChoices):
        CREATED = "created", _("Created")
        CHANGED = "changed", _("Changed")
        RESTORED = "restored", _("Restored")
        DELETED = "deleted", _("Deleted")

    organization = models.ForeignKey(Organization, models.CASCADE, null=True, related_name="+")
    site = models.ForeignKey(Site, models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=16, help_text=_("device, template, group or vpn"))
    row = models.UUIDField(help_text=_("ID of the row, kept after the row is deleted."))
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=255)
    verb = models.CharField(max_length=8, choices=Verb.choices)
    changed = models.JSONField(default=list, help_text=_("Names of the changed fields."))
    values = EncryptedJSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(
        max_length=255, blank=True, help_text=_("User who made the change.")
    )

    class Meta:
        ordering = ["-at", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "row", "number"], name="version_unique")
        ]
        indexes = [models.Index(fields=["kind", "verb", "-at"])]

    def __str__(self) -> str:
        return f"{self.name}, version {self.number}"
