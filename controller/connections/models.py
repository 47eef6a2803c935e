"""Credentials, device connections, and commands."""

from typing import Any, ClassVar

from django.db import models

from controller.accounts.models import (
    OrganizationOwned,
    OrganizationScoped,
    OrganizationScopedQuerySet,
    Shareable,
)
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedJSONField
from controller.connections.engine.commands import KINDS, label_of
from controller.devices.models import Device


class Credentials(Shareable, Base):
    """Login for devices. Secrets can be used and replaced, never read back."""

    secret_fields: ClassVar[SecretFields] = SecretFields(inside=frozenset({"params"}))

    class Connector(models.TextChoices):
        # Value that OpenWISP's clients send and filter by.
        SSH = "openwisp_controller.connection.connectors.ssh.Ssh", "SSH"
        # Kept for programs that read them again; the portal itself reaches nothing with these.
        OPENWRT_SNMP = (
            "openwisp_controller.connection.connectors.openwrt.snmp.OpenWRTSnmp",
            "SNMP of OpenWrt (only kept)",
        )
        AIROS_SNMP = (
            "openwisp_controller.connection.connectors.airos.snmp.AirOsSnmp",
            "SNMP of airOS (only kept)",
        )

    name = models.CharField(max_length=64)
    connector = models.CharField(
        max_length=128, choices=Connector.choices, default=Connector.SSH
    )
    params = EncryptedJSONField(
        help_text="username, port, and a password or a private key (with its passphrase); "
        "of SNMP, community, agent and port."
    )
    auto_add = models.BooleanField(
        default=False, help_text="Add these credentials to every device of the organization."
    )

    class Meta:
        verbose_name_plural = "credentials"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"], name="credentials_name_unique"
            ),
            models.UniqueConstraint(
                fields=["name"],
                name="shared_credentials_name_unique",
                condition=models.Q(organization=None),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DeviceConnection(OrganizationScoped, Base):
    """Connection to one device: credentials and update strategy."""

    organization_path = "device__organization"

    class Strategy(models.TextChoices):
        LINUX_FILES = "linux-files", "Linux host: write its files"
        OPENWRT_AGENT = "openwrt-agent", "OpenWrt: wake its agent"
        OPENWRT_UCI = "openwrt-uci", "OpenWrt: set its UCI, without an agent"
        OPENWISP_1 = "openwisp-1", "OpenWISP Firmware 1.x (commands only)"

    device = models.ForeignKey(Device, models.CASCADE, related_name="connections")
    credentials = models.ForeignKey(Credentials, models.PROTECT, related_name="connections")
    update_strategy = models.CharField(max_length=32, choices=Strategy.choices)
    enabled = models.BooleanField(default=True)
    port = models.PositiveIntegerField(
        null=True, blank=True, help_text="Where it differs from the port of the credentials."
    )
    host_key = models.TextField(
        blank=True, help_text="Pinned at the first connection; empty it to accept a new one."
    )
    # Whether passwords may be offered to the holder of the pinned key.
    is_host_key_trusted = models.BooleanField(default=False, editable=False)
    is_working = models.BooleanField(null=True, editable=False)
    failure_reason = models.TextField(blank=True, editable=False)
    last_attempt = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["created"]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "credentials"], name="credentials_once_per_device"
            )
        ]

    def __str__(self) -> str:
        return f"{self.device} by {self.credentials}"

    @property
    def ssh_port(self) -> int:
        params: dict[str, Any] = self.credentials.params or {}
        return self.port or int(params.get("port", 22))


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
    label = models.CharField(max_length=128, blank=True, help_text="What it is for.")

    objects = CommandBatchQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = "batch command"
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.label or f"{label_of(self.type)} of {self.created:%Y-%m-%d %H:%M}"


class Command(OrganizationScoped, Leased, Base):
    """Command on a device: queued, running, or ended with one of four results."""

    secret_fields: ClassVar[SecretFields] = SecretFields(inside=frozenset({"input"}))

    is_audited = False  # recorded by the rule, without secrets

    organization_path = "device__organization"

    class Status(models.TextChoices):
        IN_PROGRESS = "in-progress", "in progress"
        SUCCESS = "success", "success"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"
        # Sent, but without an answer: it may have been executed.
        UNKNOWN = "unknown", "unknown"

    device = models.ForeignKey(Device, models.CASCADE, related_name="commands")
    connection = models.ForeignKey(
        DeviceConnection, models.SET_NULL, null=True, blank=True, related_name="commands"
    )
    batch = models.ForeignKey(
        CommandBatch, models.SET_NULL, null=True, blank=True, related_name="commands"
    )
    type = models.CharField(
        max_length=32, choices=[(name, kind.label) for name, kind in KINDS.items()]
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
        return f"{self.get_type_display()} on {self.device}"

    @property
    def shown_input(self) -> str:
        """Return the input as text with secrets masked."""
        # Kinds of earlier versions are shown without their input.
        known = KINDS.get(self.type)
        return known.shown(self.input) if known and self.input else ""


COMMANDS = LeaseQueue("commands", Command, waits=models.Q(status=Command.Status.IN_PROGRESS))
