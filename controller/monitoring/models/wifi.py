"""Who was connected to an access point, and when."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped
from controller.devices.models import Device


class WifiSession(OrganizationScoped):
    """A client's stay on one access point. MAC addresses are people's: kept for some weeks only."""

    organization_path: ClassVar[str] = "device__organization"
    is_audited: ClassVar[bool] = False

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    device = models.ForeignKey(Device, models.CASCADE, related_name="wifi_sessions")
    interface_name = models.CharField(max_length=64)
    ssid = models.CharField(_("network"), max_length=32, blank=True)
    mac_address = models.CharField(_("MAC address"), max_length=17, db_index=True)
    wifi4 = models.BooleanField(_("Wi-Fi 4"), null=True)
    wifi5 = models.BooleanField(_("Wi-Fi 5"), null=True)
    wifi6 = models.BooleanField(_("Wi-Fi 6"), null=True)
    wmm = models.BooleanField(default=False)
    wds = models.BooleanField(default=False)
    wps = models.BooleanField(default=False)
    start_time = models.DateTimeField(_("connected"))
    stop_time = models.DateTimeField(_("disconnected"), null=True)
    # How many reports in a row did not name the client, and when the last one was that did.
    last_report = models.DateTimeField()
    missed = models.PositiveSmallIntegerField(default=0)
    modified = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("Wi-Fi session")
        ordering = ["-start_time", "-id"]
        indexes = [
            models.Index(fields=["device", "-start_time"], name="session_newest"),
            models.Index(fields=["start_time"], name="session_oldest"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["device", "interface_name", "ssid", "mac_address"],
                condition=models.Q(stop_time=None), name="session_open_once",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.mac_address} on {self.ssid}"
