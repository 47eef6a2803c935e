"""Bulk operations, and their progress per device."""

from typing import Any, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, User
from controller.accounts.models.audit import Audited
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.devices.models import Device


class DeviceBatchQuerySet(models.QuerySet["DeviceBatch"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the user's own, and those of organizations whose sites they all may see."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        wide = [pk for pk, one in user.access_by_organization.items() if one.covers_every_site]
        return self.filter(Q(user=user) | Q(organization__in=wide))

    def counted(self) -> Any:
        """Annotate the number of rows per state, and ``total``."""
        states = DeviceBatchRow.State.values
        return self.annotate(
            total=Count("rows"),
            **{state: Count("rows", filter=Q(rows__state=state)) for state in states},
        )


class DeviceBatch(Audited, Base):
    """Bulk operation on devices: previewed as a draft, then executed."""

    class Kind(models.TextChoices):
        PUSH = "push", _("Push the configuration")
        GROUP = "group", _("Change the group")
        SITE = "site", _("Change the site")
        ADD_TEMPLATE = "add_template", _("Add a template")
        REMOVE_TEMPLATE = "remove_template", _("Remove a template")
        DEACTIVATE = "deactivate", _("Deactivate")
        ACTIVATE = "activate", _("Activate")
        DELETE = "delete", _("Delete")

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")

    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, related_name="+",
        help_text=_("Organization of all devices. Empty if the devices are in several organizations."),
    )  # fmt: skip
    values = models.JSONField(default=dict, help_text=_("ID of the group or template."))
    title = models.CharField(max_length=200)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)

    objects = DeviceBatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk change")
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_organization_id(self) -> UUID | None:
        owner: UUID | None = self.organization_id
        return owner


class DeviceBatchRow(Leased):
    """Device of a bulk operation; its name is kept when the device is deleted."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waits")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")
        LEFT = "left", _("Left out")

    batch = models.ForeignKey(DeviceBatch, models.CASCADE, related_name="rows")
    device = models.ForeignKey(Device, models.SET_NULL, null=True, related_name="batch_rows")
    name = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    reason = models.TextField(blank=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "device"], name="device_once_per_batch")
        ]
        indexes = [
            models.Index(
                fields=["id"], name="batch_rows_waiting", condition=Q(state="waiting")
            ),
            lease_index("batch_row_leased"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


BULK_ROWS = LeaseQueue(
    "bulk_rows", DeviceBatchRow,
    waits=Q(state=DeviceBatchRow.State.WAITING, batch__state=DeviceBatch.State.RUNNING),
)  # fmt: skip
