"""Serializers of notifications in OpenWISP's format, and of webhooks."""

from typing import Any

from django.contrib.contenttypes.models import ContentType
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.dialects.openapi.shapes import OBJECT, TEXTS
from controller.notifications.engine.kinds import KINDS, LEVELS
from controller.notifications.models import (
    KIND_CHOICES,
    Delivery,
    Mute,
    Notification,
    OrganizationPreference,
    Preference,
    Webhook,
)
from controller.notifications.rules.email import subject_of
from controller.notifications.rules.links import link_to
from controller.notifications.rules.preferences import WAYS


class NotificationListSerializer(serializers.ModelSerializer[Notification]):
    message = serializers.CharField(source="notice.text", read_only=True)
    description = serializers.CharField(source="notice.label", read_only=True)
    target_url = serializers.SerializerMethodField()
    email_subject = serializers.SerializerMethodField()
    timestamp = serializers.DateTimeField(source="created", read_only=True)
    level = serializers.ChoiceField(LEVELS, source="notice.level", read_only=True)

    class Meta:
        model = Notification
        fields = [
            "id", "message", "description", "unread", "target_url", "email_subject",
            "timestamp", "level",
        ]  # fmt: skip

    def get_target_url(self, row: Notification) -> str:
        return link_to(row.notice)

    def get_email_subject(self, row: Notification) -> str:
        return subject_of([row])


class NotificationSerializer(NotificationListSerializer):
    """Notification with its object under all names that clients look for."""

    shapes = {"data": OBJECT}

    actor_content_type = serializers.CharField(source="notice.object_type", read_only=True)
    target_content_type = serializers.CharField(source="notice.object_type", read_only=True)
    action_object_content_type = serializers.SerializerMethodField("nothing")
    actor_object_id = serializers.CharField(source="notice.object_id", read_only=True)
    target_object_id = serializers.CharField(source="notice.object_id", read_only=True)
    action_object_object_id = serializers.SerializerMethodField("nothing")
    verb = serializers.CharField(source="notice.label", read_only=True)
    data = serializers.JSONField(source="notice.data", read_only=True)  # type: ignore[assignment]
    type = serializers.ChoiceField(KIND_CHOICES, source="notice.kind", read_only=True)

    class Meta:
        model = Notification
        fields = [
            "id", "actor_content_type", "target_content_type", "action_object_content_type",
            "level", "unread", "actor_object_id", "verb", "target_object_id",
            "action_object_object_id", "timestamp", "emailed", "data", "type", "recipient",
            "message", "email_subject", "target_url",
        ]  # fmt: skip
        read_only_fields = ["emailed", "recipient"]

    def nothing(self, row: Notification) -> str | None:
        return None


class MuteSerializer(serializers.ModelSerializer[Mute]):
    object_content_type = serializers.SerializerMethodField()
    object_id = serializers.CharField(read_only=True)

    class Meta:
        model = Mute
        fields = ["id", "object_id", "valid_till", "object_content_type"]

    @extend_schema_field(serializers.IntegerField)
    def get_object_content_type(self, row: Mute) -> int:
        return int(ContentType.objects.get_by_natural_key(*row.object_type.split(".")).pk)


class PreferenceSerializer(serializers.ModelSerializer[Preference]):
    organization_name = serializers.CharField(
        source="organization.name", default="", read_only=True
    )
    type = serializers.ChoiceField(
        KIND_CHOICES, source="kind", read_only=True, allow_null=True, allow_blank=True
    )
    type_label = serializers.SerializerMethodField()
    web = serializers.BooleanField(allow_null=True, required=False)
    email = serializers.BooleanField(allow_null=True, required=False)
    deleted = serializers.BooleanField(default=False, read_only=True)

    class Meta:
        model = Preference
        fields = [
            "id", "organization_name", "type_label", "type", "web", "email", "deleted",
            "organization",
        ]  # fmt: skip
        read_only_fields = ["organization"]

    def get_type_label(self, row: Preference) -> str:
        return KINDS[row.kind].label if row.kind else ""

    def to_representation(self, row: Preference) -> dict[str, Any]:
        """Resolve the effective values: the row's, else the user's, else the organization's."""
        shown = super().to_representation(row)
        shown["type"] = row.kind or None
        general = self.context.get("general")
        settled = getattr(row.organization, "notification_settings", None)
        for way in WAYS:
            own = (getattr(one, way, None) for one in (row, general, settled))
            shown[way] = next((one for one in own if one is not None), True)
        return shown


class OrganizationPreferenceSerializer(serializers.ModelSerializer[OrganizationPreference]):
    class Meta:
        model = OrganizationPreference
        fields = ["organization", "web", "email"]
        read_only_fields = ["organization"]


class WaysSerializer(serializers.Serializer[Any]):
    email = serializers.BooleanField(required=False)
    web = serializers.BooleanField(required=False)


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    shapes = {"kinds": TEXTS}

    secret = serializers.CharField(write_only=True, required=False, trim_whitespace=False)

    class Meta:
        model = Webhook
        fields = [
            "id", "organization", "name", "url", "secret", "kinds", "is_active", "failures",
            "trouble", "last_success", "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["failures", "trouble", "last_success", "created", "modified"]


class WebhookSecretSerializer(serializers.ModelSerializer[Webhook]):
    """Webhook with its secret, which is returned only on creation."""

    class Meta:
        model = Webhook
        fields = ["id", "name", "secret"]


class WebhookTestSerializer(serializers.Serializer[Any]):
    answer = serializers.CharField()


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    type = serializers.CharField(source="notice.kind", read_only=True)
    message = serializers.CharField(source="notice.text", read_only=True)
    due = serializers.DateTimeField(source="not_before", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id", "webhook", "type", "message", "state", "attempts", "due", "answer", "created",
        ]  # fmt: skip
