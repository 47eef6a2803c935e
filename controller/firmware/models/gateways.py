"""Rollouts of the firmware of vendors' gateways, by calls of their own APIs."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationOwned, OrganizationScoped, User
from controller.base.fields import MacAddressField
from controller.base.models import Base
from controller.configs.models.waves import WaveRollout
from controller.firmware.engine.vendors import CHOICES
from networks.gateways.models import Change, Gateway


class GatewayRollout(OrganizationOwned, WaveRollout):
    """Firmware updates of gateways of one vendor, in waves.

    Each update is a staged change of its gateway, with the gateway's maintenance windows and
    approval.
    """

    vendor = models.CharField(max_length=16, choices=CHOICES)
    targets = models.TextField(
        max_length=100_000,
        help_text=_("One per line: the name of a gateway; for UniFi and Omada also the MAC address "
        "of the device behind it."),
    )  # fmt: skip
    author = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return gettext("%(name)s of %(owner)s") % {
            "name": self.get_vendor_display(),
            "owner": self.organization,
        }


class GatewayUpgrade(OrganizationScoped, Base):
    """Firmware update of one gateway, or of one device behind a controller."""

    is_audited = False  # the change is
    organization_path = "rollout__organization"

    class State(models.TextChoices):
        WAITING = "waiting", _("In a later wave")
        ASKED = "asked", _("Waits for approval")
        QUEUED = "queued", _("Queued")
        AWAY = "away", _("Restarting")
        DONE = "done", _("Updated")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")
        LEFT = "left", _("Left out")

    OPEN = (State.ASKED, State.QUEUED, State.AWAY, State.UNKNOWN)

    rollout = models.ForeignKey(GatewayRollout, models.CASCADE, related_name="upgrades")
    gateway = models.ForeignKey(Gateway, models.CASCADE, related_name="firmware_upgrades")
    mac = MacAddressField(_("device"), max_length=17, blank=True)
    wave = models.PositiveSmallIntegerField()
    change = models.ForeignKey(Change, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    reason = models.TextField(blank=True)
    old_version = models.CharField(max_length=64, blank=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ["wave", "gateway__name", "mac"]
        indexes = [models.Index(fields=["rollout", "state"])]

    def __str__(self) -> str:
        return f"{self.gateway} {self.mac}".strip()
