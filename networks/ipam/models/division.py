"""Subnet division: rules, and the subnets assigned to devices."""

from typing import ClassVar

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationOwned, OrganizationScoped
from controller.base.models import Base
from controller.devices.models import Device
from networks.ipam.models.addresses import Subnet


class DivisionRule(OrganizationOwned, Base):
    """Number and size of the subnets that each device of an organization gets."""

    class Type(models.TextChoices):
        DEVICE = "device", _("Every device with a configuration")
        VPN = "vpn", _("Every client of a VPN server in this subnet")

    type = models.CharField(max_length=8, choices=Type, default=Type.DEVICE)
    master_subnet = models.ForeignKey(
        Subnet, models.PROTECT, related_name="division_rules", verbose_name=_("subnet")
    )
    label = models.CharField(
        max_length=30,
        validators=[RegexValidator(r"^[A-Za-z_]\w*\Z", _("Letters, digits and underscores."))],
        help_text=_("Prefix of the variables, such as lan in lan_subnet1 and lan_subnet1_ip1."),
    )
    number_of_subnets = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("Number of subnets for each device."),
    )
    size = models.PositiveSmallIntegerField(
        _("prefix length"),
        validators=[MinValueValidator(1)],
        help_text=_("Prefix length of each subnet, such as 28."),
    )
    number_of_ips = models.PositiveSmallIntegerField(
        _("addresses"),
        default=1,
        help_text=_("Number of addresses that the device gets in each subnet."),
    )

    class Meta:
        verbose_name = _("division rule")
        ordering = ["label"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "label"], name="division_label"),
            models.UniqueConstraint(
                fields=["organization", "type", "master_subnet"], name="division_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} of {self.master_subnet}"


class Division(OrganizationScoped):
    """One subnet assigned to a device by a rule; `position` counts from 1."""

    organization_path: ClassVar[str] = "device__organization"

    rule = models.ForeignKey(DivisionRule, models.PROTECT, related_name="divisions")
    device = models.ForeignKey(Device, models.CASCADE, related_name="divisions")
    subnet = models.OneToOneField(Subnet, models.PROTECT, related_name="division")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["rule", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "device", "position"], name="division_position"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subnet} for {self.device}"
