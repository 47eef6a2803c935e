from typing import Any

from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.devices.models import Device, DeviceGroup
from controller.dialects.fields import IpAddressField
from controller.dialects.openapi.shapes import OBJECT, OBJECTS
from supervisor_proxy.models import (
    BackupPlan,
    CampaignDevice,
    Home,
    HomeAlert,
    StoredBackup,
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
    UpdateCampaign,
)
from supervisor_proxy.rules.supervisors import address_of


class SupervisorSerializer(serializers.ModelSerializer[Supervisor]):
    """A supervisor and its connection. The key is write-only."""

    shapes = {"reported": OBJECT}

    device = VisibleRelatedField(queryset=Device.objects.all())
    device_name = serializers.CharField(source="device.name", read_only=True)
    key = serializers.CharField(write_only=True, required=False, allow_blank=True)
    uuid = serializers.CharField(required=False, allow_blank=True)
    address = IpAddressField(required=False, allow_null=True)
    dialled = serializers.SerializerMethodField(help_text="The address it is called at.")

    class Meta:
        model = Supervisor
        fields = [
            "id", "device", "device_name", "flavor", "transport", "uuid", "address", "dialled", "port",
            "key", "key_state", "key_changed", "app_id", "version", "reported", "last_report",
            "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["key_state", "key_changed", "reported", "last_report"]

    def get_dialled(self, obj: Supervisor) -> str | None:
        return address_of(obj)


class SupervisorCallSerializer(serializers.ModelSerializer[SupervisorCall]):
    shapes = {"asked": OBJECT}

    device = serializers.UUIDField(source="supervisor.device_id", read_only=True)

    class Meta:
        model = SupervisorCall
        fields = [
            "id", "supervisor", "device", "batch", "name", "method", "path", "asked", "state",
            "status", "answer", "code", "reason", "created", "started", "ended", "duration",
            "expires", "progress", "stage", "verified", "verdict", "actor", "channel", "address", "request_id",
        ]  # fmt: skip
        read_only_fields = fields


class SupervisorBatchSerializer(serializers.ModelSerializer[SupervisorBatch]):
    total = serializers.IntegerField(read_only=True)
    done = serializers.SerializerMethodField()
    results = serializers.SerializerMethodField()

    class Meta:
        model = SupervisorBatch
        fields = [
            "id", "organization", "name", "method", "path", "app_id", "actor", "total", "done",
            "results", "created",
        ]  # fmt: skip
        read_only_fields = fields

    def get_done(self, obj: Any) -> int:
        return int(obj.total - obj.queued - obj.running)

    def get_results(self, obj: Any) -> dict[str, int]:
        return {state: getattr(obj, state) for state in SupervisorCall.State.values}


class CampaignDeviceSerializer(serializers.ModelSerializer[CampaignDevice]):
    device = serializers.UUIDField(source="supervisor.device_id", read_only=True)
    name = serializers.CharField(source="supervisor.device.name", read_only=True)

    class Meta:
        model = CampaignDevice
        fields = ["device", "name", "wave", "state", "before", "after", "backup", "reason"]
        read_only_fields = fields


class CampaignSerializer(serializers.ModelSerializer[UpdateCampaign]):
    """A Core update: created with ``supervisors``, read with ``devices``."""

    organization = OrganizationField()
    supervisors = VisibleRelatedField(
        many=True, queryset=Supervisor.objects.select_related("device"), write_only=True
    )
    devices = CampaignDeviceSerializer(many=True, read_only=True)

    class Meta:
        model = UpdateCampaign
        fields = [
            "id", "organization", "name", "version", "supervisors", "state", "wave", "reason",
            "devices", "created", "ended",
        ]  # fmt: skip
        read_only_fields = ["state", "wave", "reason", "created", "ended"]


class HomeSerializer(serializers.ModelSerializer[Home]):
    """State of a Home Assistant device when it was last polled."""

    shapes = {"addons": OBJECTS}

    device = serializers.UUIDField(source="supervisor.device_id", read_only=True)
    name = serializers.CharField(source="supervisor.device.name", read_only=True)

    class Meta:
        model = Home
        fields = [
            "id", "supervisor", "device", "name", "core", "core_latest", "system",
            "system_latest", "supervisor_version", "supervisor_latest", "updates", "health",
            "addons", "disk_free", "disk_total", "last_backup", "asked", "seen", "reason",
        ]  # fmt: skip
        read_only_fields = fields


class HomeAlertSerializer(serializers.ModelSerializer[HomeAlert]):
    device = serializers.UUIDField(source="supervisor.device_id", read_only=True)
    name = serializers.CharField(source="supervisor.device.name", read_only=True)

    class Meta:
        model = HomeAlert
        fields = [
            "id", "supervisor", "device", "name", "kind", "about", "text", "created", "seen",
            "ended",
        ]  # fmt: skip
        read_only_fields = fields


class BackupPlanSerializer(serializers.ModelSerializer[BackupPlan]):
    """Backup schedule and retention of an organization's Home Assistant devices."""

    organization = OrganizationField()
    group = VisibleRelatedField(
        queryset=DeviceGroup.objects.all(), required=False, allow_null=True
    )

    class Meta:
        model = BackupPlan
        fields = [
            "id", "organization", "name", "group", "enabled", "hours", "keep",
            "keep_on_device", "created", "modified",
        ]  # fmt: skip


class StoredBackupSerializer(serializers.ModelSerializer[StoredBackup]):
    device = serializers.UUIDField(source="supervisor.device_id", read_only=True)
    name = serializers.CharField(source="supervisor.device.name", read_only=True)

    class Meta:
        model = StoredBackup
        fields = [
            "id", "plan", "supervisor", "device", "name", "state", "slug", "is_on_device", "size",
            "sha256", "reason", "created", "fetched",
        ]  # fmt: skip
        read_only_fields = fields


class IngressSerializer(serializers.Serializer[Any]):
    addon = serializers.RegexField(r"^[A-Za-z0-9_-]{1,128}$", help_text="Its slug.")
