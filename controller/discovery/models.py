"""Scans and their findings."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, OrganizationOwned, OrganizationScoped, Site
from controller.base.fields import AddressField, MacAddressField
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from controller.devices.models import Device


class Scan(OrganizationOwned, Leased, Base):
    """Scan of networks. Driven by a worker; another continues after a crash."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"community"}))

    not_audited: ClassVar[frozenset[str]] = frozenset(
        {
            "state",
            "position",
            "scanned",
            "found",
            "driven",
            "began",
            "ended",
            "trouble",
            "not_before",
            "attempts",
            "lease_holder",
            "leased_until",
            "sent",
        }
    )

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        RUNNING = "running", _("Running")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")

    ACTIVE: ClassVar[tuple[str, ...]] = (State.PENDING, State.RUNNING)

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="scans")
    site = models.ForeignKey(Site, models.SET_NULL, null=True, blank=True, related_name="scans")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    targets = models.JSONField(help_text=_("Addresses, networks and ranges."))
    excluded = models.JSONField(default=list, blank=True)
    methods = models.JSONField()
    ports = models.JSONField()
    at_once = models.PositiveSmallIntegerField(_("hosts at once"), default=50)
    seconds = models.FloatField(_("seconds to wait for an answer"), default=2.0)
    # SNMP community if not the default; deleted when the scan ends.
    community = EncryptedTextField(blank=True, max_length=64)
    state = models.CharField(max_length=9, choices=State, default=State.PENDING, editable=False)
    total = models.PositiveIntegerField(editable=False)
    # All hosts before it have been probed; another worker resumes here.
    position = models.PositiveIntegerField(default=0, editable=False)
    scanned = models.PositiveIntegerField(default=0, editable=False)
    found = models.PositiveIntegerField(default=0, editable=False)
    # Last sign of life of the worker.
    driven = models.DateTimeField(null=True, editable=False)
    began = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        verbose_name = _("discovery scan")
        ordering = ["-created", "-id"]
        indexes = [
            models.Index(fields=["organization", "-created"], name="scan_newest"),
            models.Index(
                fields=["driven"], name="scan_active",
                condition=models.Q(state__in=["pending", "running"]),
            ),
            lease_index("scan_leased"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return ", ".join(self.targets)[:100]

    @property
    def percent(self) -> float:
        return round(100 * self.scanned / self.total, 1) if self.total else 100.0


SCANS = LeaseQueue(
    "scans", Scan, waits=models.Q(state__in=Scan.ACTIVE), leased={"state": Scan.State.RUNNING},
    shortest_pause=1,
)  # fmt: skip


class Finding(OrganizationScoped, Base):
    """Host that answered a scan."""

    organization_path: ClassVar[str] = "scan__organization"
    is_audited: ClassVar[bool] = False

    scan = models.ForeignKey(Scan, models.CASCADE, related_name="findings")
    address = AddressField()
    mac_address = MacAddressField(max_length=17, blank=True)
    hostname = models.CharField(max_length=255, blank=True)
    vendor = models.CharField(max_length=32, blank=True)
    # Manufacturer of the network interface, if IEEE's list is installed.
    manufacturer = models.CharField(max_length=128, blank=True)
    device_type = models.CharField(max_length=32)
    ports = models.JSONField()
    ways = models.JSONField()
    said = models.JSONField(help_text=_("Answers of the host, by protocol."))
    # Device created from it.
    device = models.ForeignKey(Device, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["address", "id"]
        constraints = [
            models.UniqueConstraint(fields=["scan", "address"], name="finding_once"),
        ]

    def __str__(self) -> str:
        return str(self.address)

    @property
    def suggested_name(self) -> str:
        if self.hostname:
            return self.hostname[:64]
        return "-".join([self.device_type, *self.address.replace(":", ".").split(".")])
