"""Gateways of vendors and their status history."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationOwned, OrganizationScoped, Site
from controller.base.address_secrets import AddressSecrets
from controller.base.models import Base
from controller.base.outbound.pinning import fingerprint_of
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from networks.gateways.engine import maintenance_windows
from networks.gateways.engine.features import VENDORS, versions

VENDOR_NAMES = {
    "mikrotik": "MikroTik", "opnsense": "OPNsense", "pfsense": "pfSense", "openwrt": "OpenWrt",
    "unifi": "UniFi", "omada": "Omada", "proxmox": "Proxmox VE",
}  # fmt: skip


def vendors() -> list[tuple[str, str]]:
    """Return the choices of vendors.

    A function, so that a new vendor needs no migration.
    """
    return [(one, VENDOR_NAMES.get(one, one)) for one in VENDORS]


class Gateway(OrganizationOwned, Base):
    """A vendor's firewall, router or controller with its own API."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"key", "secret"}))

    address_secrets: ClassVar[AddressSecrets] = AddressSecrets(
        address=("url", "ca_certificate", "fingerprint"), secrets=("key", "secret")
    )

    not_audited: ClassVar[frozenset[str]] = frozenset(
        {"version", "last_seen", "trouble", "polled"}
    )

    class Approval(models.TextChoices):
        NOBODY = "nobody", _("Nobody")
        CATASTROPHIC = "catastrophic", _("A second person, for catastrophic changes")
        EVERY = "every", _("A second person, for every change")

    site = models.ForeignKey(
        Site, models.PROTECT, null=True, blank=True, related_name="gateways"
    )
    name = models.CharField(max_length=100)
    vendor = models.CharField(max_length=16, choices=vendors, default=VENDORS[0])
    url = models.CharField(
        _("address"), max_length=255, validators=[URLValidator(["https", "http"])],
        help_text=_("Address of its API, such as https://192.0.2.1 or https://firewall.example.org:8443."),
    )  # fmt: skip
    key = EncryptedTextField(_("API key or user name"), max_length=255)
    secret = EncryptedTextField(_("API secret or password"), max_length=255)
    ca_certificate = models.TextField(
        _("trusted certificate"), blank=True, max_length=20_000,
        help_text=_("PEM. Needed if the gateway has a self-signed certificate."),
    )  # fmt: skip
    fingerprint = models.CharField(
        _("pinned fingerprint"), blank=True, max_length=128,
        help_text=_("SHA-256 fingerprint of the gateway's certificate. If set, that certificate is "
        "accepted and no other, whatever names and dates it has."),
    )  # fmt: skip
    approval = models.CharField(
        _("approval"), max_length=16, choices=Approval, default=Approval.NOBODY,
        help_text=_("Who must approve a change before it is applied."),
    )  # fmt: skip
    maintenance = models.CharField(
        _("maintenance windows"), max_length=255, blank=True,
        help_text=_("When changes may be applied, in the time zone of the site, such as "
        "Mon-Fri 22:00-06:00, Sun 00:00-24:00. Leave empty for always."),
    )  # fmt: skip
    version = models.CharField(max_length=64, blank=True, editable=False)
    polled = models.DateTimeField(null=True, editable=False)
    last_seen = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="gateway_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.site and self.site.organization_id != self.organization_id:
            raise ValidationError(
                {"site": gettext("The site belongs to another organization.")}
            )
        if "@" in self.url:
            raise ValidationError({"url": gettext("Key and secret have fields of their own.")})
        try:
            self.fingerprint = fingerprint_of(self.fingerprint)
        except ValueError as error:
            raise ValidationError({"fingerprint": str(error)}) from error
        try:
            maintenance_windows.parse(self.maintenance)
        except ValueError as error:
            raise ValidationError({"maintenance": str(error)}) from error

    @property
    def circuit(self) -> str:
        """The name under which is known that it did not answer."""
        return f"gateway:{self.pk}"

    @property
    def status(self) -> str:
        """Return the state of the last poll; empty before the first one."""
        if self.polled is None:
            return ""
        return GatewayStatus.State.TROUBLE if self.trouble else GatewayStatus.State.ONLINE

    @property
    def caution(self) -> str:
        """Why it is only read; empty if it is written too, or its version is not known yet."""
        return versions.caution(self.vendor, self.version) if self.version else ""

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.site.timezone if self.site else "UTC")


class GatewayStatus(OrganizationScoped, models.Model):
    """A status change of a gateway, with its reason."""

    organization_path: ClassVar[str] = "gateway__organization"
    is_audited: ClassVar[bool] = False

    class State(models.TextChoices):
        ONLINE = "online", _("Online")
        TROUBLE = "trouble", _("Problem")

    gateway = models.ForeignKey(Gateway, models.CASCADE, related_name="statuses")
    state = models.CharField(max_length=8, choices=State.choices)
    reason = models.CharField(max_length=255, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = _("gateway statuses")
        indexes = [models.Index(fields=["gateway", "-at"], name="gateway_statuses")]

    def __str__(self) -> str:
        return f"{self.gateway}: {self.state}"
