"""Users, organizations, who is a member of which, and the tokens programs sign in with."""

from functools import cached_property
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

from controller.accounts.engine.scopes import ROLES, allows
from controller.base.models import Base, Dated


class User(AbstractUser):
    """Signs in by user name or e-mail; what they may do follows from their memberships."""

    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[
            UnicodeUsernameValidator(),
            # A name that looks like somebody's e-mail could sign in as them.
            RegexValidator(
                "@",
                "A user name has no @; the e-mail has a field of its own.",
                inverse_match=True,
            ),
        ],
    )
    email = models.EmailField("e-mail", unique=True)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_any_case",
                violation_error_message="A user with this e-mail exists already.",
            )
        ]

    @cached_property
    def roles(self) -> dict[UUID, str]:
        """Role by organization, active organizations only; read once per request."""
        return dict(
            self.memberships.filter(organization__is_active=True).values_list(
                "organization_id", "role"
            )
        )

    def may(self, permission: str, organization_id: UUID | None) -> bool:
        """Whether ``resource:action`` is permitted on rows of this organization.

        Rows that belong to none are shared: every member reads them, superusers write them.
        """
        if not self.is_active:
            return False
        if self.is_superuser:
            return True
        if organization_id is None:
            return permission.endswith(":read") and self.may_somewhere(permission)
        role = self.roles.get(organization_id)
        return role is not None and allows(ROLES[role], permission)

    def may_somewhere(self, permission: str) -> bool:
        """Whether there is any organization in which this is permitted."""
        return self.is_active and (
            self.is_superuser
            or any(allows(ROLES[role], permission) for role in self.roles.values())
        )


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        return self if user.is_superuser else self.filter(pk__in=list(user.roles))


class Organization(Base):
    """A tenant: everything belongs to one, or is shared by all."""

    name = models.CharField(max_length=64, unique=True)
    slug = models.SlugField(max_length=64, unique=True)
    is_active = models.BooleanField(
        default=True,
        help_text="An inactive organization's devices and members are turned away.",
    )
    description = models.TextField(blank=True)
    email = models.EmailField("e-mail", blank=True)
    url = models.URLField("URL", blank=True)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def owner_id(self) -> UUID:
        """Itself: what is permitted on it follows from the role in it."""
        return self.pk


class Membership(Dated):
    class Role(models.TextChoices):
        ORG_ADMIN = "org_admin", "Administrator"
        OPERATOR = "operator", "Operator"
        VIEWER = "viewer", "Viewer"
        GUEST = "guest", "Guest"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="one_role_each")
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()} of {self.organization}"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        return self if user.is_superuser else self.filter(user=user)


class ApiToken(Dated):
    """What a program signs in with. Only a hash is stored, so it is shown once."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=64, help_text="What it is for.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_used = models.DateTimeField(null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class OwnedQuerySet(models.QuerySet[Any]):
    """Rows that belong to an organization."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The one place of tenancy: what this user may know of. Nothing, unless shown why."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        model: type[Owned] = self.model
        mine = models.Q(**{f"{model.organization_path}__in": list(user.roles)})
        if model.is_shareable and user.roles:
            mine |= models.Q(**{f"{model.organization_path}__isnull": True})
        return self.filter(mine)


class Owned(models.Model):
    """A row whose visibility follows an organization: its own, or that of its parent."""

    organization_path: ClassVar[str] = "organization"
    is_shareable: ClassVar[bool] = False

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def owner_id(self) -> UUID | None:
        """The organization this row belongs to; None where it is shared by all."""
        row: Any = self
        *parents, last = self.organization_path.split("__")
        for parent in parents:
            row = getattr(row, parent)
        owner: UUID | None = getattr(row, f"{last}_id")
        return owner


class OrganizationOwned(Owned):
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")

    class Meta:
        abstract = True


class Shareable(Owned):
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
