"""Rollouts of a build to many devices in waves."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, OrganizationScoped, User
from controller.configs.models.waves import WaveRollout
from controller.devices.models import DeviceGroup
from controller.firmware.engine import apt, options
from controller.firmware.models.catalog import Build
from geo.models import Location
from networks.gateways.engine import maintenance_windows

PACKAGES_HELP = _("Which packages of Debian hosts are updated by apt.")


def valid_options(value: Any) -> None:
    try:
        options.parse(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def valid_window(value: str) -> None:
    try:
        maintenance_windows.parse(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class Packages(models.TextChoices):
    """Updates of the packages of a host, instead of an image."""

    SECURITY = apt.SECURITY, _("Security updates")
    ALL = apt.ALL, _("All updates")


class FirmwareRollout(OrganizationScoped, WaveRollout):
    """Upgrade of many devices in waves: to a build, or by packages of Debian.

    Rollouts of shared builds belong to no organization and are seen by superusers alone.
    """

    organization = models.ForeignKey(
        Organization, models.PROTECT, null=True, blank=True, related_name="+"
    )
    build = models.ForeignKey(Build, models.CASCADE, null=True, related_name="rollouts")
    packages = models.CharField(
        _("updates"), max_length=8, blank=True, choices=Packages, help_text=PACKAGES_HELP
    )
    may_restart = models.BooleanField(
        _("may restart"), default=False, help_text=_("Hosts restart where an update needs it.")
    )
    group = models.ForeignKey(
        DeviceGroup, models.SET_NULL, null=True, blank=True, related_name="+",
        help_text=_("Only devices of this group."),
    )  # fmt: skip
    location = models.ForeignKey(
        Location, models.SET_NULL, null=True, blank=True, related_name="+",
        help_text=_("Only devices at this location."),
    )  # fmt: skip
    upgrade_all = models.BooleanField(
        _("devices without assigned firmware too"), default=False,
        help_text=_("If off, only devices with firmware of the category are upgraded."),
    )  # fmt: skip
    options = models.JSONField(default=dict, blank=True, validators=[valid_options])
    is_persistent = models.BooleanField(
        _("wait for devices that are away"), default=True,
        help_text=_("If off, devices that stay offline for a day are left out."),
    )  # fmt: skip
    window = models.CharField(
        _("maintenance window"), max_length=255, blank=True, validators=[valid_window],
        help_text=_("When devices may be flashed, in the time zone of their site, such as Mon-Fri 22:00-06:00. Leave empty for always."),
    )  # fmt: skip
    author = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    approved_by = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["-created"]
        indexes = [
            models.Index(
                fields=["id"], name="firmware_rollout_running",
                condition=models.Q(state="running"),
            )
        ]  # fmt: skip
        constraints = [
            models.CheckConstraint(
                condition=models.Q(build__isnull=False, packages="")
                | models.Q(build__isnull=True) & ~models.Q(packages=""),
                name="firmware_rollout_one_cargo",
            )
        ]

    def __str__(self) -> str:
        return gettext("Rollout of %(name)s") % {"name": self.cargo}

    @property
    def cargo(self) -> str:
        """Return what is rolled out."""
        return str(self.build) if self.build else str(self.get_packages_display())
