"""Invitations: how somebody becomes a member of an organization, when they accept."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models.tenancy import OrganizationScoped, Site, SiteGrant
from controller.accounts.models.users import Membership, Organization, User
from controller.base.models import Base

OPEN_FOR = timedelta(days=7)


def _end() -> datetime:
    return timezone.now() + OPEN_FOR


class Invitation(OrganizationScoped, Base):
    """Mailed to an address; whoever opens the link and is signed in becomes a member."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    email = models.EmailField(
        _("e-mail"), help_text=_("The invitation is sent to this address.")
    )
    role = models.CharField(
        max_length=16, choices=Membership.Role.choices, default=Membership.Role.VIEWER
    )
    place = models.ForeignKey(
        Site, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("site"),
        help_text=_("The person gets access to this site when they accept."),
    )  # fmt: skip
    level = models.CharField(
        max_length=8, choices=SiteGrant.Level.choices, default=SiteGrant.Level.READ
    )
    inviter = models.ForeignKey(User, models.CASCADE, related_name="+", editable=False)
    expires = models.DateTimeField(default=_end, editable=False)
    accepted = models.DateTimeField(null=True, editable=False)
    member = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="+", editable=False
    )

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization}"

    @property
    def is_open(self) -> bool:
        return self.accepted is None and self.expires > timezone.now()
