"""Serializers of users, organizations and groups in the OpenWISP dialect."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group, Permission
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.accounts.api.filters import visible_organizations
from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules import authenticate_password
from controller.base.errors import NotAuthenticated


class VisibleRelatedField(serializers.PrimaryKeyRelatedField[Any]):
    """A reference to a row that the caller may know of; any other does not exist."""

    def get_queryset(self) -> Any:
        rows: Any = super().get_queryset()
        return rows.visible_to(self.context["request"].user) if rows is not None else None


@extend_schema_field(OpenApiTypes.UUID)
class OrganizationField(serializers.PrimaryKeyRelatedField[Any]):
    def get_queryset(self) -> Any:
        return visible_organizations(self.context.get("request"))


class SignIn(serializers.Serializer[Any]):
    username = serializers.CharField(write_only=True, help_text="User name or e-mail.")
    password = serializers.CharField(
        write_only=True, trim_whitespace=False, style={"input_type": "password"}
    )
    token = serializers.CharField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"user": authenticate_password(attrs["username"], attrs["password"])}
        except NotAuthenticated as error:
            raise serializers.ValidationError(
                "Unable to log in with provided credentials."
            ) from error


class OrganizationList(serializers.ModelSerializer[Organization]):
    class Meta:
        model = Organization
        fields = [
            "id", "name", "is_active", "slug", "description", "email", "url", "created",
            "modified",
        ]  # fmt: skip


class OrganizationDetail(OrganizationList):
    # Read-only placeholder: ownership follows from roles, but clients may send an owner.
    owner = serializers.SerializerMethodField()

    class Meta(OrganizationList.Meta):
        fields = [*OrganizationList.Meta.fields[:7], "owner", "created", "modified"]

    @extend_schema_field({"type": "object", "nullable": True})
    def get_owner(self, organization: Organization) -> None:
        return None


class PermissionField(serializers.PrimaryKeyRelatedField[Permission]):
    def to_representation(self, value: Any) -> Any:
        permission: Permission = value
        return f"{permission.pk}: {permission.content_type.model} | {permission.name}"

    def use_pk_only_optimization(self) -> bool:
        return False

    def to_internal_value(self, data: Any) -> Permission:
        if isinstance(data, str):
            # Values are accepted in the format in which they are returned.
            data = data.partition(":")[0]
        return super().to_internal_value(data)


class GroupShape(serializers.ModelSerializer[Group]):
    permissions = PermissionField(
        many=True,
        required=False,
        queryset=Permission.objects.select_related("content_type"),
        help_text="Held in each organization that a user of the group is a member of.",
    )

    class Meta:
        model = Group
        fields = ["id", "name", "permissions"]


class ManagedOrganization(serializers.PrimaryKeyRelatedField[Organization]):
    def get_queryset(self) -> Any:
        request = self.context.get("request")
        return Organization.objects.visible_to(request.user, "user:update") if request else None


class MembershipShape(serializers.ModelSerializer[Membership]):
    is_admin = serializers.BooleanField(source="is_manager", default=False)
    organization = ManagedOrganization(queryset=Organization.objects.all())
    role = serializers.ChoiceField(
        choices=Membership.Role.choices, required=False, write_only=True,
        help_text="A finer choice than is_admin.",
    )  # fmt: skip

    class Meta:
        model = Membership
        fields = ["is_admin", "organization", "role"]

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        return {"is_admin": values.pop("is_manager", None), **values}


class Memberships(serializers.ListSerializer[Membership]):
    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value([data] if isinstance(data, dict) else data)


class UserList(serializers.ModelSerializer[User]):
    password = serializers.CharField(write_only=True, max_length=128, trim_whitespace=False)
    email_verified = serializers.BooleanField(write_only=True, default=False)
    organization_users = Memberships(
        child=MembershipShape(), source="memberships", required=False
    )
    groups = serializers.PrimaryKeyRelatedField(
        many=True, queryset=Group.objects.all(), required=False
    )

    class Meta:
        model = User
        fields = [
            "id", "username", "email", "email_verified", "password", "first_name", "last_name",
            "phone_number", "birth_date", "is_active", "is_staff", "is_superuser",
            "expiration_date", "groups", "organization_users",
        ]  # fmt: skip


class UserDetail(UserList):
    password = serializers.CharField(
        write_only=True, max_length=128, trim_whitespace=False, required=False
    )
    user_permissions = serializers.PrimaryKeyRelatedField(
        many=True, queryset=Permission.objects.all(), required=False
    )

    class Meta(UserList.Meta):
        fields = [
            "id", "username", "password", "first_name", "last_name", "email", "bio", "url",
            "company", "location", "phone_number", "birth_date", "notes", "is_active",
            "is_staff", "is_superuser", "last_login", "expiration_date", "date_joined",
            "groups", "user_permissions", "organization_users",
        ]  # fmt: skip
        read_only_fields = ["last_login", "date_joined"]
        # As in the original, a PUT needs only the user name.
        extra_kwargs = {"email": {"required": False}}

    email_verified = None  # type: ignore[assignment]


class EmailShape(serializers.ModelSerializer[EmailAddress]):
    class Meta:
        model = EmailAddress
        fields = ["id", "email", "verified", "primary"]
        read_only_fields = ["verified"]
        extra_kwargs = {"primary": {"required": False}}


class NewPassword(serializers.Serializer[Any]):
    current_password = serializers.CharField(
        write_only=True, allow_null=True, trim_whitespace=False,
        help_text="One's own; null where a superuser sets somebody else's.",
    )  # fmt: skip
    new_password = serializers.CharField(write_only=True, trim_whitespace=False)
    confirm_password = serializers.CharField(write_only=True, trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["new_password"] != attrs["confirm_password"]:
            raise serializers.ValidationError(
                {"confirm_password": "The two password fields didn't match."}
            )
        return attrs


class TwicePassword(serializers.Serializer[Any]):
    new_password1 = serializers.CharField(
        max_length=128, write_only=True, trim_whitespace=False
    )
    new_password2 = serializers.CharField(
        max_length=128, write_only=True, trim_whitespace=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["new_password1"] != attrs["new_password2"]:
            raise serializers.ValidationError(
                {"new_password2": "The two password fields didn't match."}
            )
        return attrs


class OwnPasswordChange(TwicePassword):
    old_password = serializers.CharField(max_length=128, write_only=True, trim_whitespace=False)


class PasswordResetConfirm(TwicePassword):
    uid = serializers.CharField(write_only=True)
    token = serializers.CharField(write_only=True)


class PasswordReset(serializers.Serializer[Any]):
    input = serializers.CharField(help_text="The e-mail or the user name.")


class Detail(serializers.Serializer[Any]):
    detail = serializers.CharField()


class Done(serializers.Serializer[Any]):
    status = serializers.CharField()
    message = serializers.CharField()
