"""Rows that belong to an organization, perhaps to one of its sites: who sees them."""

from functools import cache
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import FieldDoesNotExist
from django.core.validators import RegexValidator
from django.db import models

from controller.accounts.engine.scopes import BOUND_TO_SITES, NO_SITE, SiteScope
from controller.accounts.models.audit import Audited
from controller.accounts.models.users import Membership, Organization, User
from controller.base.models import Base, Dated


class OrganizationScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to an organization."""

    def visible_to(self, user: User | AnonymousUser, to: str = "") -> Self:
        """The one place of tenancy: what this user may know of. Nothing, unless shown why.

        ``to`` names the permission that the rows are wanted for, as ``device:read``; without
        it every row of the user's organizations and sites is there.
        """
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if to and not user.has_perm_anywhere(to):
            return self.none()
        if user.is_superuser:
            return self
        model: type[OrganizationScoped] = self.model
        standings = {
            pk: one
            for pk, one in user.access_by_organization.items()
            if not to or user.has_perm_in(to, pk)
        }
        if site_path(model) is None:
            mine = models.Q(**{f"{model.organization_path}__in": list(standings)})
        else:
            mine = self._in_sites(user, standings, to)
        if model.is_shareable and standings:
            mine |= models.Q(**{f"{model.organization_path}__isnull": True})
        return self.filter(mine)

    def _in_sites(self, user: User, standings: dict[UUID, Any], to: str) -> models.Q:
        owner, path = self.model.organization_path, site_path(self.model)  # type: ignore[arg-type]
        wide = [pk for pk, one in standings.items() if one.covers_every_site]
        mine = models.Q(**{f"{owner}__in": wide})
        loose = [
            pk
            for pk, one in standings.items()
            if pk not in wide and one.role not in BOUND_TO_SITES
        ]
        if loose:
            mine |= models.Q(**{f"{owner}__in": loose, f"{path}__isnull": True})
        sites = [
            site
            for pk, one in standings.items()
            for site in one.grants
            if pk not in wide and (not to or user.has_perm_in(to, pk, site))
        ]
        return mine | models.Q(**{f"{path}__in": sites}) if sites else mine


class OrganizationScoped(Audited, models.Model):
    """A row whose visibility follows an organization: its own, or that of its parent."""

    organization_path: ClassVar[str] = "organization"
    is_shareable: ClassVar[bool] = False

    objects = OrganizationScopedQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def owner_id(self) -> UUID | None:
        """The organization this row belongs to; None where it is shared by all."""
        owner: UUID | None = follow(self, self.organization_path)
        return owner

    @property
    def site_scope(self) -> SiteScope:
        """The site this row is in, None if it is in none, or that its kind has no sites."""
        path = site_path(type(self))
        found: SiteScope = NO_SITE if path is None else follow(self, path)
        return found


@cache
def site_path(model: type[Any]) -> str | None:
    """Where this kind of row has its site: beside its organization, or nowhere."""
    at: Any = model
    if at is Site:
        return "id"
    *parents, _ = at.organization_path.split("__")
    for parent in parents:
        at = at._meta.get_field(parent).related_model
    try:
        at._meta.get_field("site")
    except FieldDoesNotExist:
        return None
    return "__".join([*parents, "site"])


def follow(row: Any, path: str) -> Any:
    """The id at the end of a path of foreign keys."""
    *parents, last = path.split("__")
    for parent in parents:
        row = getattr(row, parent)
    return row.pk if last == "id" else getattr(row, f"{last}_id")


class OrganizationOwned(OrganizationScoped):
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")

    class Meta:
        abstract = True


class Shareable(OrganizationScoped):
    """May belong to no organization, and then all of them see it."""

    is_shareable: ClassVar[bool] = True

    organization = models.ForeignKey(
        Organization,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="Leave empty to share it with all organizations.",
    )

    class Meta:
        abstract = True


class Site(OrganizationOwned, Base):
    """A place of an organization, and what its devices and staff are grouped by."""

    class TimeFormat(models.TextChoices):
        TWELVE = "12h", "12 hours"
        TWENTY_FOUR = "24h", "24 hours"

    name = models.CharField(max_length=255)
    slug = models.CharField(
        max_length=100,
        validators=[RegexValidator(r"\A[a-z0-9-]+\Z", "Use a-z, 0-9 and dashes.")],
    )
    description = models.TextField(blank=True)
    address = models.CharField(max_length=255, blank=True)
    city = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=100, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    time_format = models.CharField(
        max_length=3, choices=TimeFormat.choices, default=TimeFormat.TWENTY_FOUR
    )
    date_format = models.CharField(max_length=10, default="YYYY-MM-DD")
    subnets = models.JSONField(
        default=list, blank=True, help_text="cidr, name, vlan_id and description of each."
    )
    gateway_ip = models.GenericIPAddressField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    settings = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "slug"],
                name="site_slug_unique",
                violation_error_message="A site with this slug exists already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class SiteGrant(Audited, Dated):
    """That a member may look at, work on, or do everything their role permits in a site."""

    class Level(models.TextChoices):
        READ = "read", "Read"
        WRITE = "write", "Write"
        FULL = "full", "Full"

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="grants")
    site = models.ForeignKey(Site, models.CASCADE, related_name="grants")
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.READ)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["membership", "site"], name="one_grant_each")
        ]

    def __str__(self) -> str:
        return f"{self.membership.user} may {self.level} {self.site}"

    @property
    def audit_organization_id(self) -> UUID | None:
        owner: UUID | None = self.site.organization_id
        return owner
