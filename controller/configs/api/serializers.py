from typing import Any

from rest_framework import serializers

from controller.configs.engine import masking
from controller.configs.models import Snapshot, Template
from controller.configs.rules import history
from controller.devices.api.serializers import OrganizationField, VisibleRelatedField
from controller.vpn.models import Vpn


class TemplateSerializer(serializers.ModelSerializer[Template]):
    organization = OrganizationField(required=False, allow_null=True, default=None)
    vpn = VisibleRelatedField(queryset=Vpn.objects.all(), required=False, allow_null=True)
    auto_cert = serializers.BooleanField(
        required=False, write_only=True, help_text="Whether its devices are provisioned."
    )
    config = serializers.DictField(required=False)

    class Meta:
        model = Template
        fields = [
            "id", "name", "organization", "type", "backend", "vpn", "auto_cert", "tags", "default",
            "required", "notes", "default_values", "config", "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["tags"]


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    state = serializers.ChoiceField(choices=Snapshot.State.choices, read_only=True)
    is_current = serializers.BooleanField(read_only=True)

    class Meta:
        model = Snapshot
        fields = [
            "id", "checksum", "sha256", "state", "is_current", "created", "acknowledged",
            "refused",
        ]  # fmt: skip
        read_only_fields = fields


class FileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    mode = serializers.CharField()
    text = serializers.CharField()


class SnapshotDetail(SnapshotSerializer):
    """With its files, and what going back to it would lead to."""

    files = FileSerializer(many=True, read_only=True)
    masked = serializers.BooleanField(read_only=True)
    restorable = serializers.BooleanField(read_only=True)
    same = serializers.BooleanField(
        read_only=True, help_text="Whether going back gives the device these very files."
    )
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(SnapshotSerializer.Meta):
        fields = [
            *SnapshotSerializer.Meta.fields, "files", "masked", "restorable", "same", "notes",
        ]  # fmt: skip
        read_only_fields = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        user = self.context["request"].user
        is_open = user.may("device:secret", instance.owner_id)
        found = history.prospect(instance)
        secrets = (instance.made_of or {}).get("secrets", [])
        instance.files = history.files_of(instance, is_open=is_open)
        instance.masked = not is_open
        instance.restorable, instance.same = found.is_possible, found.is_same
        instance.notes = [
            note if is_open else masking.masked_text(note, secrets) for note in found.notes
        ]
        return super().to_representation(instance)
