"""Serializers of sign-in, sessions and MFA in the FreeSDN dialect."""

from typing import Any

from rest_framework import serializers

from controller.accounts.models import Session, User
from controller.accounts.rules.mfa import is_enabled
from controller.accounts.rules.organizations import usual_organization
from controller.accounts.rules.sessions import ACCESS_FOR, Tokens


class Password(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"max_length": 256, "trim_whitespace": False, "write_only": True} | kwargs
        )


class Login(serializers.Serializer[Any]):
    login = serializers.CharField(max_length=254, help_text="User name or e-mail.")
    password = Password()
    remember_me = serializers.BooleanField(default=False)


class FormSignIn(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=254, help_text="User name or e-mail.")
    password = Password()


class SecondFactor(serializers.Serializer[Any]):
    mfa_token = serializers.CharField(max_length=2048)
    code = serializers.CharField(min_length=6, max_length=16)


class Refresh(serializers.Serializer[Any]):
    refresh_token = serializers.CharField(
        required=False, max_length=4096, help_text="Left out where the cookie has it."
    )


class TokenPair(serializers.Serializer[Any]):
    """Tokens of a new session, or a request for the second factor."""

    access_token = serializers.CharField(required=False)
    refresh_token = serializers.CharField(required=False)
    token_type = serializers.CharField(default="bearer")
    expires_in = serializers.IntegerField(required=False, help_text="Seconds.")
    require_mfa = serializers.BooleanField(required=False)
    mfa_token = serializers.CharField(required=False)

    @staticmethod
    def of(tokens: Tokens) -> dict[str, Any]:
        return {
            "access_token": tokens.access,
            "refresh_token": tokens.refresh,
            "token_type": "bearer",
            "expires_in": int(ACCESS_FOR.total_seconds()),
        }


class Message(serializers.Serializer[Any]):
    message = serializers.CharField()


class Me(serializers.ModelSerializer[User]):
    """Profile and permissions of the authenticated user."""

    full_name = serializers.CharField(required=False, max_length=255, allow_blank=True)
    username = serializers.CharField(required=False, min_length=3, max_length=100)
    language = serializers.CharField(required=False, min_length=2, max_length=10)
    organization_id = serializers.SerializerMethodField()
    is_verified = serializers.BooleanField(source="is_active", read_only=True)
    mfa_enabled = serializers.SerializerMethodField()
    is_org_admin = serializers.SerializerMethodField()
    permissions = serializers.ListField(child=serializers.CharField(), read_only=True)
    created_at = serializers.DateTimeField(source="date_joined", read_only=True)
    updated_at = serializers.DateTimeField(source="date_joined", read_only=True)

    class Meta:
        model = User
        fields = [
            "id", "email", "username", "full_name", "role", "organization_id", "is_active",
            "is_verified", "mfa_enabled", "last_login", "language", "permissions",
            "is_superuser", "is_org_admin", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["email", "role", "is_active", "last_login", "is_superuser"]

    def to_representation(self, instance: User) -> dict[str, Any]:
        shown = super().to_representation(instance)
        shown["full_name"] = instance.get_full_name()
        shown["language"] = instance.language or "en"
        if instance.scopes is None and (shown["is_org_admin"] or instance.is_superuser):
            # Names of FreeSDN for what follows from a role here.
            shown["permissions"] = [*shown["permissions"], "settings:read", "role:read"]
        return shown

    def get_organization_id(self, user: User) -> str | None:
        found = usual_organization(user)
        return None if found is None else str(found)

    def get_mfa_enabled(self, user: User) -> bool:
        return is_enabled(user)

    def get_is_org_admin(self, user: User) -> bool:
        return any(
            standing.covers_every_site for standing in user.access_by_organization.values()
        )


class SessionRow(serializers.ModelSerializer[Session]):
    ip_address = serializers.CharField(source="address", allow_null=True)
    created_at = serializers.DateTimeField(source="created")
    last_seen_at = serializers.DateTimeField(source="last_seen")
    revoked_at = serializers.DateTimeField(source="revoked", allow_null=True)
    is_revoked = serializers.SerializerMethodField()
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = [
            "id", "user_agent", "ip_address", "created_at", "last_seen_at", "revoked_at",
            "is_revoked", "is_current",
        ]  # fmt: skip

    def get_is_revoked(self, row: Session) -> bool:
        return row.revoked is not None

    def get_is_current(self, row: Session) -> bool:
        return bool(row.pk == self.context.get("current"))


class SessionList(serializers.Serializer[Any]):
    sessions = SessionRow(many=True)


class PasswordChange(serializers.Serializer[Any]):
    current_password = Password()
    new_password = Password(min_length=8)


class ResetRequest(serializers.Serializer[Any]):
    email = serializers.EmailField()


class LinkToken(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=1000, help_text="The last part of the link.")


class Reset(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=256)
    new_password = Password(min_length=8)


class OwnPassword(serializers.Serializer[Any]):
    password = Password()


class PasswordAndCode(OwnPassword):
    code = serializers.CharField(max_length=32, help_text="Of the app, or a backup code.")


class Code(serializers.Serializer[Any]):
    code = serializers.CharField(min_length=6, max_length=6)


class SecondFactorSetup(serializers.Serializer[Any]):
    secret = serializers.CharField()
    uri = serializers.CharField(help_text="Show it as a QR code.")
    qr_svg = serializers.CharField(help_text="The QR code as an SVG image.")
    backup_codes = serializers.ListField(child=serializers.CharField())


class Registration(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    password = Password(min_length=8)
    first_name = serializers.CharField(max_length=150, allow_blank=True, default="")
    last_name = serializers.CharField(max_length=150, allow_blank=True, default="")
