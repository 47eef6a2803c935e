"""Serializers of users, organizations and groups in the OpenWISP dialect."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group, Permission
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils import html

from controller.accounts.api.filters import visible_organizations
from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules import authenticate_password
from controller.accounts.rules.ranks import can_manage_user
from controller.base.errors import NotAuthenticated
from controller.dialects.openapi.shapes import TEXTS


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


class OwnerShape(serializers.Serializer[Any]):
    """Who owns an organization, by the number of their membership."""

    organization_user = serializers.PrimaryKeyRelatedField(queryset=Membership.objects.all())

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {"organization_user": instance.pk}


class OrganizationDetail(OrganizationList):
    owner = OwnerShape(required=False, allow_null=True)

    class Meta(OrganizationList.Meta):
        fields = [*OrganizationList.Meta.fields[:7], "owner", "created", "modified"]

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        owner = values.pop("owner", None)
        if owner is None:
            return values
        if "organization_user" not in owner:
            # A PATCH leaves fields out, but what is within one is whole.
            raise serializers.ValidationError(
                {
                    "owner": {
                        "organization_user": [
                            OwnerShape().fields["organization_user"].error_messages["required"]
                        ]
                    }
                }
            )
        return values | {"owner": owner["organization_user"]}


# Numbers, or the texts in which they are told.
NUMBERED = {"type": "array", "items": {"type": ["integer", "string"]}}


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
    answer_shapes = {"permissions": TEXTS}
    body_shapes = {"permissions": NUMBERED}

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
        choices=Membership.Role.choices, required=False, allow_null=True, write_only=True,
        help_text="A finer choice than is_admin; null ends the membership.",
    )  # fmt: skip

    class Meta:
        model = Membership
        fields = ["is_admin", "organization", "role"]

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        return {"is_admin": values.pop("is_manager", None), **values}


class Memberships(serializers.ListSerializer[Membership]):
    """A list; one object is a list of it, and so are the fields of a form."""

    def get_value(self, dictionary: Any) -> Any:
        found = super().get_value(dictionary)
        if not html.is_html_input(dictionary) or found:
            return found
        one = html.parse_html_dict(dictionary, prefix=self.field_name or "")
        return [one] if one.get("organization") else empty

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            return super().to_internal_value(data)
        try:
            return super().to_internal_value([data])
        except serializers.ValidationError as error:
            # One object was sent, so its errors are those of one.
            detail: Any = error.detail
            raise serializers.ValidationError(detail[0]) from error


# Of a person, and not of what they do in an organization.
PERSONAL = ("phone_number", "birth_date", "bio", "url", "company", "location", "notes",
            "last_login", "date_joined", "groups", "user_permissions", "expiration_date")  # fmt: skip


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

    def to_representation(self, instance: User) -> dict[str, Any]:
        """Leave out what does not concern the caller, as memberships in other organizations."""
        shown = super().to_representation(instance)
        user = self.context["request"].user
        if user.pk == instance.pk or can_manage_user(user, instance):
            return shown
        shown |= {name: [] if isinstance(shown[name], list) else None
                  for name in PERSONAL if name in shown}  # fmt: skip
        mine = {
            str(pk) for pk in user.access_by_organization if user.has_perm_in("user:read", pk)
        }
        everything = user.is_superuser and user.has_perm_anywhere("user:read")
        shown["organization_users"] = [
            one
            for one in shown["organization_users"]
            if everything or str(one["organization"]) in mine
        ]
        return shown


class UserDetail(UserList):
    # Null for people that it does not concern.
    answer_shapes = {
        name: {"type": ["string", "null"]}
        for name in ("bio", "url", "company", "location", "notes", "date_joined")
    }

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
