"""Custom images that a sysupgrade server was asked for."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationScoped, User
from controller.base.models import Base
from controller.devices.models import Device
from controller.firmware.models.catalog import Build, Image


def valid_packages(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValidationError(_("A list of names is expected."))


class ImageRequest(OrganizationScoped, Base):
    """Request for an image with the packages that a device has."""

    is_audited = False
    organization_path = "build__category__organization"
    is_shareable: ClassVar[bool] = True

    class State(models.TextChoices):
        ASKED = "asked", _("Asked for")
        BUILDING = "building", _("Being built")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    OPEN = (State.ASKED, State.BUILDING)

    build = models.ForeignKey(Build, models.CASCADE, related_name="requests")
    device = models.ForeignKey(
        Device, models.CASCADE, related_name="+",
        help_text=_("The image is for its board, with the packages that it has."),
    )  # fmt: skip
    packages = models.JSONField(
        default=list, blank=True, validators=[valid_packages],
        help_text=_("Empty for those that the device has."),
    )  # fmt: skip
    version = models.CharField(max_length=32, editable=False)
    target = models.CharField(max_length=128, editable=False)
    board = models.CharField(max_length=128, editable=False)
    root = models.CharField(max_length=128, blank=True, editable=False)
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.ASKED, editable=False
    )
    reason = models.TextField(blank=True, editable=False)
    request = models.CharField(max_length=64, blank=True, editable=False)
    image = models.ForeignKey(
        Image, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    author = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    look_at = models.DateTimeField(default=timezone.now, editable=False)
    ended = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("custom image")
        ordering = ["-created"]
        indexes = [
            models.Index(
                fields=["look_at"], name="open_image_requests",
                condition=models.Q(state__in=["asked", "building"]),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.board} {self.version}"
