from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.devices.api.serializers import DeviceList, GroupField
from controller.devices.models import Device
from controller.dialects.fields import JSONObjectField
from controller.dialects.masking import MasksSecrets
from controller.monitoring.engine.health import Health
from controller.monitoring.models import Check, CheckRun, Silence, Threshold, WifiSession
from controller.monitoring.rules.latest_reports import vendor_of
from geo.api.serializers import DeviceOfLocation, IndoorCoordinates
from geo.models import DeviceLocation

STATUS = inline_serializer(
    "DeviceHealth", {"status": serializers.ChoiceField([one.value for one in Health])}
)
LABELED = inline_serializer(
    "LabeledHealth",
    {
        "status": serializers.ChoiceField([one.value for one in Health]),
        "status_label": serializers.CharField(),
    },
)


def labeled(health: str) -> dict[str, str]:
    return {"status": health, "status_label": health}


class MonitoredDeviceSerializer(DeviceList):
    """A device of a list, and how it is."""

    monitoring = serializers.SerializerMethodField()

    class Meta(DeviceList.Meta):
        fields = [*DeviceList.Meta.fields, "monitoring"]

    @extend_schema_field(STATUS)
    def get_monitoring(self, device: Any) -> dict[str, str]:
        return {"status": device.health}

    def to_representation(self, instance: Device) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if shown["config"] is None:
            del shown["config"]
        return shown


class NearbyDeviceSerializer(serializers.ModelSerializer[Device]):
    distance = serializers.SerializerMethodField()
    monitoring_status = serializers.CharField(source="health")
    monitoring_data = serializers.SerializerMethodField()

    class Meta:
        model = Device
        fields = [
            "id", "name", "organization", "group", "mac_address", "management_ip", "model",
            "os", "system", "notes", "distance", "monitoring_status", "monitoring_data",
        ]  # fmt: skip

    def get_distance(self, device: Any) -> float:
        return float(round(device.distance.m))

    def get_monitoring_data(self, device: Device) -> dict[str, Any] | None:
        found: dict[Any, dict[str, Any]] = self.context.get("snapshots", {})
        return found.get(device.pk)


class DeviceOfPlace(MasksSecrets, DeviceOfLocation):
    """A device at a location, and how it is."""

    key = serializers.CharField(read_only=True, allow_null=True)
    monitoring = serializers.SerializerMethodField()

    class Meta(DeviceOfLocation.Meta):
        fields = [*DeviceOfLocation.Meta.fields, "key", "monitoring"]

    @extend_schema_field(LABELED)
    def get_monitoring(self, device: Any) -> dict[str, str]:
        return labeled(device.health)


class MonitoredCoordinates(IndoorCoordinates):
    monitoring = serializers.SerializerMethodField()

    class Meta(IndoorCoordinates.Meta):
        fields = [*IndoorCoordinates.Meta.fields, "monitoring"]

    @extend_schema_field(LABELED)
    def get_monitoring(self, place: DeviceLocation) -> dict[str, str]:
        return labeled(place.health)  # type: ignore[attr-defined]


class MetricSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    key = serializers.CharField()
    is_healthy = serializers.BooleanField(
        allow_null=True, help_text="Whether the newest value is within its limit."
    )


class ClientSerializer(serializers.Serializer[WifiSession]):
    mac_address = serializers.CharField()
    vendor = serializers.SerializerMethodField()
    wifi6 = serializers.SerializerMethodField(help_text='"True" or "False"; null is unknown.')
    wifi5 = serializers.SerializerMethodField(help_text='"True" or "False"; null is unknown.')
    wifi4 = serializers.SerializerMethodField(help_text='"True" or "False"; null is unknown.')
    wmm = serializers.BooleanField()
    wds = serializers.BooleanField()
    wps = serializers.BooleanField()

    def get_vendor(self, session: WifiSession) -> str | None:
        return vendor_of(session.mac_address) or None

    def get_wifi6(self, session: WifiSession) -> str | None:
        return None if session.wifi6 is None else str(session.wifi6)

    def get_wifi5(self, session: WifiSession) -> str | None:
        return None if session.wifi5 is None else str(session.wifi5)

    def get_wifi4(self, session: WifiSession) -> str | None:
        return None if session.wifi4 is None else str(session.wifi4)


class SessionSerializer(serializers.ModelSerializer[WifiSession]):
    organization = serializers.CharField(source="device.organization.name")
    device = serializers.CharField(source="device.name")
    client = ClientSerializer(source="*")

    class Meta:
        model = WifiSession
        fields = [
            "id", "organization", "device", "ssid", "interface_name", "client", "start_time",
            "stop_time", "modified",
        ]  # fmt: skip


class ThresholdSerializer(serializers.ModelSerializer[Threshold]):
    organization = OrganizationField(required=False, allow_null=True)
    group = GroupField(required=False, allow_null=True)
    device = VisibleRelatedField(queryset=Device.objects.all(), required=False, allow_null=True)

    class Meta:
        model = Threshold
        fields = [
            "id", "organization", "group", "device", "metric", "operator", "value", "minutes",
            "enabled", "created", "modified",
        ]  # fmt: skip
        # The rule checks them, with words of its own.
        validators: list[Any] = []


class CheckSerializer(serializers.ModelSerializer[Check]):
    organization = OrganizationField()
    group = GroupField(required=False, allow_null=True)
    device = VisibleRelatedField(queryset=Device.objects.all(), required=False, allow_null=True)
    parameters = JSONObjectField(required=False)

    class Meta:
        model = Check
        fields = [
            "id", "organization", "group", "device", "name", "kind", "parameters", "seconds",
            "enabled", "created", "modified",
        ]  # fmt: skip
        # The rule checks them, with words of its own.
        validators: list[Any] = []


class CheckRunSerializer(serializers.ModelSerializer[CheckRun]):
    device = serializers.UUIDField(source="monitored.device_id")
    name = serializers.CharField(source="monitored.device.name")
    at = serializers.SerializerMethodField(help_text="When it ran last; null is never.")

    class Meta:
        model = CheckRun
        fields = ["device", "name", "at", "is_good", "milliseconds", "reason"]

    def get_at(self, run: CheckRun) -> datetime | None:
        return None if run.at is None else datetime.fromtimestamp(run.at, UTC)


class SilenceSerializer(serializers.ModelSerializer[Silence]):
    organization = OrganizationField()
    group = GroupField(required=False, allow_null=True)
    device = VisibleRelatedField(queryset=Device.objects.all(), required=False, allow_null=True)

    class Meta:
        model = Silence
        fields = [
            "id", "organization", "site", "group", "device", "metric", "starts", "ends", "reason",
            "created", "modified",
        ]  # fmt: skip
        validators: list[Any] = []
