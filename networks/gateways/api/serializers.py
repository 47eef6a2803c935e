"""Serializers of gateways and changes in the FreeSDN dialect.

Secrets are never included.
"""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers

from controller.accounts.api.serializers import VisibleRelatedField
from controller.accounts.models import Organization, Site
from controller.dialects.fields import JSONObjectField
from networks.gateways.engine.features import MASK
from networks.gateways.models import (
    Change,
    ChangeEvent,
    ChangeSet,
    Gateway,
    GatewayBackup,
    GatewayBackupPolicy,
    GatewayStatus,
)
from networks.gateways.rules import conflicts, transitions
from networks.gateways.rules.scheduling import ApplyOptions


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
            "id", "name", "vendor", "url", "key", "secret", "ca_certificate", "fingerprint",
            "site_id", "organization_id", "approval", "maintenance", "version", "caution", "last_seen",
            "trouble",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["version", "caution", "last_seen", "trouble"]
        validators: list[Any] = []


class GatewayStatusShape(serializers.ModelSerializer[GatewayStatus]):
    class Meta:
        model = GatewayStatus
        fields = ["at", "state", "reason"]


class Strict(serializers.Serializer[Any]):
    """Serializer that rejects unknown fields instead of ignoring them."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # The token is what a page's own form sends beside its fields.
        unknown = set(self.initial_data) - set(self.fields) - {"csrfmiddlewaretoken"}
        if unknown:
            raise serializers.ValidationError(
                {name: ["Extra inputs are not permitted."] for name in sorted(unknown)}
            )
        return attrs


class Staged(Strict):
    payload = JSONObjectField(default=dict, allow_null=True)
    target_id = serializers.CharField(
        max_length=128, default="", allow_blank=True, allow_null=True
    )
    notes = serializers.CharField(
        max_length=2000, default="", allow_blank=True, allow_null=True
    )
    draft = serializers.BooleanField(default=False, help_text="To be submitted later.")

    def values(self) -> dict[str, Any]:
        """Return the keyword arguments of the rule `stage`."""
        given = dict(self.validated_data)
        # Clients send null for an absent value.
        given["payload"] = given["payload"] or {}
        given["target_id"], given["notes"] = given["target_id"] or "", given["notes"] or ""
        given["state"] = Change.State.DRAFT if given.pop("draft") else Change.State.PENDING
        return given


class Amended(Strict):
    payload = JSONObjectField(required=False)
    notes = serializers.CharField(max_length=2000, required=False, allow_blank=True)


class Applied(serializers.Serializer[Any]):
    force = serializers.BooleanField(default=False)
    accept_drift = serializers.BooleanField(default=False)
    dry_run = serializers.BooleanField(
        default=False, help_text="Only say what would be done, and what is in its way."
    )
    in_window = serializers.BooleanField(
        default=False, help_text="Apply it in the gateway's next maintenance window."
    )
    not_before = serializers.DateTimeField(default=None, allow_null=True)

    def how(self, key: str) -> ApplyOptions:
        given = self.validated_data
        return ApplyOptions(
            force=given["force"],
            accepts_drift=given["accept_drift"],
            in_window=given["in_window"],
            not_before=given["not_before"],
            key=key,
        )


class EventShape(serializers.ModelSerializer[ChangeEvent]):
    class Meta:
        model = ChangeEvent
        fields = ["at", "state", "actor", "text"]


# Fields that clients read, and the portal does not have.
NOT_KEPT = ("omada_site_id", "applied_response")


class ChangeShape(serializers.ModelSerializer[Change]):
    organization_id = serializers.UUIDField(source="gateway.organization_id", read_only=True)
    controller_id = serializers.UUIDField(source="gateway_id", read_only=True)
    gateway_id = serializers.UUIDField(read_only=True)
    site_id = serializers.UUIDField(source="gateway.site_id", read_only=True, allow_null=True)
    status = serializers.CharField(source="state", read_only=True)
    state = serializers.CharField(
        read_only=True,
        help_text="The change's own state, also in lists whose `status` is one of FreeSDN's five.",
    )
    payload = serializers.SerializerMethodField()
    failure_reason = serializers.CharField(source="outcome", read_only=True)
    applied_at = serializers.DateTimeField(source="applied", read_only=True, allow_null=True)
    created_by = serializers.UUIDField(source="author_id", read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    updated_at = serializers.DateTimeField(source="modified", read_only=True)
    omada_site_id = serializers.SerializerMethodField("nothing")
    applied_response = serializers.SerializerMethodField("nothing")
    conflicts_with = serializers.SerializerMethodField(
        help_text="Changes that wait for the same thing; the later one writes over the earlier."
    )

    class Meta:
        model = Change
        fields = [
            "id", "organization_id", "controller_id", "gateway_id", "site_id", "feature",
            "operation", "target_id", "payload", "notes", "status", "state", "version", "failure_reason",
            "applied_at", "created_by", "created_at", "inverse_of", "change_set", "not_before",
            "expires", "conflicts_with", "updated_at", *NOT_KEPT,
        ]  # fmt: skip
        read_only_fields = fields

    def get_payload(self, row: Change) -> dict[str, Any]:
        return transitions.shown_payload(row)

    def nothing(self, row: Change) -> str | None:
        return None

    def get_conflicts_with(self, row: Change) -> list[UUID]:
        return conflicts.conflicting_changes(row)


PLAIN = {
    "id": "id", "organization_id": "gateway__organization_id", "controller_id": "gateway_id",
    "gateway_id": "gateway_id", "site_id": "gateway__site_id", "feature": "feature",
    "operation": "operation", "target_id": "target_id", "payload": "payload", "notes": "notes",
    "status": "state", "state": "state", "version": "version", "failure_reason": "outcome",
    "applied_at": "applied", "created_by": "author_id", "created_at": "created",
    "inverse_of": "inverse_of_id", "change_set": "change_set_id", "not_before": "not_before",
    "expires": "expires", "updated_at": "modified",
}  # fmt: skip


def as_rows(rows: QuerySet[Change]) -> list[dict[str, Any]]:
    """Serialize a list like ``ChangeShape``, without model instances for each row."""
    columns = list(dict.fromkeys([*PLAIN.values(), "secrets", "subject"]))
    listed = list(rows.values(*columns))
    waiting = [one for one in listed if one["state"] in Change.WAITING]
    others = conflicts.conflicts_within((one["id"], one["subject"]) for one in waiting)
    found = []
    for values in listed:
        row: dict[str, Any] = {name: values[column] for name, column in PLAIN.items()}
        if values["secrets"]:
            row["payload"] = {**row["payload"], **dict.fromkeys(values["secrets"], MASK)}
        row |= dict.fromkeys(NOT_KEPT)
        row["conflicts_with"] = others.get(values["id"], [])
        found.append(row)
    return found


class DifferenceShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    base = serializers.CharField(allow_null=True)
    live = serializers.CharField(allow_null=True)
    desired = serializers.CharField(allow_null=True)


class CallShape(serializers.Serializer[Any]):
    method = serializers.CharField()
    path = serializers.CharField()
    body = serializers.JSONField()


class PlanShape(serializers.Serializer[Any]):
    steps = serializers.ListField(child=serializers.DictField())
    requests = CallShape(many=True)
    differences = DifferenceShape(many=True)
    drift = serializers.BooleanField()
    risk = serializers.CharField()
    needs_approval = serializers.BooleanField()
    is_approved = serializers.BooleanField()
    obstacles = serializers.ListField(child=serializers.CharField())
    conflicts_with = serializers.ListField(child=serializers.UUIDField())
    around = serializers.ListField(child=serializers.DictField())
    warnings = serializers.ListField(child=serializers.CharField())


class SetShape(serializers.ModelSerializer[ChangeSet]):
    organization_id = serializers.UUIDField(read_only=True)
    site_id = serializers.UUIDField(read_only=True, allow_null=True)
    status = serializers.CharField(source="state", read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    created_by = serializers.UUIDField(source="author_id", read_only=True, allow_null=True)
    changes = serializers.ListField(
        child=serializers.UUIDField(), write_only=True, help_text="Ids, in their order."
    )

    class Meta:
        model = ChangeSet
        fields = [
            "id", "organization_id", "site_id", "name", "notes", "on_failure", "status",
            "outcome", "changes", "created_by", "created_at", "started", "ended",
        ]  # fmt: skip
        read_only_fields = ["outcome", "started", "ended"]


class SetDetailShape(serializers.Serializer[Any]):
    set = SetShape()
    changes = ChangeShape(many=True)


class HeldShape(serializers.Serializer[Any]):
    target_id = serializers.CharField()
    values = serializers.DictField(child=serializers.CharField())


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


class BackupShape(serializers.ModelSerializer[GatewayBackup]):
    gateway_id = VisibleRelatedField(source="gateway", queryset=Gateway.objects.all())
    status = serializers.CharField(source="state", read_only=True)
    reason = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    created_by = serializers.UUIDField(source="author_id", read_only=True, allow_null=True)
    file_name = serializers.CharField(
        source="configuration.name", read_only=True, allow_null=True, default=None
    )
    size = serializers.IntegerField(
        source="configuration.size", read_only=True, allow_null=True, default=None
    )
    digest = serializers.CharField(
        source="configuration.digest", read_only=True, allow_null=True, default=None,
        help_text="SHA-256 of what it holds: equal for backups without a difference.",
    )  # fmt: skip

    class Meta:
        model = GatewayBackup
        fields = [
            "id", "gateway_id", "status", "reason", "outcome", "version", "taken", "file_name",
            "size", "digest", "change_set", "created_by", "created_at",
        ]  # fmt: skip
        read_only_fields = ["outcome", "version", "taken", "change_set"]


class PolicyShape(serializers.ModelSerializer[GatewayBackupPolicy]):
    organization_id = VisibleRelatedField(
        source="organization", queryset=Organization.objects.all()
    )
    gateway_id = VisibleRelatedField(
        source="gateway", queryset=Gateway.objects.all(), required=False, allow_null=True
    )

    class Meta:
        model = GatewayBackupPolicy
        fields = [
            "id", "organization_id", "gateway_id", "hours", "before_changes", "keep", "days",
        ]  # fmt: skip
        validators: list[Any] = []


class LineShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["equal", "added", "removed", "changed", "gap"])
    left_number = serializers.IntegerField(allow_null=True)
    left = serializers.CharField()
    right_number = serializers.IntegerField(allow_null=True)
    right = serializers.CharField()


class ComparisonShape(serializers.Serializer[Any]):
    is_equal = serializers.BooleanField()
    only_secrets = serializers.BooleanField()
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    is_cut = serializers.BooleanField()
    lines = LineShape(many=True)


class RestoreShape(serializers.Serializer[Any]):
    notes = serializers.CharField(max_length=2000, default="", allow_blank=True)


class PartShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    columns = serializers.DictField(
        child=serializers.CharField(), help_text="Titles of the columns, by name."
    )


class PartsShape(serializers.Serializer[Any]):
    parts = PartShape(many=True)
    tools = PartShape(many=True)


class ToldShape(serializers.Serializer[Any]):
    part = PartShape()
    at = serializers.DateTimeField()
    rows = serializers.ListField(child=serializers.DictField())


class ToolShape(serializers.Serializer[Any]):
    host = serializers.CharField(max_length=253)
    count = serializers.IntegerField(default=3, min_value=1, max_value=10)
