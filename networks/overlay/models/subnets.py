"""Subnets behind members."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import User
from controller.base.models import Dated
from networks.overlay.engine.subnets import LONGEST_NAME, LONGEST_PREFIX
from networks.overlay.models.networks import Member, Network, Told


class MemberSubnet(Told, Dated):
    """A subnet that a member leads to. Only an approved one is routed."""

    network = models.ForeignKey(Network, models.CASCADE, related_name="subnets")
    member = models.ForeignKey(Member, models.CASCADE, related_name="subnets")
    name = models.CharField(
        max_length=LONGEST_NAME, help_text=_("Its name in policies, as in subnet:warehouse.")
    )
    lan = models.CharField(
        _("subnet"), max_length=LONGEST_PREFIX,
        help_text=_("The subnet as it is at the member, such as 192.168.1.0/24."),
    )  # fmt: skip
    prefix = models.CharField(
        _("reached as"), max_length=LONGEST_PREFIX, blank=True, editable=False,
        help_text=_("The subnet as other members reach it."),
    )  # fmt: skip
    masquerade = models.BooleanField(
        default=True,
        help_text=_("Hosts see the member's own address, so that they need no route back."),
    )
    is_announced = models.BooleanField(default=False, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.ForeignKey(
        User, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("subnet behind a member")
        verbose_name_plural = _("subnets behind members")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["network", "name"], name="member_subnet_name"),
            models.UniqueConstraint(fields=["member", "lan"], name="member_subnet_once"),
            # A relay sends each prefix to one member.
            models.UniqueConstraint(
                fields=["prefix"], condition=~Q(prefix=""), name="member_subnet_prefix"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lan} behind {self.member.node}"
