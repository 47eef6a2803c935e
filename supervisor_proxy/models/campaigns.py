"""Staged updates of Home Assistant devices, with rollback."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationOwned, OrganizationScoped, User
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from supervisor_proxy.models.supervisors import Supervisor


class UpdateCampaign(OrganizationOwned, Leased, Base):
    """Core update of devices in waves: one first, then a tenth, then the rest."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        HALTED = "halted", _("halted")
        DONE = "done", _("done")

    name = models.CharField(max_length=100)
    version = models.CharField(
        max_length=32,
        blank=True,
        help_text=_("Version of Home Assistant Core. Leave empty for the latest."),
    )
    user = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    wave = models.PositiveSmallIntegerField(default=0)
    reason = models.TextField(blank=True)
    ended = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created"]
        indexes = [lease_index("update_campaign_leased")]

    def __str__(self) -> str:
        return self.name


CAMPAIGNS = LeaseQueue(
    "campaigns", UpdateCampaign, waits=models.Q(state=UpdateCampaign.State.RUNNING),
    shortest_pause=5, longest_pause=60,
)  # fmt: skip


class CampaignDevice(OrganizationScoped, Base):
    """One device of a campaign, with its state."""

    organization_path: ClassVar[str] = "campaign__organization"

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        BACKED_UP = "backed_up", _("backed up")
        UPDATED = "updated", _("updated, to be looked at")
        DONE = "done", _("updated")
        FAILED = "failed", _("failed before its update")
        BROKEN = "broken", _("not well after its update")
        ROLLED_BACK = "rolled_back", _("brought back from its backup")
        LEFT = "left", _("left as it was")

    campaign = models.ForeignKey(UpdateCampaign, models.CASCADE, related_name="devices")
    supervisor = models.ForeignKey(Supervisor, models.CASCADE, related_name="+")
    wave = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    before = models.CharField(max_length=32, blank=True)
    after = models.CharField(max_length=32, blank=True)
    backup = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)
    # When what the state waits for was sent to the device; cleared once its outcome is known.
    sent = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["wave", "created"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "supervisor"], name="campaign_device_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.supervisor.device}: {self.state}"
