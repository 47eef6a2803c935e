"""Last known state and alerts of Home Assistant devices."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped
from controller.base.models import Base, Dated
from supervisor_proxy.models.supervisors import Supervisor


class Home(OrganizationScoped, Dated):
    """Last polled state of one device; for display and filters only."""

    organization_path: ClassVar[str] = "supervisor__device__organization"
    # Written by polling every few minutes.
    is_audited = False

    class Health(models.TextChoices):
        UNKNOWN = "unknown", _("not known")
        WELL = "well", _("well")
        UNSUPPORTED = "unsupported", _("unsupported")
        UNHEALTHY = "unhealthy", _("unhealthy")

    supervisor = models.OneToOneField(Supervisor, models.CASCADE, related_name="home")
    core = models.CharField(max_length=32, blank=True)
    core_latest = models.CharField(max_length=32, blank=True)
    system = models.CharField(_("Home Assistant OS"), max_length=32, blank=True)
    system_latest = models.CharField(max_length=32, blank=True)
    supervisor_version = models.CharField(max_length=32, blank=True)
    supervisor_latest = models.CharField(max_length=32, blank=True)
    updates = models.PositiveSmallIntegerField(default=0, help_text=_("Versions of all parts."))
    health = models.CharField(max_length=12, choices=Health.choices, default=Health.UNKNOWN)
    # slug, name, version, latest version and state of each installed add-on
    addons = models.JSONField(default=list)
    disk_free = models.FloatField(null=True, help_text=_("GB."))
    disk_total = models.FloatField(null=True, help_text=_("GB."))
    last_backup = models.DateTimeField(null=True)
    asked = models.DateTimeField(null=True, db_index=True)
    seen = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, help_text=_("Reason why the last check failed."))

    class Meta:
        verbose_name = _("Home Assistant device")
        ordering = ["supervisor__device__name"]

    def __str__(self) -> str:
        return gettext("Home Assistant on %(device)s") % {"device": self.supervisor.device}


class HomeAlert(OrganizationScoped, Base):
    """A problem on a device, from its first to its last sighting."""

    organization_path: ClassVar[str] = "supervisor__device__organization"
    is_audited = False

    supervisor = models.ForeignKey(Supervisor, models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=32, help_text=_("issue, unhealthy, unsupported, addon."))
    about = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    seen = models.DateTimeField(default=timezone.now)
    ended = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("Home Assistant alert")
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["supervisor", "kind", "about"],
                condition=models.Q(ended=None),
                name="home_alert_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about} on {self.supervisor.device}"
