"""Terminals opened on devices, and their recordings."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, User
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedBytesField
from controller.connections.models.connections import DeviceConnection
from controller.devices.models import Device


class Terminal(OrganizationScoped, Base):
    """One terminal: offered with a ticket, open, closed. The record is kept."""

    organization_path: ClassVar[str] = "device__organization"

    class State(models.TextChoices):
        OFFERED = "offered", _("not opened")
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")

    device = models.ForeignKey(Device, models.CASCADE, related_name="terminals")
    connection = models.ForeignKey(DeviceConnection, models.SET_NULL, null=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    actor = models.CharField(max_length=150, blank=True)
    address = models.GenericIPAddressField(null=True)
    reason = models.CharField(
        max_length=200,
        blank=True,
        help_text=_("Reason for opening the terminal, kept in the audit log."),
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.OFFERED)
    # Valid once, for a minute and for this user.
    ticket_digest = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001 - none once used
    ticket_expires = models.DateTimeField(null=True)
    columns = models.PositiveSmallIntegerField(default=80)
    rows = models.PositiveSmallIntegerField(default=24)
    opened = models.DateTimeField(null=True)
    closed = models.DateTimeField(null=True)
    closed_because = models.CharField(max_length=200, blank=True)
    # Heartbeat, to detect terminals of dead processes.
    last_seen = models.DateTimeField(null=True)
    # Close requested by an authorized user.
    is_to_close = models.BooleanField(default=False)

    class Meta:
        db_table = "supervisor_proxy_terminal"
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["device", "-created"]),
            models.Index(
                fields=["user"], name="terminals_open", condition=models.Q(state="open")
            ),
        ]

    def __str__(self) -> str:
        return gettext("Terminal on %(device)s") % {"device": self.device}


class TerminalPart(OrganizationScoped):
    """A part of a terminal's output. Input is only contained as echoed by the device."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "terminal:replay", whole=frozenset({"events"})
    )

    organization_path: ClassVar[str] = "terminal__device__organization"
    is_audited = False

    terminal = models.ForeignKey(Terminal, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    # asciicast events, one per line.
    events = EncryptedBytesField()

    class Meta:
        db_table = "supervisor_proxy_terminalpart"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["terminal", "number"], name="terminal_part_once")
        ]

    def __str__(self) -> str:
        return f"Part {self.number} of {self.terminal_id}"
