"""Gateways of vendors that are measured, and the devices that they are."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped
from controller.devices.models import Device
from networks.gateways.models import Gateway


class MonitoredGateway(OrganizationScoped):
    """A gateway whose measurements are those of a device of the inventory."""

    organization_path: ClassVar[str] = "gateway__organization"
    is_audited: ClassVar[bool] = False

    gateway = models.OneToOneField(Gateway, models.CASCADE, related_name="monitoring")
    device = models.ForeignKey(
        Device, models.SET_NULL, null=True, blank=True, related_name="gateways",
        help_text=_("Device whose page shows the measurements of the gateway. Leave empty to find it automatically."),
    )  # fmt: skip
    # A device that a person set stays; one found by its addresses follows them.
    device_is_found = models.BooleanField(default=True)
    next_pull = models.DateTimeField(null=True, db_index=True)
    measured_at = models.DateTimeField(null=True, editable=False)
    reason = models.CharField(
        max_length=255,
        blank=True,
        editable=False,
        help_text=_("Reason why nothing was measured."),
    )

    class Meta:
        verbose_name = _("measured gateway")
        ordering = ["gateway__name"]

    def __str__(self) -> str:
        return f"Measurements of {self.gateway}"
