"""Users and roles in the words of FreeSDN's web client."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField
from controller.accounts.engine.scopes import RANKS
from controller.accounts.models import Membership, User
from controller.accounts.rules.roles import SUPERUSER
from controller.dialects.openapi.shapes import TEXTS

# The client's roles, by the portal's where those have another name.
WORDS = {"admin": "org_admin", "guest": "viewer"}
ROLES = ("super_admin", "org_admin", "site_admin", "operator", "viewer")


class UserShape(serializers.ModelSerializer[User]):
    """A user with the highest of their roles."""

    full_name = serializers.SerializerMethodField()
    role = serializers.SerializerMethodField()
    organization_id = serializers.SerializerMethodField()
    is_verified = serializers.BooleanField(source="is_active")
    mfa_enabled = serializers.SerializerMethodField()
    is_org_admin = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="date_joined")
    updated_at = serializers.DateTimeField(source="date_joined")
    language = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = [
            "id", "email", "username", "full_name", "role", "organization_id", "is_active",
            "is_verified", "mfa_enabled", "is_superuser", "is_org_admin", "last_login",
            "language", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_language(self, user: User) -> str:
        return user.language or "en"

    def get_full_name(self, user: User) -> str | None:
        return user.get_full_name() or None

    @extend_schema_field({"type": "string", "enum": list(ROLES)})
    def get_role(self, user: User) -> str:
        """Return the highest role in the organizations that the caller shares."""
        if user.is_superuser:
            return SUPERUSER
        roles = [row.role for row in self.shared(user)]
        role = max(roles, key=lambda one: RANKS[one], default="guest")
        return WORDS.get(role, role)

    def shared(self, user: User) -> list[Membership]:
        """Return the memberships in organizations that the caller may know of."""
        rows, known = list(user.memberships.all()), self.context["organizations"]
        return [row for row in rows if known is None or row.organization_id in known]

    def get_organization_id(self, user: User) -> str | None:
        return next((str(row.organization_id) for row in self.shared(user)), None)

    def get_mfa_enabled(self, user: User) -> bool:
        return user.pk in self.context["with_mfa"]

    def get_is_org_admin(self, user: User) -> bool:
        return self.get_role(user) in {"super_admin", "org_admin"}


class UserChange(serializers.Serializer[Any]):
    username = serializers.CharField(required=False, min_length=3, max_length=100)
    email = serializers.EmailField(required=False)
    full_name = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, max_length=255
    )
    is_active = serializers.BooleanField(required=False)
    language = serializers.CharField(required=False, min_length=2, max_length=10)
    role = serializers.ChoiceField(choices=ROLES, required=False)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            data = {name: value for name, value in data.items() if value is not None}
        values: dict[str, Any] = super().to_internal_value(data)
        if "full_name" in values:
            first, _, last = values.pop("full_name").partition(" ")
            values |= {"first_name": first, "last_name": last}
        return values


class NewUser(UserChange):
    username = serializers.CharField(min_length=3, max_length=100)
    email = serializers.EmailField()
    password = serializers.CharField(max_length=128, trim_whitespace=False)
    organization_id = OrganizationField(required=False, source="organization")
    role = serializers.ChoiceField(choices=ROLES, default="viewer")


class RoleShape(serializers.Serializer[Any]):
    """A role of the portal; all are built in."""

    shapes = {"permissions": TEXTS}

    id = serializers.CharField()
    name = serializers.CharField()
    slug = serializers.CharField()
    description = serializers.CharField()
    level = serializers.IntegerField()
    is_system = serializers.BooleanField()
    is_default = serializers.BooleanField()
    organization_id = serializers.UUIDField(allow_null=True)
    permissions = serializers.ListField(child=serializers.CharField())
    user_count = serializers.IntegerField()
