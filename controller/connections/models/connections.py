"""Credentials of devices, and the connections made with them."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, OrganizationScopedQuerySet, Shareable
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedJSONField
from controller.devices.models import Device


class Credentials(Shareable, Base):
    """Login for devices. Secrets can be used and replaced, never read back."""

    secret_fields: ClassVar[SecretFields] = SecretFields(inside=frozenset({"params"}))

    class Connector(models.TextChoices):
        # Value that OpenWISP's clients send and filter by.
        SSH = "openwisp_controller.connection.connectors.ssh.Ssh", _("SSH")
        # Devices are measured by it, and not changed.
        SNMP = "snmp", _("SNMP")
        # Kept for programs that read them again; the portal itself reaches nothing with these.
        OPENWRT_SNMP = (
            "openwisp_controller.connection.connectors.openwrt.snmp.OpenWRTSnmp",
            _("SNMP of OpenWrt (only kept)"),
        )
        AIROS_SNMP = (
            "openwisp_controller.connection.connectors.airos.snmp.AirOsSnmp",
            _("SNMP of airOS (only kept)"),
        )

    name = models.CharField(max_length=64)
    connector = models.CharField(
        max_length=128, choices=Connector.choices, default=Connector.SSH
    )
    params = EncryptedJSONField(
        help_text=_(
            "username, port, and a password or a private key (with its passphrase); "
            "of SNMP, version (2c or 3), port, and a community, or username, auth_protocol, "
            "auth_password, privacy_protocol, privacy_password and context."
        )
    )
    auto_add = models.BooleanField(
        default=False, help_text=_("Add these credentials to every device of the organization.")
    )

    class Meta:
        verbose_name_plural = _("credentials")
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


class DeviceConnectionQuerySet(OrganizationScopedQuerySet):
    def by_ssh(self) -> "DeviceConnectionQuerySet":
        """Return the enabled connections over which a device can be changed."""
        found: DeviceConnectionQuerySet = self.filter(
            enabled=True, credentials__connector=Credentials.Connector.SSH
        )
        return found


class DeviceConnection(OrganizationScoped, Base):
    """Connection to one device: credentials and update strategy."""

    organization_path = "device__organization"

    class Strategy(models.TextChoices):
        LINUX_FILES = "linux-files", _("Linux host: write its files")
        OPENWRT_AGENT = "openwrt-agent", _("OpenWrt: wake its agent")
        OPENWRT_UCI = "openwrt-uci", _("OpenWrt: set its UCI, without an agent")
        OPENWISP_1 = "openwisp-1", _("OpenWISP Firmware 1.x (commands only)")

    device = models.ForeignKey(Device, models.CASCADE, related_name="connections")
    credentials = models.ForeignKey(Credentials, models.PROTECT, related_name="connections")
    update_strategy = models.CharField(max_length=32, choices=Strategy.choices)
    enabled = models.BooleanField(default=True)
    port = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Leave empty for the port of the credentials.")
    )
    host_key = models.TextField(
        blank=True, help_text=_("Pinned at the first connection. Clear it to accept a new key.")
    )
    # Whether passwords may be offered to the holder of the pinned key.
    is_host_key_trusted = models.BooleanField(default=False, editable=False)
    is_working = models.BooleanField(null=True, editable=False)
    failure_reason = models.TextField(blank=True, editable=False)
    last_attempt = models.DateTimeField(null=True, editable=False)

    objects = DeviceConnectionQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["created"]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "credentials"], name="credentials_once_per_device"
            )
        ]

    def __str__(self) -> str:
        return gettext("%(device)s with %(credentials)s") % {
            "device": self.device,
            "credentials": self.credentials,
        }

    @property
    def ssh_port(self) -> int:
        params: dict[str, Any] = self.credentials.params or {}
        return self.port or int(params.get("port", 22))

    @property
    def snmp_port(self) -> int:
        params: dict[str, Any] = self.credentials.params or {}
        return self.port or int(params.get("port", 161))
