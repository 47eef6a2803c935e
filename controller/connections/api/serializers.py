from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.connections.models import (
    Command,
    CommandBatch,
    Credentials,
    DeviceConnection,
)
from controller.connections.rules import SECRETS
from controller.devices.models import Device, DeviceGroup
from controller.dialects.fields import JSONObjectField
from geo.models import Location

MASK = "********"

# OpenWISP's clients identify strategies by Python class paths.
OPENWISP_STRATEGIES = {
    "openwisp_controller.connection.connectors.openwrt.ssh.OpenWrt": (
        DeviceConnection.Strategy.OPENWRT_AGENT
    ),
    "openwisp_controller.connection.connectors.openwrt.ssh.OpenWisp1": (
        DeviceConnection.Strategy.OPENWISP_1
    ),
}


class ParamsField(JSONObjectField):
    """SSH or SNMP parameters: secrets are write-only and returned masked."""

    default_error_messages = {
        "not_a_dict": "An object with username and password or key is expected."
    }

    def to_internal_value(self, data: Any) -> Any:
        # A client that writes back masked values leaves the secrets unchanged.
        given = super().to_internal_value(data)
        return {name: value for name, value in given.items() if value != MASK}

    def to_representation(self, value: Any) -> Any:
        return {
            name: MASK if name in SECRETS and secret else secret
            for name, secret in value.items()
        }


class CredentialsSerializer(serializers.ModelSerializer[Credentials]):
    organization = OrganizationField(required=False, allow_null=True, default=None)
    connector = serializers.ChoiceField(choices=Credentials.Connector.choices)
    params = ParamsField()

    class Meta:
        model = Credentials
        fields = [
            "id", "connector", "name", "organization", "auto_add", "params", "created",
            "modified",
        ]  # fmt: skip


class StrategyField(serializers.ChoiceField):
    """Update strategy; accepts OpenWISP's names as well, and returns them if they exist."""

    def __init__(self, **kwargs: Any) -> None:
        known = [*OPENWISP_STRATEGIES, *DeviceConnection.Strategy.values]
        super().__init__(choices=known, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if data == "":
            return DeviceConnection.Strategy.OPENWRT_AGENT
        name = super().to_internal_value(data)
        return OPENWISP_STRATEGIES.get(name, name)

    def to_representation(self, value: Any) -> Any:
        theirs = {strategy: name for name, strategy in OPENWISP_STRATEGIES.items()}
        return theirs.get(value, value)


class ConnectionSerializer(serializers.ModelSerializer[DeviceConnection]):
    credentials = VisibleRelatedField(queryset=Credentials.objects.all())
    update_strategy = StrategyField(required=False, allow_blank=True)

    class Meta:
        model = DeviceConnection
        fields = [
            "id", "credentials", "update_strategy", "enabled", "port", "host_key",
            "is_working", "failure_reason", "last_attempt", "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["is_working", "failure_reason", "last_attempt"]


class CommandSerializer(serializers.ModelSerializer[Command]):
    """Command; the type is sent as a name and returned as a label, as in OpenWISP."""

    type = serializers.CharField()
    input = serializers.JSONField(allow_null=True)
    connection = VisibleRelatedField(
        queryset=DeviceConnection.objects.all(), required=False, allow_null=True
    )

    class Meta:
        model = Command
        fields = [
            "id", "input", "device", "connection", "created", "modified", "status", "type",
            "output", "exit_status",
        ]  # fmt: skip
        read_only_fields = ["device", "status", "output", "exit_status"]

    def to_representation(self, instance: Command) -> dict[str, Any]:
        shown = super().to_representation(instance)
        shown["type"] = instance.get_type_display()
        shown["input"] = instance.shown_input
        return shown


@extend_schema_serializer(component_name="CommandBatch")
class BatchSerializer(serializers.ModelSerializer[CommandBatch]):
    """Command for the listed devices, or for all that match the query's filters."""

    organization = OrganizationField()
    devices = VisibleRelatedField(
        many=True, queryset=Device.objects.all(), write_only=True, required=False,
        help_text="Left out: those that the filters of the device list find, in the query.",
    )  # fmt: skip
    type = serializers.CharField()
    input = serializers.JSONField(allow_null=True, write_only=True)
    total = serializers.IntegerField(read_only=True)
    done = serializers.IntegerField(read_only=True)
    results = serializers.DictField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = CommandBatch
        fields = [
            "id", "organization", "type", "input", "label", "devices", "total", "done",
            "results", "created",
        ]  # fmt: skip

    def to_representation(self, instance: CommandBatch) -> dict[str, Any]:
        # Annotated by the view's queryset.
        counts = {
            status: getattr(instance, status.replace("-", "_"))
            for status in Command.Status.values
        }
        instance.done = instance.total - counts[Command.Status.IN_PROGRESS]  # type: ignore[attr-defined]
        instance.results = counts  # type: ignore[attr-defined]
        return super().to_representation(instance)


@extend_schema_serializer(component_name="MassCommand")
class MassCommandSerializer(BatchSerializer):
    """A command for many devices, as later versions of OpenWISP name what it is for."""

    group = VisibleRelatedField(
        queryset=DeviceGroup.objects.all(), write_only=True, required=False, allow_null=True
    )
    location = VisibleRelatedField(
        queryset=Location.objects.all(), write_only=True, required=False, allow_null=True
    )
    notes = serializers.CharField(
        write_only=True, required=False, allow_blank=True, max_length=128,
        help_text="Kept as the label, where that is empty.",
    )  # fmt: skip

    class Meta(BatchSerializer.Meta):
        fields = [*BatchSerializer.Meta.fields, "group", "location", "notes"]
