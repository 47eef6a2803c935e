from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.accounts.models import Version
from controller.base import masking
from controller.configs.models import Rollout, Snapshot, Template
from controller.configs.rules import drift, rollouts, snapshots, versions
from controller.devices.models import DeviceGroup, Enrollment
from controller.dialects.fields import JSONObjectField
from controller.dialects.masking import MasksSecrets
from controller.dialects.openapi.shapes import ANYTHING, OBJECT, TEXTS
from controller.vpn.models import Vpn


class TemplateSerializer(MasksSecrets, serializers.ModelSerializer[Template]):
    organization = OrganizationField(required=False, allow_null=True, default=None)
    vpn = VisibleRelatedField(queryset=Vpn.objects.all(), required=False, allow_null=True)
    auto_cert = serializers.BooleanField(
        required=False, write_only=True, help_text="Whether its devices are provisioned."
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=64,
        help_text="Devices that register with one of them get the template.",
    )  # fmt: skip
    config = JSONObjectField(required=False)
    default_values = JSONObjectField(required=False)

    class Meta:
        model = Template
        fields = [
            "id", "name", "organization", "type", "backend", "vpn", "auto_cert", "tags", "default",
            "required", "notes", "default_values", "config", "created", "modified",
        ]  # fmt: skip


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
    """Snapshot with its files and the effects of restoring it."""

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
        is_open = user.has_perm_on("device:secret", instance)
        found = snapshots.preview_restore(instance)
        secrets = (instance.made_of or {}).get("secrets", [])
        instance.files = snapshots.files_of(instance, is_open=is_open)
        instance.masked = not is_open
        instance.restorable, instance.same = found.is_possible, found.is_same
        instance.notes = [
            note if is_open else masking.masked_text(note, secrets) for note in found.notes
        ]
        return super().to_representation(instance)


class WaveSerializer(serializers.Serializer[Any]):
    wave = serializers.IntegerField()
    total = serializers.IntegerField()
    reached = serializers.IntegerField()
    taken = serializers.IntegerField()
    failed = serializers.IntegerField()
    gone = serializers.IntegerField(help_text="Offline since they were reached.")
    left_out = serializers.IntegerField(help_text="Offline or in error before.")
    waiting = serializers.IntegerField()


class RolloutSerializer(MasksSecrets, serializers.ModelSerializer[Rollout]):
    template = VisibleRelatedField(queryset=Template.objects.all())
    config = JSONObjectField(required=False)
    default_values = JSONObjectField(required=False)
    waves = serializers.ListField(child=serializers.CharField(), required=False)

    class Meta:
        model = Rollout
        fields = [
            "id", "template", "config", "default_values", "waves", "pause", "allowed", "state",
            "reason", "wave", "wave_started", "started", "ended", "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["state", "reason", "wave", "wave_started", "started", "ended"]


class RolloutDetail(RolloutSerializer):
    """Rollout with its progress per wave."""

    progress = serializers.SerializerMethodField()

    class Meta(RolloutSerializer.Meta):
        fields = [*RolloutSerializer.Meta.fields, "progress"]

    @extend_schema_field(WaveSerializer(many=True))
    def get_progress(self, row: Rollout) -> list[dict[str, Any]]:
        return rollouts.by_wave(row)


class ChangeSerializer(serializers.Serializer[Any]):
    devices = serializers.ListField(child=serializers.CharField())
    before = FileSerializer(many=True)
    after = FileSerializer(many=True)
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    error = serializers.CharField()


class ForecastSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    looked_at = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    groups = ChangeSerializer(many=True)


class PendingSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    state = serializers.ChoiceField(
        choices=["same", "changed", "added", "removed", "drifted"],
        help_text="Desired against applied configuration.",
    )


class DriftSerializer(serializers.Serializer[Any]):
    """Desired configuration of a device compared with the applied and actual one."""

    status = serializers.CharField()
    applied = serializers.CharField(allow_null=True, help_text="Checksum of what it took.")
    desired = serializers.CharField(
        allow_null=True, help_text="Checksum of what it should have."
    )
    has_drifted = serializers.BooleanField()
    drifted_at = serializers.DateTimeField(allow_null=True)
    checked = serializers.DateTimeField(allow_null=True, source="drift_checked")
    reason = serializers.CharField(source="drift_reason")
    files = PendingSerializer(many=True)
    undefined = serializers.ListField(
        child=serializers.CharField(), help_text="Variables that it uses and nothing defines."
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        instance.has_drifted = instance.drifted_at is not None
        instance.files = drift.pending(instance)
        instance.undefined = drift.undefined(instance)
        return super().to_representation(instance)


class EnrollmentSerializer(serializers.ModelSerializer[Enrollment]):
    shapes = {"told": OBJECT}

    class Meta:
        model = Enrollment
        fields = [
            "id", "organization", "name", "mac_address", "fingerprint", "told", "address", "state",
            "device", "asked", "decided", "created",
        ]  # fmt: skip
        read_only_fields = fields


class ApprovalSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(
        required=False, max_length=64, help_text="Instead of what the device calls itself."
    )
    group = VisibleRelatedField(
        queryset=DeviceGroup.objects.all(), required=False, allow_null=True
    )
    replaces = serializers.BooleanField(
        required=False, help_text="Take the place of the device that has this MAC address."
    )


class VersionSerializer(serializers.ModelSerializer[Version]):
    shapes = {"changed": TEXTS, "values": OBJECT}

    class Meta:
        model = Version
        fields = [
            "id", "row", "number", "organization", "name", "verb", "changed", "actor", "at",
        ]  # fmt: skip
        read_only_fields = fields


class FieldChangeSerializer(serializers.Serializer[Any]):
    shapes = {"before": ANYTHING, "after": ANYTHING}

    field = serializers.CharField()
    before = serializers.JSONField(help_text="What it is now.")
    after = serializers.JSONField(help_text="What going back makes of it.")


class VersionDetail(VersionSerializer):
    """Version with its values and the changes restoring it would make."""

    values = serializers.JSONField(read_only=True)
    changes = FieldChangeSerializer(many=True, read_only=True)
    notes = serializers.ListField(child=serializers.CharField(), read_only=True)
    masked = serializers.BooleanField(read_only=True)

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "values", "changes", "notes", "masked"]
        read_only_fields = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        is_open = versions.may_read_all(self.context["request"].user, instance)
        found = versions.preview_restore(instance)
        instance.masked, instance.notes = not is_open, found.notes
        instance.changes = [
            {
                "field": one.field,
                "before": versions.shown_value(one.before, one.field, is_open=is_open),
                "after": versions.shown_value(one.after, one.field, is_open=is_open),
            }
            for one in found.changes
        ]
        instance.values = {
            name: versions.shown_value(value, name, is_open=is_open)
            for name, value in instance.values.items()
        }
        return super().to_representation(instance)
