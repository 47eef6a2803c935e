"""Users, organizations and memberships, with permission checks."""

import re
import unicodedata
from collections.abc import Hashable
from functools import cached_property
from typing import Any, ClassVar, Self
from uuid import UUID, uuid4

from django.contrib.auth.models import AbstractUser, AnonymousUser, Group, UserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.engine.scopes import (
    NO_SITE,
    RANKS,
    OrganizationAccess,
    SiteScope,
    allows,
    every_permission,
    role_allows,
)
from controller.accounts.models.audit import Audited
from controller.base.compiled_queries import CompiledQuery
from controller.base.errors import Refused
from controller.base.models import Base, Dated
from controller.base.secret_fields import SecretFields
from controller.base.values import name_key

# Django's permission verbs and the corresponding actions.
ACTIONS = {"view": "read", "add": "create", "change": "update", "delete": "delete"}
# Models whose permissions have a different resource name.
RESOURCES = {"devicegroup": "group", "deviceconnection": "connection", "ipaddress": "address"}


class UserQuerySet(models.QuerySet["User"]):
    def visible_to(self, user: "User | AnonymousUser", to: str = "user:read") -> Self:
        """Return the user and the members of organizations whose users they may read."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self if user.has_perm_in(to, None) else self.none()
        managed = [pk for pk in user.access_by_organization if user.has_perm_in(to, pk)]
        members = Membership.objects.filter(organization__in=managed).values("user")
        return self.filter(models.Q(pk__in=members, is_superuser=False) | models.Q(pk=user.pk))


class Users(UserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    use_in_migrations = False


def composed(text: str) -> str:
    """Return a password in one composition: keyboards and programs send an umlaut in two."""
    return unicodedata.normalize("NFC", text)


class User(Audited, AbstractUser):
    """User; permissions follow from memberships. Signs in by user name or e-mail."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"password"}))

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[
            UnicodeUsernameValidator(),
            # A user name that looks like another user's e-mail could sign in as that user.
            RegexValidator(
                "@",
                _("A user name has no @; the e-mail has a field of its own."),
                inverse_match=True,
            ),
        ],
    )
    email = models.EmailField(_("e-mail"), unique=True)
    phone_number = models.CharField(  # noqa: DJ001 - clients tell none from empty
        max_length=32, null=True, blank=True
    )
    birth_date = models.DateField(null=True, blank=True)
    bio = models.TextField(blank=True)
    url = models.URLField(_("URL"), blank=True)
    company = models.CharField(max_length=30, blank=True)
    location = models.CharField(max_length=256, blank=True)
    notes = models.TextField(blank=True, help_text=_("Not shown to the user."))
    language = models.CharField(
        max_length=10, default="", blank=True,
        help_text=_("Code of the language of pages and e-mails. Empty follows the browser."),
    )  # fmt: skip
    time_zone = models.CharField(
        max_length=64, default="", blank=True,
        help_text=_("Zone in which times are shown, such as Europe/Berlin. Empty follows the browser."),
    )  # fmt: skip
    list_layouts = models.JSONField(
        default=dict, blank=True, editable=False,
        help_text=_("Hidden columns and rows per page of each list, by app and model."),
    )  # fmt: skip
    expiration_date = models.DateField(
        null=True, blank=True, help_text=_("Last day on which the user can sign in.")
    )

    # Part of every browser session's hash: a new number ends them all.
    session_epoch = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[Users] = Users()

    # Scopes of the API key in use; None does not restrict permissions.
    scopes: frozenset[str] | None = None
    # Whether an API key speaks for the user, with all scopes or some.
    is_api_key = False

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_any_case",
                violation_error_message=_("A user with this e-mail exists already."),
            )
        ]

    def checked(self) -> Self:
        """Validate fields and constraints and return the user; raise :class:`Refused`."""
        try:
            self.full_clean(exclude={"password"})
        except ValidationError as error:
            raise Refused(error.message_dict) from error
        return self

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return the hash that binds a browser session to the password and the epoch."""
        return salted_hmac(
            "accounts.session",
            f"{self.password} {self.session_epoch}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password and composed(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return super().check_password(raw_password and composed(raw_password))

    @property
    def may_sign_in(self) -> bool:
        expired = (
            self.expiration_date is not None and self.expiration_date < timezone.localdate()
        )
        return self.is_active and not expired

    @cached_property
    def access_by_organization(self) -> dict[UUID, OrganizationAccess]:
        """Return role and sites per active organization; read once per request."""
        found: dict[UUID, OrganizationAccess] = {}
        for organization, role, site, level in MEMBERSHIPS(user=self.pk):
            standing = found.setdefault(organization, OrganizationAccess(role, {}))
            if site is not None:
                standing.grants[site] = level  # type: ignore[index]
        return found

    @property
    def roles(self) -> dict[UUID, str]:
        """Return the role per active organization."""
        return {pk: standing.role for pk, standing in self.access_by_organization.items()}

    def access_key(self, permission: str) -> tuple[Hashable, ...]:
        """Return a key that is equal for users with this permission on the same rows."""
        if self.is_superuser:
            return self.is_active, self.scopes
        accesses = frozenset(
            (pk, one.role, frozenset(one.grants.items()))
            for pk, one in self.access_by_organization.items()
        )
        by_role = all(role_allows(role, permission) for _, role, _ in accesses)
        return (
            self.is_active,
            self.scopes,
            accesses,
            frozenset() if by_role else self.group_permissions,
        )

    @property
    def audit_organization_id(self) -> UUID | None:
        """Return the user's only organization; None (the portal) if several or none."""
        mine = list(self.memberships.values_list("organization_id", flat=True)[:2])
        return mine[0] if len(mine) == 1 else None

    @property
    def role(self) -> str:
        """Return the highest role that the user has anywhere."""
        if self.is_superuser:
            return "super_admin"
        return max(self.roles.values(), key=lambda role: RANKS[role], default="guest")

    @cached_property
    def group_permissions(self) -> frozenset[str]:
        """Return permissions by groups, valid in each of the user's organizations."""
        found = set()
        for codename, model, role in GROUPS(user=self.pk):
            verb = codename.partition("_")[0] if codename else ""
            if verb in ACTIONS:
                found.add(f"{RESOURCES.get(model, model)}:{ACTIONS[verb]}")
            if role:
                found |= {one for one in every_permission() if role_allows(role, one)}
        return frozenset(found)

    def _narrowed(self, permission: str) -> bool:
        return self.scopes is not None and not allows(self.scopes, permission)

    def has_perm_in(
        self, permission: str, organization_id: UUID | None, place: SiteScope = NO_SITE
    ) -> bool:
        """Return whether ``resource:action`` is permitted in this organization and place.

        Rows without organization are shared: every member reads them, superusers write
        them.
        """
        if not self.is_active or self._narrowed(permission):
            return False
        if self.is_superuser:
            return True
        if organization_id is None:
            return permission.endswith(":read") and self.has_perm_anywhere(permission)
        standing = self.access_by_organization.get(organization_id)
        if standing is None:
            return False
        return standing.allows(permission, place) or standing.allows(
            permission, place, self.group_permissions
        )

    def clean(self) -> None:
        """Refuse a name that differs from another user's by case or composition alone."""
        super().clean()
        # Databases differ in what a letter beyond ASCII is: they find candidates only.
        pattern = "".join(re.escape(one) if one.isascii() else "." for one in self.username)
        others = User.objects.exclude(pk=self.pk).filter(username__iregex=f"^{pattern}$")
        names = others.exclude(username=self.username).values_list("username", flat=True)
        if any(name_key(one) == name_key(self.username) for one in names):
            raise ValidationError(
                {"username": [gettext("A user with that username already exists.")]}
            )

    def has_perm_on(self, permission: str, row: Any) -> bool:
        """Return whether this is permitted on a row owned by an organization."""
        return self.has_perm_in(permission, row.owner_id, row.site_scope)

    def has_perm_in_every_site(self, permission: str, organization_id: UUID | None) -> bool:
        """Return whether this is permitted in all sites of the organization."""
        standing = self.access_by_organization.get(organization_id) if organization_id else None
        everywhere = self.is_superuser or bool(standing and standing.covers_every_site)
        return everywhere and self.has_perm_in(permission, organization_id)

    def has_perm_anywhere(self, permission: str) -> bool:
        """Return whether this is permitted in any organization."""
        if not self.is_active or self._narrowed(permission):
            return False
        if self.is_superuser or any(role_allows(r, permission) for r in self.roles.values()):
            return True
        return bool(self.roles) and permission in self.group_permissions

    def outranks(self, role: str, organization_id: UUID | None) -> bool:
        """Return whether the user's role is at least this one; False for scoped keys."""
        if self.is_superuser:
            return self.scopes is None
        standing = self.access_by_organization.get(organization_id) if organization_id else None
        return (
            self.scopes is None and standing is not None and RANKS[standing.role] >= RANKS[role]
        )

    @property
    def permissions(self) -> list[str]:
        """Return all permissions that the user has anywhere."""
        return [one for one in every_permission() if self.has_perm_anywhere(one)]


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def visible_to(self, user: User | AnonymousUser, to: str = "organization:read") -> Self:
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self if user.has_perm_in(to, None) else self.none()
        return self.filter(
            pk__in=[pk for pk in user.access_by_organization if user.has_perm_in(to, pk)]
        )


