from typing import Any

from rest_framework import serializers

from controller.accounts.api.serializers import VisibleRelatedField
from controller.configs.models.waves import usual_waves, valid_waves
from controller.devices.models import DeviceGroup
from controller.dialects.fields import JSONObjectField
from controller.dialects.openapi.shapes import OBJECT, TEXTS
from controller.firmware.api.serializers.catalog import BuildSerializer
from controller.firmware.engine.openwisp_words import PROGRESS, STATUS
from controller.firmware.models import (
    DeviceFirmware,
    DeviceSystem,
    FirmwareRollout,
    Image,
    Upgrade,
)
from controller.firmware.models.rollouts import valid_options, valid_window
from geo.models import Location


class OperationSerializer(serializers.ModelSerializer[Upgrade]):
    """Upgrade of a device: the keys of OpenWISP, then ours."""

    shapes = {"upgrade_options": OBJECT}

    status = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    log = serializers.SerializerMethodField()
    upgrade_options = serializers.JSONField(source="options", read_only=True)
    next_retry_at = serializers.SerializerMethodField()

    class Meta:
        model = Upgrade
        fields = [
            "id", "device", "image", "status", "log", "progress", "modified", "created",
            "state", "reason", "upgrade_options", "is_persistent", "next_retry_at",
        ]  # fmt: skip

    def get_status(self, row: Upgrade) -> str:
        return STATUS[row.state]

    def get_progress(self, row: Upgrade) -> int:
        return PROGRESS[row.state]

    def get_log(self, row: Upgrade) -> str:
        return row.log.rstrip("\n")

    def get_next_retry_at(self, row: Upgrade) -> str | None:
        waits = row.state == Upgrade.State.QUEUED and row.attempts
        return row.not_before.isoformat() if waits else None


class DeviceOperationSerializer(OperationSerializer):
    class Meta(OperationSerializer.Meta):
        fields = [name for name in OperationSerializer.Meta.fields if name != "created"]


class FirmwareBatchSerializer(serializers.ModelSerializer[FirmwareRollout]):
    shapes = {"upgrade_options": OBJECT, "waves": TEXTS}

    build = BuildSerializer(read_only=True)
    status = serializers.CharField(source="dialect_status", read_only=True)
    upgrade_options = serializers.JSONField(source="options", read_only=True)

    class Meta:
        model = FirmwareRollout
        fields = [
            "id", "build", "created", "modified", "upgrade_options", "status", "group",
            "location", "state", "reason", "waves", "wave", "pause", "allowed", "window",
            "is_persistent",
        ]  # fmt: skip


class FirmwareBatchDetailSerializer(FirmwareBatchSerializer):
    progress_report = serializers.SerializerMethodField()
    success_rate = serializers.SerializerMethodField()
    failed_rate = serializers.SerializerMethodField()
    aborted_rate = serializers.SerializerMethodField()
    cancelled_rate = serializers.SerializerMethodField()
    upgradeoperations = OperationSerializer(source="upgrades", many=True, read_only=True)

    class Meta(FirmwareBatchSerializer.Meta):
        fields = [
            *FirmwareBatchSerializer.Meta.fields, "progress_report", "success_rate", "failed_rate",
            "aborted_rate", "cancelled_rate", "upgradeoperations",
        ]  # fmt: skip

    def statuses(self, row: FirmwareRollout) -> list[str]:
        return [STATUS[one.state] for one in row.upgrades.all()]

    def get_progress_report(self, row: FirmwareRollout) -> str:
        done = [one for one in self.statuses(row) if one != "in-progress"]
        return f"{len(done)} out of {len(self.statuses(row))}"

    def rate(self, row: FirmwareRollout, status: str) -> int:
        found = self.statuses(row)
        return 100 * found.count(status) // len(found) if found else 0

    def get_success_rate(self, row: FirmwareRollout) -> int:
        return self.rate(row, "success")

    def get_failed_rate(self, row: FirmwareRollout) -> int:
        return self.rate(row, "failed")

    def get_aborted_rate(self, row: FirmwareRollout) -> int:
        return self.rate(row, "aborted")

    def get_cancelled_rate(self, row: FirmwareRollout) -> int:
        return self.rate(row, "cancelled")


class TargetSerializer(serializers.Serializer[Any]):
    """Restriction of the devices that a build is for."""

    group = VisibleRelatedField(
        queryset=DeviceGroup.objects.all(), required=False, allow_null=True
    )
    location = VisibleRelatedField(
        queryset=Location.objects.all(), required=False, allow_null=True
    )


class MassUpgradeSerializer(TargetSerializer):
    upgrade_all = serializers.BooleanField(
        default=False, help_text="Also devices without assigned firmware."
    )
    upgrade_options = JSONObjectField(
        source="options", default=dict, validators=[valid_options]
    )
    waves = serializers.ListField(
        child=serializers.CharField(), default=usual_waves, validators=[valid_waves]
    )
    pause = serializers.IntegerField(default=600, min_value=1, max_value=2**31 - 1)
    allowed = serializers.IntegerField(default=0, min_value=0, max_value=100)
    is_persistent = serializers.BooleanField(default=True)
    window = serializers.CharField(
        default="", allow_blank=True, max_length=255, validators=[valid_window]
    )


class DeviceFirmwareSerializer(serializers.ModelSerializer[DeviceFirmware]):
    image = VisibleRelatedField(queryset=Image.objects.all())
    upgrade_options = JSONObjectField(
        required=False, write_only=True, validators=[valid_options]
    )

    class Meta:
        model = DeviceFirmware
        fields = ["id", "image", "installed", "modified", "upgrade_options"]
        read_only_fields = ["installed"]


class DeviceSystemSerializer(serializers.ModelSerializer[DeviceSystem]):
    class Meta:
        model = DeviceSystem
        fields = [
            "board", "model", "target", "distribution", "version", "revision", "rootfs_type",
            "compat_version", "memory_total", "memory_available", "tmp_free", "checksum",
            "read_at", "tried_at", "reason",
        ]  # fmt: skip
