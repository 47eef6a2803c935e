"""Commands on devices, and batches of them."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import (
    OrganizationOwned,
    OrganizationScoped,
    OrganizationScopedQuerySet,
)
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedJSONField
from controller.connections.engine.commands import KINDS, label_of
from controller.connections.models.connections import DeviceConnection
from controller.devices.models import Device


class CommandBatchQuerySet(OrganizationScopedQuerySet):
    def counted(self) -> "CommandBatchQuerySet":
        """Annotate the number of commands per status (``in_progress`` …) and ``total``."""
        rows: CommandBatchQuerySet = self.annotate(
            total=models.Count("commands"),
            **{
                status.replace("-", "_"): models.Count(
                    "commands", filter=models.Q(commands__status=status)
                )
                for status in Command.Status.values
            },
        )
        return rows


class CommandBatch(OrganizationOwned, Base):
    """One command for many devices, each with a command row of its own."""

    type = models.CharField(max_length=32)
    label = models.CharField(
        max_length=128, blank=True, help_text=_("Purpose, such as “nightly report”.")
    )

    objects = CommandBatchQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("batch command")
        ordering = ["-created"]

    def __str__(self) -> str:
        shown = {"name": gettext(label_of(self.type)), "time": f"{self.created:%Y-%m-%d %H:%M}"}
        return self.label or gettext("%(name)s of %(time)s") % shown


class Command(OrganizationScoped, Leased, Base):
    """Command on a device: queued, running, or ended with one of four results."""

    secret_fields: ClassVar[SecretFields] = SecretFields(inside=frozenset({"input"}))

    is_audited = False  # recorded by the rule, without secrets

    organization_path = "device__organization"

    class Status(models.TextChoices):
        IN_PROGRESS = "in-progress", _("in progress")
        SUCCESS = "success", _("success")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        # Sent, but without an answer: it may have been executed.
        UNKNOWN = "unknown", _("unknown")

    device = models.ForeignKey(Device, models.CASCADE, related_name="commands")
    connection = models.ForeignKey(
        DeviceConnection, models.SET_NULL, null=True, blank=True, related_name="commands"
    )
    batch = models.ForeignKey(
        CommandBatch, models.SET_NULL, null=True, blank=True, related_name="commands"
    )
    type = models.CharField(
        max_length=32, choices=[(name, _(kind.label)) for name, kind in KINDS.items()]
    )
    input = EncryptedJSONField(null=True, blank=True)
    status = models.CharField(
        max_length=12, choices=Status.choices, default=Status.IN_PROGRESS, editable=False
    )
    output = models.TextField(blank=True, editable=False)
    exit_status = models.IntegerField(null=True, editable=False)
    is_cancelled = models.BooleanField(default=False, editable=False)
    started = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["device", "-created"]),
            models.Index(
                fields=["created"],
                name="commands_open",
                condition=models.Q(status="in-progress"),
            ),
            lease_index("command_leased"),
        ]

    def __str__(self) -> str:
        shown = {"name": self.get_type_display(), "device": self.device}
        return gettext("%(name)s on %(device)s") % shown

    @property
    def shown_input(self) -> str:
        """Return the input as text with secrets masked."""
        # Kinds of earlier versions are shown without their input.
        known = KINDS.get(self.type)
        return known.shown(self.input) if known and self.input else ""


COMMANDS = LeaseQueue("commands", Command, waits=models.Q(status=Command.Status.IN_PROGRESS))
