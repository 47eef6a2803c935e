"""Supervisors, the management services on balena and Home Assistant devices."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped
from controller.base.address_secrets import AddressSecrets
from controller.base.fields import AddressField
from controller.base.models import Dated
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from controller.devices.models import Device
from supervisor_proxy.engine.addresses import port_fits

BALENA_PORT = 48484


def valid_port(value: int) -> None:
    if not port_fits(value):
        raise ValidationError(gettext("A port from 1024 to 65535 is expected, or 80."))


class Supervisor(OrganizationScoped, Dated):
    """One supervisor. Its id is what clients call ``deviceId``."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "supervisor:secret", whole=frozenset({"key", "previous_key"})
    )

    address_secrets: ClassVar[AddressSecrets] = AddressSecrets(
        address=("address", "port", "transport"), secrets=("key", "previous_key")
    )

    organization_path: ClassVar[str] = "device__organization"

    class Flavor(models.TextChoices):
        BALENA = "balena", _("balena")
        HASSIO = "hassio", _("Home Assistant")

    class Transport(models.TextChoices):
        HTTP = "http", _("the supervisor's HTTP")
        AGENT = "agent", _("the add-on on the device")
        CORE = "core", _("Home Assistant, with a long-lived token")

    class KeyState(models.TextChoices):
        MISSING = "missing", _("missing")
        UNPROVEN = "unproven", _("not used yet")
        GOOD = "good", _("good")
        INVALID = "invalid", _("refused by the device")
        # The answer of a key rotation was lost: the device's new key is unknown here.
        UNKNOWN = "unknown", _("unknown since a rotation")

    device = models.OneToOneField(Device, models.CASCADE, related_name="supervisor")
    flavor = models.CharField(max_length=8, choices=Flavor.choices, default=Flavor.BALENA)
    transport = models.CharField(
        _("way"), max_length=8, choices=Transport.choices, default=Transport.HTTP,
        help_text=_("How a Home Assistant device is reached. The add-on signs in here by itself."),
    )  # fmt: skip
    uuid = models.CharField(
        _("UUID"), max_length=62, unique=True, blank=True,
        validators=[RegexValidator(
            r"^([0-9a-f]{32}|[0-9a-f]{62})$", _("32 or 62 hexadecimal digits are expected.")
        )],
        help_text=_("UUID that the device reports. Leave empty to use the ID of the device."),
    )  # fmt: skip
    address = AddressField(
        null=True, blank=True,
        help_text=_("Leave empty to use the device's address in a VPN, or the management address "
        "if a person entered it. The portal never connects to an address that a device reports itself."),
    )  # fmt: skip
    port = models.PositiveIntegerField(default=BALENA_PORT, validators=[valid_port])
    key = EncryptedTextField(
        blank=True, max_length=512,
        validators=[RegexValidator(
            r"^([A-Za-z0-9_]{16,128}|[A-Za-z0-9_-]{8,256}(\.[A-Za-z0-9_-]{8,256}){2})$",
            _("16 to 128 letters, digits or underscores are expected, or a long-lived token."),
        )],
        help_text=_("API key of the supervisor."),
    )  # fmt: skip
    previous_key = EncryptedTextField(blank=True, editable=False)
    key_state = models.CharField(
        max_length=8, choices=KeyState.choices, default=KeyState.MISSING, editable=False
    )
    key_changed = models.DateTimeField(null=True, editable=False)
    app_id = models.PositiveBigIntegerField(
        _("application"), null=True, blank=True, db_index=True,
        help_text=_("Number of the device's application (appId)."),
    )  # fmt: skip
    version = models.CharField(
        max_length=32,
        blank=True,
        help_text=_("Version of the supervisor, as reported by the device."),
    )
    # Last report of the device: only displayed, never trusted or connected to.
    reported = models.JSONField(default=dict, blank=True, editable=False)
    last_report = models.DateTimeField(null=True, editable=False)
    # Lease of the device: one modifying call at a time.
    lease = models.UUIDField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["device__name"]

    @property
    def circuit(self) -> str:
        """The name under which is known that it did not answer."""
        return f"supervisor:{self.pk}"

    def __str__(self) -> str:
        return gettext("%(flavor)s supervisor of %(device)s") % {
            "flavor": self.get_flavor_display(),
            "device": self.device,
        }

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.uuid = self.uuid or self.device_id.hex
        super().save(*args, **kwargs)
