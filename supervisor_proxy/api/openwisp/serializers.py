from typing import Any

from rest_framework import serializers

from controller.devices.api.serializers import OrganizationField, VisibleRelatedField
from controller.devices.models import Device
from supervisor_proxy.models import (
    CampaignDevice,
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
    Terminal,
    UpdateCampaign,
)
from supervisor_proxy.rules.supervisors import address_of


class SupervisorSerializer(serializers.ModelSerializer[Supervisor]):
    """How a supervisor is reached. Its key can be written and never read."""

    device = VisibleRelatedField(queryset=Device.objects.all())
    device_name = serializers.CharField(source="device.name", read_only=True)
    key = serializers.CharField(write_only=True, required=False, allow_blank=True)
    uuid = serializers.CharField(required=False, allow_blank=True)
    dialled = serializers.SerializerMethodField(help_text="The address it is called at.")

    class Meta:
        model = Supervisor
        fields = [
            "id", "device", "device_name", "flavor", "uuid", "address", "dialled", "port",
            "key", "key_state", "key_changed", "app_id", "version", "reported", "last_report",
            "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["key_state", "key_changed", "reported", "last_report"]

    def get_dialled(self, obj: Supervisor) -> str | None:
        return address_of(obj)


class SupervisorCallSerializer(serializers.ModelSerializer[SupervisorCall]):
    device = serializers.UUIDField(source="supervisor.device_id", read_only=True)

    class Meta:
        model = SupervisorCall
        fields = [
            "id", "supervisor", "device", "batch", "name", "method", "path", "asked", "state",
            "status", "answer", "code", "reason", "created", "started", "ended", "duration",
            "expires", "verified", "verdict", "actor", "channel", "address", "request_id",
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


class TerminalSerializer(serializers.ModelSerializer[Terminal]):
    """A terminal; the ticket is in the answer to its creation alone."""

    device = VisibleRelatedField(queryset=Device.objects.all())
    reason = serializers.CharField(max_length=200)
    ticket = serializers.CharField(read_only=True, required=False)

    class Meta:
        model = Terminal
        fields = [
            "id", "device", "reason", "ticket", "state", "actor", "address", "opened", "closed",
            "closed_because", "created",
        ]  # fmt: skip
        read_only_fields = [
            "state", "actor", "address", "opened", "closed", "closed_because", "created",
        ]  # fmt: skip


class CampaignDeviceSerializer(serializers.ModelSerializer[CampaignDevice]):
    device = serializers.UUIDField(source="supervisor.device_id", read_only=True)
    name = serializers.CharField(source="supervisor.device.name", read_only=True)

    class Meta:
        model = CampaignDevice
        fields = ["device", "name", "wave", "state", "before", "after", "backup", "reason"]
        read_only_fields = fields


class CampaignSerializer(serializers.ModelSerializer[UpdateCampaign]):
    """Updates of Home Assistant Core: begun with ``supervisors``, followed by ``devices``."""

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
