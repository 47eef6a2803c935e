"""Devices, groups, enrollments, presence, and device settings of organizations."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower, Upper
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import (
    Organization,
    OrganizationOwned,
    OrganizationScoped,
    Site,
    User,
)
from controller.base.fields import AddressField, MacAddressField
from controller.base.models import Base
from controller.base.outbound.addresses import policy
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField, digest
from controller.devices.engine.identity import KEY, is_mac, is_name, random_key

SHORTEST_SECRET = 16


def valid_name(value: str) -> None:
    if not is_name(value):
        raise ValidationError(gettext("Must be either a valid hostname or mac address."))


def valid_mac(value: str) -> None:
    """Refuse what is no MAC address; earlier migrations name this."""
    if not is_mac(value):
        raise ValidationError(gettext("Must be a valid mac address."))


def valid_key(value: str) -> None:
    if KEY.fullmatch(value) is None:
        raise ValidationError(gettext("A key has no spaces, dots or slashes."))


def valid_secret(value: str) -> None:
    if KEY.fullmatch(value) is None or len(value) < SHORTEST_SECRET:
        raise ValidationError(
            gettext(
                "The shared secret has at least %(shortest_secret)s characters, and no "
                "spaces, dots or slashes."
            )
            % {"shortest_secret": SHORTEST_SECRET}
        )


def valid_object(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError(gettext('A JSON object is expected, as in {"name": "value"}.'))


def valid_list(value: Any) -> None:
    if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise ValidationError(gettext('A list of words is expected, as in ["reboot"].'))


def valid_networks(value: Any) -> None:
    valid_list(value)
    try:
        policy("", tuple(value))
    except ValueError as error:
        raise ValidationError(
            gettext("Networks are written as 10.0.0.0/8, private or internet: %(error)s")
            % {"error": error}
        ) from error


class OrganizationSettings(OrganizationOwned, Base):
    """Device settings of an organization: registration, variables, device limit."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "organization:secret", whole=frozenset({"shared_secret", "context"})
    )

    organization = models.OneToOneField(
        Organization, models.CASCADE, related_name="device_settings"
    )
    registration_enabled = models.BooleanField(
        default=True, help_text=_("Devices can register themselves with the shared secret.")
    )
    self_creation = models.BooleanField(
        _("devices add themselves"), default=True,
        help_text=_("If off, only devices that were added before can register."),
    )  # fmt: skip
    consistent_keys = models.BooleanField(
        _("keys made from the secret"), default=True,
        help_text=_("If off, new devices get a random key instead of one derived from the secret."),
    )  # fmt: skip
    management_networks = models.JSONField(
        default=list, blank=True, validators=[valid_networks],
        help_text=(
            _("Networks from which devices may report their management address, such as 10.0.0.0/8, private or internet. Leave empty for MUSTER_MANAGEMENT_NETWORKS.")
        ),
    )  # fmt: skip
    command_types = models.JSONField(
        default=list, blank=True, validators=[valid_list],
        help_text=_("Devices accept only these commands. Leave empty for all."),
    )  # fmt: skip
    enrollment_enabled = models.BooleanField(
        default=False,
        help_text=_("Devices can enroll with their own key. A person approves each device."),
    )
    shared_secret = EncryptedTextField(
        default=random_key,
        validators=[valid_secret],
        help_text=_("New devices register with this secret."),
    )
    shared_secret_digest = models.CharField(max_length=64, unique=True, editable=False)
    context = models.JSONField(
        _("variables"), default=dict, blank=True, validators=[valid_object],
        help_text=_("Variables for the configurations of all devices of the organization."),
    )  # fmt: skip
    device_limit = models.PositiveIntegerField(
        default=0, help_text=_("Maximum number of devices. 0 means no limit.")
    )

    class Meta:
        verbose_name = verbose_name_plural = _("organization settings")

    def __str__(self) -> str:
        return gettext("Settings of %(name)s") % {"name": self.organization}

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.shared_secret_digest = digest(self.shared_secret)
        super().save(*args, **kwargs)


class DeviceGroup(OrganizationOwned, Base):
    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", inside=frozenset({"context", "meta_data"})
    )

    name = models.CharField(max_length=60)
    description = models.TextField(blank=True)
    context = models.JSONField(
        _("variables"), default=dict, blank=True, validators=[valid_object],
        help_text=_("Variables for the configurations of the group's devices."),
    )  # fmt: skip
    meta_data = models.JSONField(default=dict, blank=True, validators=[valid_object])

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="group_name_unique")
        ]

    def __str__(self) -> str:
        return self.name


