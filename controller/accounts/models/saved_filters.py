"""Saved filters of admin lists."""

from typing import Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.models.audit import Audited
from controller.accounts.models.users import Organization, User
from controller.base.models import Base


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Return the user's own filters and those shared with their organizations."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.filter(models.Q(user=user) | models.Q(organization__isnull=False))
        return self.filter(
            models.Q(user=user) | models.Q(organization__in=list(user.access_by_organization))
        )


class SavedFilter(Audited, Base):
    """Filter, search and sort order of a list: its normalized query string."""

    user = models.ForeignKey(User, models.CASCADE, related_name="saved_filters")
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+",
        verbose_name=_("shared with"), help_text=_("Members of the organization also see the filter above their lists."),
    )  # fmt: skip
    page = models.CharField(
        _("list"), max_length=100, help_text=_("App and model, such as devices.device.")
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "page", "name"],
                name="saved_filter_name_once",
                violation_error_message=_("You have a filter of this name on this list."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_organization_id(self) -> UUID | None:
        owner: UUID | None = self.organization_id
        return owner
