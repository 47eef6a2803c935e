"""Gateways and their changes as FreeSDN's clients know them. Secrets are never in an answer."""

from typing import Any

from rest_framework import serializers

from controller.accounts.models import Organization, Site
from controller.devices.api.serializers import VisibleRelatedField
from networks.models import Change, ChangeEvent, Gateway
from networks.rules import changes


class GatewayShape(serializers.ModelSerializer[Gateway]):
    organization_id = VisibleRelatedField(
        source="organization", queryset=Organization.objects.all()
    )
    site_id = VisibleRelatedField(
        source="site", queryset=Site.objects.all(), required=False, allow_null=True
    )
    key = serializers.CharField(write_only=True, max_length=255)
    secret = serializers.CharField(write_only=True, max_length=255)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    updated_at = serializers.DateTimeField(source="modified", read_only=True)

    class Meta:
        model = Gateway
        fields = [
            "id", "name", "vendor", "url", "key", "secret", "ca_certificate", "site_id",
            "organization_id", "version", "last_seen", "trouble", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["version", "last_seen", "trouble"]
        validators: list[Any] = []


class Staged(serializers.Serializer[Any]):
    payload = serializers.DictField(default=dict)
    target_id = serializers.CharField(max_length=128, default="", allow_blank=True)
    notes = serializers.CharField(max_length=2000, default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = set(self.initial_data) - set(self.fields)
        if unknown:
            raise serializers.ValidationError(
                {name: ["Extra inputs are not permitted."] for name in sorted(unknown)}
            )
        return attrs


class Applied(serializers.Serializer[Any]):
    force = serializers.BooleanField(default=False)
    accept_drift = serializers.BooleanField(default=False)


class EventShape(serializers.ModelSerializer[ChangeEvent]):
    class Meta:
        model = ChangeEvent
        fields = ["at", "state", "actor", "text"]


class ChangeShape(serializers.ModelSerializer[Change]):
    organization_id = serializers.UUIDField(source="gateway.organization_id", read_only=True)
    controller_id = serializers.UUIDField(source="gateway_id", read_only=True)
    gateway_id = serializers.UUIDField(read_only=True)
    site_id = serializers.UUIDField(source="gateway.site_id", read_only=True, allow_null=True)
    status = serializers.CharField(source="state", read_only=True)
    payload = serializers.SerializerMethodField()
    failure_reason = serializers.CharField(source="outcome", read_only=True)
    applied_at = serializers.DateTimeField(source="applied", read_only=True, allow_null=True)
    created_by = serializers.UUIDField(source="author_id", read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)

    class Meta:
        model = Change
        fields = [
            "id", "organization_id", "controller_id", "gateway_id", "site_id", "feature",
            "operation", "target_id", "payload", "notes", "status", "version", "failure_reason",
            "applied_at", "created_by", "created_at", "inverse_of",
        ]  # fmt: skip
        read_only_fields = fields

    def get_payload(self, row: Change) -> dict[str, Any]:
        return changes.shown_payload(row)


class DifferenceShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    base = serializers.CharField(allow_null=True)
    live = serializers.CharField(allow_null=True)
    desired = serializers.CharField(allow_null=True)


class DiffShape(serializers.Serializer[Any]):
    drift = serializers.BooleanField()
    differences = DifferenceShape(many=True)
    events = EventShape(many=True)


class FeatureShape(serializers.Serializer[Any]):
    key = serializers.CharField()
    vendor = serializers.CharField()
    area = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    permission = serializers.CharField()
    catastrophic = serializers.BooleanField()
    operations = serializers.DictField(help_text="JSON Schema of the payload, by operation.")
