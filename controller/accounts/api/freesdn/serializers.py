"""Serializers of sites, grants, API keys and audit in the FreeSDN dialect."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.accounts.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Organization,
    Site,
    SiteGrant,
)
from controller.accounts.rules.api_keys import MOST_SCOPES
from controller.dialects.fields import JSONObjectField

FIELDS = [
    "id", "organization_id", "name", "slug", "description", "address", "city", "country",
    "timezone", "time_format", "date_format", "subnets", "gateway_ip", "is_active", "settings",
    "created_at", "updated_at", "controller_count", "device_count", "online_device_count",
]  # fmt: skip


class VisibleOrganization(serializers.PrimaryKeyRelatedField[Organization]):
    def get_queryset(self) -> Any:
        request = self.context.get("request")
        return Organization.objects.visible_to(request.user) if request else None


class SiteShape(serializers.ModelSerializer[Site]):
    organization_id = VisibleOrganization(
        source="organization",
        queryset=Organization.objects.all(),
        required=False,
        help_text="May be left out by who is in one organization alone.",
    )
    subnets = serializers.ListField(child=JSONObjectField(), required=False)
    settings = JSONObjectField(required=False)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    updated_at = serializers.DateTimeField(source="modified", read_only=True)
    controller_count = serializers.IntegerField(read_only=True)
    device_count = serializers.IntegerField(read_only=True)
    online_device_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Site
        fields = FIELDS
        # Left to the rule, which returns 409 for a taken slug, as clients expect.
        validators: list[Any] = []


class VisibleSite(serializers.PrimaryKeyRelatedField[Site]):
    def get_queryset(self) -> Any:
        request = self.context.get("request")
        return Site.objects.visible_to(request.user) if request else None


class InvitationShape(serializers.ModelSerializer[Invitation]):
    organization_id = VisibleOrganization(
        source="organization", queryset=Organization.objects.all()
    )
    site_id = VisibleSite(
        source="place", queryset=Site.objects.all(), required=False, allow_null=True
    )
    access_level = serializers.ChoiceField(
        source="level", choices=SiteGrant.Level.choices, default=SiteGrant.Level.READ
    )
    created_at = serializers.DateTimeField(source="created", read_only=True)

    class Meta:
        model = Invitation
        fields = [
            "id", "organization_id", "email", "role", "site_id", "access_level", "expires",
            "accepted", "created_at",
        ]  # fmt: skip
        read_only_fields = ["expires", "accepted"]
        extra_kwargs = {"role": {"required": True}}


class SiteChange(SiteShape):
    class Meta(SiteShape.Meta):
        read_only_fields = ["slug", "organization_id"]


class GrantShape(serializers.ModelSerializer[SiteGrant]):
    """Access level of a member in a site."""

    user_id = serializers.UUIDField(source="membership.user_id")
    username = serializers.CharField(source="membership.user.username", read_only=True)
    role = serializers.CharField(source="membership.role", read_only=True)
    access_level = serializers.ChoiceField(source="level", choices=SiteGrant.Level.choices)

    class Meta:
        model = SiteGrant
        fields = ["id", "user_id", "username", "role", "access_level"]


class KeyShape(serializers.ModelSerializer[ApiKey]):
    key_prefix = serializers.CharField(source="prefix", read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=100), max_length=MOST_SCOPES, required=False
    )
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)

    class Meta:
        model = ApiKey
        fields = [
            "id", "name", "key_prefix", "description", "scopes", "last_used", "expires_at",
            "is_active", "created_at",
        ]  # fmt: skip
        read_only_fields = ["last_used", "expires_at", "is_active"]


class NewKey(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    description = serializers.CharField(max_length=2000, allow_blank=True, default="")
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=100), max_length=MOST_SCOPES, default=list
    )
    expires_in_days = serializers.IntegerField(
        min_value=1, max_value=365, allow_null=True, default=None
    )


class MadeKey(KeyShape):
    key = serializers.CharField(read_only=True, help_text="Shown this once.")

    class Meta(KeyShape.Meta):
        fields = [*KeyShape.Meta.fields, "key"]


# The outcome of what was done, in this dialect.
SUCCESS = "success"


class AuditShape(serializers.ModelSerializer[AuditEntry]):
    """Audit entry: actor, action, row and address; only changed fields are included."""

    id = serializers.CharField(read_only=True)
    timestamp = serializers.DateTimeField(source="at", read_only=True)
    user_id = serializers.UUIDField(source="actor_id", read_only=True, allow_null=True)
    username = serializers.CharField(source="actor", read_only=True)
    actor_id = serializers.UUIDField(read_only=True, allow_null=True)
    actor_name = serializers.CharField(source="actor", read_only=True)
    actor_type = serializers.SerializerMethodField()
    ip_address = serializers.CharField(source="address", read_only=True, allow_null=True)
    resource_type = serializers.CharField(source="object_type", read_only=True)
    resource_id = serializers.CharField(source="object_id", read_only=True)
    resource_name = serializers.CharField(source="object_name", read_only=True)
    status = serializers.SerializerMethodField()
    organization_id = serializers.UUIDField(read_only=True, allow_null=True)
    before = serializers.DictField(read_only=True, allow_null=True)
    after = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id", "timestamp", "organization_id", "user_id", "username", "actor_id", "actor_name",
            "actor_type", "channel", "ip_address",
            "request_id", "action", "status", "resource_type", "resource_id", "resource_name",
            "before", "after", "detail", "number", "seal",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field({"type": "string", "enum": ["user", "system"]})
    def get_actor_type(self, row: AuditEntry) -> str:
        return "system" if row.actor_id is None else "user"

    @extend_schema_field({"type": "string", "enum": [SUCCESS, "refused", "failed"]})
    def get_status(self, row: AuditEntry) -> str:
        return SUCCESS if row.outcome == AuditEntry.Outcome.DONE else row.outcome


class SecurityEventShape(serializers.ModelSerializer[AuditEntry]):
    """A sign-in, a refusal, or a change of how somebody signs in."""

    id = serializers.CharField(read_only=True)
    event_type = serializers.CharField(source="action")
    timestamp = serializers.DateTimeField(source="at")
    user_id = serializers.UUIDField(source="actor_id", allow_null=True)
    user_email = serializers.CharField(source="actor")
    ip_address = serializers.CharField(source="address", allow_null=True)
    success = serializers.SerializerMethodField()
    risk_score = serializers.SerializerMethodField()
    details = serializers.SerializerMethodField()

    class Meta:
        model = AuditEntry
        fields = [
            "id", "event_type", "timestamp", "user_id", "user_email", "ip_address", "success",
            "risk_score", "details",
        ]  # fmt: skip
        read_only_fields = fields

    def get_success(self, row: AuditEntry) -> bool:
        return row.outcome == AuditEntry.Outcome.DONE

    def get_risk_score(self, row: AuditEntry) -> int:
        """Return zero: the portal does not estimate risks."""
        return 0

    def get_details(self, row: AuditEntry) -> dict[str, str]:
        return {"text": row.detail}


class ChainShape(serializers.Serializer[Any]):
    chain = serializers.CharField(source="name", help_text="The organization's id, or portal.")
    entries = serializers.IntegerField()
    unsealed = serializers.IntegerField(
        help_text="Newer than the last seal; a few seconds old."
    )
    seal = serializers.CharField()
    problems = serializers.ListField(child=serializers.CharField())


class Validation(serializers.Serializer[Any]):
    valid = serializers.BooleanField()
    chains = ChainShape(many=True)


class ExportAsk(serializers.Serializer[Any]):
    """Which entries of the audit log are exported, and as what."""

    format = serializers.ChoiceField(["csv", "json"], default="csv")
    actions = serializers.ListField(
        child=serializers.CharField(max_length=64), allow_null=True, default=None
    )
    resource_types = serializers.ListField(
        child=serializers.CharField(max_length=64), allow_null=True, default=None
    )
    start_date = serializers.CharField(
        allow_null=True, allow_blank=True, default=None, max_length=64
    )
    end_date = serializers.CharField(
        allow_null=True, allow_blank=True, default=None, max_length=64
    )