class Device(OrganizationOwned, Base):
    secret_fields: ClassVar[SecretFields] = SecretFields(
        "device:secret", whole=frozenset({"key"})
    )

    class Kind(models.TextChoices):
        """Purpose of the device; set by users, since agents do not report it."""

        ROUTER = "router", _("Router")
        SWITCH = "switch", _("Switch")
        ACCESS_POINT = "access_point", _("Access point")
        FIREWALL = "firewall", _("Firewall")
        CAMERA = "camera", _("Camera")
        PHONE = "phone", _("Phone")
        HYPERVISOR = "hypervisor", _("Hypervisor")
        SERVER = "server", _("Server")

    name = models.CharField(
        max_length=64, db_index=True, validators=[valid_name],
        help_text=_("Host name. Devices that register have their MAC address as name at first."),
    )  # fmt: skip
    mac_address = MacAddressField(
        _("MAC address"), max_length=17, db_index=True,
        help_text=_("MAC address of the primary interface, such as 00:16:3e:22:41:54."),
    )  # fmt: skip
    key = EncryptedTextField(
        blank=True, max_length=64, validators=[valid_key],
        help_text=_("The device signs in with this key. Leave empty to create one."),
    )  # fmt: skip
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    hardware_id = models.CharField(  # noqa: DJ001 - unique, but for those that have none
        _("serial number"), max_length=32, null=True, blank=True, default=None
    )
    group = models.ForeignKey(
        DeviceGroup, models.SET_NULL, null=True, blank=True, related_name="devices"
    )
    site = models.ForeignKey(
        Site, models.PROTECT, null=True, blank=True, related_name="devices",
        help_text=_("Only people with access to the site see the device."),
    )  # fmt: skip
    kind = models.CharField(
        max_length=16,
        choices=Kind,
        blank=True,
        db_index=True,
        help_text=_("Purpose, such as “nightly report”."),
    )
    model = models.CharField(max_length=64, blank=True, help_text=_("Reported by the device."))
    os = models.CharField(_("operating system"), max_length=128, blank=True)
    system = models.CharField(
        _("system on chip"), max_length=128, blank=True, help_text=_("Reported by the device.")
    )
    management_ip = AddressField(
        _("management address"), null=True, blank=True,
        help_text=_("The portal connects to this address."),
    )  # fmt: skip
    # An address reported by the agent is cleared when no longer reported; a manual one is kept.
    management_ip_is_told = models.BooleanField(default=False, editable=False)
    # Whether passwords may be offered to whoever answers at its address the first time.
    is_approved = models.BooleanField(default=True, editable=False)
    is_deactivated = models.BooleanField(default=False, editable=False)
    notes = models.TextField(blank=True)

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                "organization",
                name="device_name_unique",
                violation_error_message=_(
                    "Device with this Name and Organization already exists."
                ),
            ),
            models.UniqueConstraint(
                Upper("mac_address"),
                "organization",
                name="device_mac_unique",
                violation_error_message=(
                    _("Device with this Mac address and Organization already exists.")
                ),
            ),
            models.UniqueConstraint(
                "hardware_id",
                "organization",
                name="device_hardware_id_unique",
                violation_error_message=(
                    _("Device with this Serial number and Organization already exists.")
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-created"]),
            models.Index(fields=["organization", "name", "id"]),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.key_digest = digest(self.key)
        if kwargs.get("update_fields") is not None and "key" in kwargs["update_fields"]:
            kwargs["update_fields"] = {*kwargs["update_fields"], "key_digest"}
        super().save(*args, **kwargs)


class Enrollment(OrganizationOwned, Base):
    """Request of a device to be added: it has proved possession of a key; a user decides."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")

    public_key = models.CharField(
        max_length=44, unique=True, editable=False, help_text=_("Ed25519, in base64.")
    )
    fingerprint = models.CharField(
        max_length=60,
        editable=False,
        help_text=_("SHA-256 of the key, as the device shows it."),
    )
    # Facts reported by the device, as at registration.
    name = models.CharField(max_length=64, validators=[valid_name])
    mac_address = MacAddressField(_("MAC address"), max_length=17)
    told = models.JSONField(default=dict, editable=False)
    address = AddressField(null=True, editable=False)
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.PENDING, editable=False
    )
    device = models.OneToOneField(
        Device, models.SET_NULL, null=True, editable=False, related_name="enrollment"
    )
    asked = models.DateTimeField(default=timezone.now, editable=False)
    decided = models.DateTimeField(null=True, editable=False)
    decided_by = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("pending device")
        ordering = ["-created"]
        indexes = [models.Index(fields=["organization", "state"])]

    def __str__(self) -> str:
        return self.name


class Presence(OrganizationScoped):
    """Presence of a device. Separate from the device because it is updated often, in bulk."""

    is_audited = False
    organization_path = "device__organization"

    class State(models.TextChoices):
        ONLINE = "online", _("Online")
        OFFLINE = "offline", _("Offline")
        UNKNOWN = "unknown", _("Unknown")

    device = models.OneToOneField(
        Device, models.CASCADE, primary_key=True, related_name="presence"
    )
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.UNKNOWN, db_index=True
    )
    reason = models.CharField(max_length=200, blank=True)
    since = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(null=True)
    last_ip = AddressField(null=True)
    # Seconds between its newest requests, from which its rhythm is known.
    gaps = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = _("presence")

    def __str__(self) -> str:
        return f"{self.device}: {self.state}"


class StatusChange(OrganizationScoped):
    """Change of a device's presence, with its reason."""

    is_audited = False
    organization_path = "device__organization"

    device = models.ForeignKey(Device, models.CASCADE, related_name="status_changes")
    state = models.CharField(max_length=8, choices=Presence.State.choices)
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["device", "-at"]), models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.device} {self.state} at {self.at:%Y-%m-%d %H:%M:%S}"
