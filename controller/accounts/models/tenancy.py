"""Multi-tenancy: rows of organizations and sites, and their visibility."""

from functools import cache
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import FieldDoesNotExist
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from controller.accounts.engine.scopes import BOUND_TO_SITES, NO_SITE, SiteScope
from controller.accounts.models.audit import Audited
from controller.accounts.models.users import Membership, Organization, User
from controller.base.models import Base, Dated


class OrganizationScopedQuerySet(models.QuerySet[Any]):
    """Queryset of rows that belong to an organization."""

    def visible_to(self, user: User | AnonymousUser, to: str = "") -> Self:
        """Return the rows visible to this user. All tenancy checks use this method.

        ``to`` is the permission needed on the rows, e.g. ``device:read``; without it, all
        rows of the
        user's organizations and sites are returned.
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
    """Row whose visibility follows its own or its parent's organization."""

    organization_path: ClassVar[str] = "organization"
    is_shareable: ClassVar[bool] = False

    objects = OrganizationScopedQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def owner_id(self) -> UUID | None:
        """Return the id of the row's organization, or None if shared by all."""
        owner: UUID | None = follow(self, self.organization_path)
        return owner

    @property
    def site_scope(self) -> SiteScope:
        """Return the row's site, None if not in a site, or NO_SITE if its kind has none."""
        path = site_path(type(self))
        found: SiteScope = NO_SITE if path is None else follow(self, path)
        return found


@cache
def site_path(model: type[Any]) -> str | None:
    """Return the path to the site of this kind of row, or None if it has none."""
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
    """Return the id at the end of a path of foreign keys."""
    *parents, last = path.split("__")
    for parent in parents:
        row = getattr(row, parent)
    return row.pk if last == "id" else getattr(row, f"{last}_id")


class OrganizationOwned(OrganizationScoped):
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")

    class Meta:
        abstract = True


class Shareable(OrganizationScoped):
    """Row that may belong to no organization and is then visible to all."""

    is_shareable: ClassVar[bool] = True

    organization = models.ForeignKey(
        Organization,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text=_("Leave empty to share it with all organizations."),
    )

    class Meta:
        abstract = True


class Site(OrganizationOwned, Base):
    """Location of an organization; groups devices and staff."""

    class TimeFormat(models.TextChoices):
        TWELVE = "12h", _("12 hours")
        TWENTY_FOUR = "24h", _("24 hours")

    name = models.CharField(max_length=255)
    slug = models.CharField(
        max_length=100,
        validators=[RegexValidator(r"\A[a-z0-9-]+\Z", _("Use a-z, 0-9 and dashes."))],
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
        default=list,
        blank=True,
        help_text=_("A list of objects with cidr, name, vlan_id and description."),
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
                violation_error_message=_("A site with this slug exists already."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class SiteGrant(Audited, Dated):
    """Grant of read, write or full access to a site, up to the member's role."""

    class Level(models.TextChoices):
        READ = "read", _("Read")
        WRITE = "write", _("Write")
        FULL = "full", _("Full")

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