class Organization(Audited, Base):
    """Tenant: rows belong to one organization or are shared by all."""

    name = models.CharField(
        max_length=200, unique=True, help_text=_("The name of the organization")
    )
    slug = models.SlugField(
        max_length=200, unique=True, help_text=_("Lowercase name for URLs.")
    )
    is_active = models.BooleanField(
        default=True,
        help_text=_("Devices and members of an inactive organization cannot sign in."),
    )
    description = models.TextField(blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    url = models.URLField(_("URL"), blank=True)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def owner(self) -> "Membership | None":
        """The membership of its owner, the first one where there are several."""
        found: Membership | None = (
            self.memberships.filter(role="admin").order_by("created", "pk").first()
        )
        return found

    @property
    def owner_id(self) -> UUID:
        """Return its own id: an organization belongs to itself."""
        return self.pk

    @property
    def site_scope(self) -> SiteScope:
        return NO_SITE


class Membership(Audited, Dated):
    class Role(models.TextChoices):
        ADMIN = "admin", _("Owner")
        ORG_ADMIN = "org_admin", _("Administrator")
        SITE_ADMIN = "site_admin", _("Site administrator")
        OPERATOR = "operator", _("Operator")
        VIEWER = "viewer", _("Viewer")
        GUEST = "guest", _("Guest")

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="one_role_each")
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()} of {self.organization}"

    @property
    def audit_organization_id(self) -> UUID | None:
        owner: UUID | None = self.organization_id
        return owner

    @property
    def is_manager(self) -> bool:
        return RANKS[self.role] >= RANKS["org_admin"]


class GroupRole(models.Model):
    """The role whose permissions a group gives, wherever its users are members."""

    group = models.OneToOneField(
        Group, models.CASCADE, primary_key=True, related_name="of_role"
    )
    role = models.CharField(max_length=16, choices=Membership.Role.choices)

    def __str__(self) -> str:
        return f"{self.group} has the permissions of {self.get_role_display()}"


# Compiled: asked for every request of every API client that is no superuser.
MEMBERSHIPS = CompiledQuery(
    lambda user: Membership.objects.filter(user=user, organization__is_active=True).values_list(
        "organization_id", "role", "grants__site_id", "grants__level"
    ),
    user=models.UUIDField(),
)
GROUPS = CompiledQuery(
    lambda user: Group.objects.filter(user=user).values_list(
        "permissions__codename", "permissions__content_type__model", "of_role__role"
    ),
    user=models.UUIDField(),
)
