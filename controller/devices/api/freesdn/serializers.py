"""Device serializers in the FreeSDN dialect. Unknown values are null."""

from typing import Any

from rest_framework import serializers

from controller.accounts.api.serializers import VisibleRelatedField
from controller.accounts.models import Site
from controller.devices.models import Device, Presence
from controller.dialects.fields import IpAddressField

# Devices without a kind.
OTHER = "other"
TYPES = [*Device.Kind.choices, (OTHER, "Other")]
STATUSES = [*Presence.State.choices, ("deactivated", "Deactivated")]


# What clients read, and the portal does not know of a device.
UNKNOWN: dict[str, Any] = {
    "connection_type": None, "external_id": None, "active_port_count": 0, "port_count": 0,
    "client_count": 0, "cpu_usage_percent": None, "memory_usage_percent": None,
    "uptime_seconds": None, "vlan_id": None,
}  # fmt: skip


class DeviceShape(serializers.ModelSerializer[Device]):
    site_id = VisibleRelatedField(
        source="site", queryset=Site.objects.all(), required=False, allow_null=True
    )
    organization_id = serializers.UUIDField(read_only=True)
    group_id = serializers.UUIDField(read_only=True, allow_null=True)
    device_type = serializers.ChoiceField(source="kind", choices=TYPES, required=False)
    ip_address = IpAddressField(source="management_ip", required=False, allow_null=True)
    manufacturer = serializers.CharField(read_only=True, allow_null=True)
    firmware_version = serializers.CharField(source="os", required=False, allow_blank=True)
    serial_number = serializers.CharField(
        source="hardware_id", required=False, allow_null=True, max_length=32
    )
    status = serializers.ChoiceField(choices=STATUSES, read_only=True)
    last_seen = serializers.DateTimeField(read_only=True, allow_null=True)
    is_active = serializers.BooleanField(read_only=True)
    is_managed = serializers.BooleanField(read_only=True)
    config_status = serializers.CharField(read_only=True, allow_null=True)
    metadata = serializers.DictField(read_only=True)
    capabilities = serializers.DictField(read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    updated_at = serializers.DateTimeField(source="modified", read_only=True)
    connection_type = serializers.CharField(read_only=True, allow_null=True)
    external_id = serializers.CharField(read_only=True, allow_null=True)
    lifecycle_state = serializers.ChoiceField(choices=("active", "retired"), read_only=True)
    active_port_count = serializers.IntegerField(read_only=True)
    port_count = serializers.IntegerField(read_only=True)
    client_count = serializers.IntegerField(read_only=True)
    cpu_usage_percent = serializers.FloatField(read_only=True, allow_null=True)
    memory_usage_percent = serializers.FloatField(read_only=True, allow_null=True)
    uptime_seconds = serializers.IntegerField(read_only=True, allow_null=True)
    vlan_id = serializers.IntegerField(read_only=True, allow_null=True)

    class Meta:
        model = Device
        fields = [
            "id", "name", "device_type", "mac_address", "ip_address", "model", "manufacturer",
            "firmware_version", "serial_number", "site_id", "organization_id", "group_id",
            "status", "last_seen", "is_active", "is_managed", "config_status", "notes",
            "metadata", "capabilities", "created_at", "updated_at", "lifecycle_state", *UNKNOWN,
        ]  # fmt: skip
        read_only_fields = ["model"]
        validators: list[Any] = []

    def validate_device_type(self, value: str) -> str:
        return "" if value == OTHER else value

    def to_representation(self, instance: Device) -> dict[str, Any]:
        presence = getattr(instance, "presence", None)
        config = getattr(instance, "config", None)
        return as_item(
            (
                instance.pk, instance.name, instance.kind, instance.mac_address, instance.management_ip,
                instance.model, instance.os, instance.hardware_id, instance.site_id,
                instance.organization_id, instance.group_id, presence and presence.state,
                presence and presence.last_seen, presence and presence.last_ip,
                instance.is_deactivated, config and config.status, instance.notes,
                instance.created, instance.modified,
            )
        )  # fmt: skip


# Columns read by lists, in the order that as_item expects.
COLUMNS = (
    "id", "name", "kind", "mac_address", "management_ip", "model", "os", "hardware_id", "site_id",
    "organization_id", "group_id", "presence__state", "presence__last_seen",
    "presence__last_ip", "is_deactivated", "config__status", "notes", "created", "modified",
)  # fmt: skip


def as_item(row: tuple[Any, ...]) -> dict[str, Any]:
    (
        pk, name, kind, mac, address, model, system, serial, site, organization, group, state,
        last_seen, last_ip, is_deactivated, config_status, notes, created, modified,
    ) = row  # fmt: skip
    manufacturer, _, _ = model.partition(" ")
    return {
        "id": pk,
        "name": name,
        "device_type": kind or OTHER,
        "mac_address": mac,
        "ip_address": address or last_ip,
        "model": model,
        "manufacturer": manufacturer or None,
        "firmware_version": system,
        "serial_number": serial,
        "site_id": site,
        "organization_id": organization,
        "group_id": group,
        "status": "deactivated" if is_deactivated else state or "unknown",
        "last_seen": last_seen,
        "is_active": not is_deactivated,
        "is_managed": config_status is not None,
        "config_status": config_status,
        "notes": notes,
        "metadata": {},
        "capabilities": {},
        "created_at": created,
        "updated_at": modified,
        "lifecycle_state": "retired" if is_deactivated else "active",
        **UNKNOWN,
    }


class Summary(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    online = serializers.IntegerField()
    offline = serializers.IntegerField()
    total_devices = serializers.IntegerField()
    online_devices = serializers.IntegerField()
    offline_devices = serializers.IntegerField()
    by_type = serializers.DictField(child=serializers.IntegerField())
    by_status = serializers.DictField(child=serializers.IntegerField())
