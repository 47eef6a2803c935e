from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.configs.models import Backend, Config, Template
from controller.connections.engine.commands import KINDS
from controller.devices.api.filters import visible_groups
from controller.devices.models import Device, DeviceGroup, OrganizationSettings
from controller.dialects.fields import IpAddressField, JSONObjectField, SecretCharField
from controller.dialects.masking import MasksSecrets
from controller.dialects.openapi.shapes import TEXTS


@extend_schema_field(OpenApiTypes.UUID)
class GroupField(serializers.PrimaryKeyRelatedField[Any]):
    def get_queryset(self) -> Any:
        return visible_groups(self.context.get("request"))


class SettingsSerializer(MasksSecrets, serializers.ModelSerializer[OrganizationSettings]):
    """Device settings of an organization; secret and variables for permitted readers only."""

    shapes = {"management_networks": TEXTS}

    shared_secret = SecretCharField(required=False, help_text="Null for most readers.")
    command_types = serializers.MultipleChoiceField(
        choices=[(name, kind.label) for name, kind in KINDS.items()],
        required=False, help_text="The only kinds that may be sent; empty for all.",
    )  # fmt: skip
    context = JSONObjectField(required=False, allow_null=True)  # type: ignore[assignment]

    class Meta:
        model = OrganizationSettings
        fields = [
            "organization", "registration_enabled", "self_creation", "consistent_keys",
            "enrollment_enabled", "shared_secret", "context", "device_limit", "command_types",
            "management_networks", "modified",
        ]  # fmt: skip
        read_only_fields = ["organization"]

    def validate_context(self, value: Any) -> Any:
        """Refuse null, which is only read: it stands for variables that the reader may not see."""
        if value is None:
            self.fields["context"].fail("null")
        return value


class MoveSerializer(serializers.Serializer[Any]):
    organization = OrganizationField()
    group = GroupField(required=False, allow_null=True)
    dry_run = serializers.BooleanField(
        default=False, help_text="Only tell what it would lead to."
    )


class PlanSerializer(serializers.Serializer[Any]):
    """Effects of moving a device."""

    kept = serializers.ListField(child=serializers.CharField())
    added = serializers.ListField(child=serializers.CharField())
    dropped = serializers.ListField(child=serializers.CharField())
    revoked = serializers.ListField(child=serializers.CharField())
    undefined = serializers.ListField(
        child=serializers.CharField(), help_text="Variables that nothing would define."
    )
    problem = serializers.CharField(help_text="Why it cannot be moved; empty if it can.")


class GroupSerializer(MasksSecrets, serializers.ModelSerializer[DeviceGroup]):
    organization = OrganizationField()
    templates = VisibleRelatedField(many=True, queryset=Template.objects.all())
    context = JSONObjectField(required=False)  # type: ignore[assignment]
    meta_data = JSONObjectField(required=False)

    class Meta:
        model = DeviceGroup
        fields = [
            "id", "name", "organization", "description", "templates", "context", "meta_data",
            "created", "modified",
        ]  # fmt: skip

    def to_representation(self, instance: DeviceGroup) -> dict[str, Any]:
        # Templates of the group in their order, which the model does not have.
        instance.templates = [use.template for use in instance.template_uses.all()]  # type: ignore[attr-defined]
        return super().to_representation(instance)


class ListConfig(serializers.ModelSerializer[Config]):
    """Configuration in lists: its status; all other fields are write-only."""

    templates = VisibleRelatedField(
        many=True, queryset=Template.objects.all(), required=False, write_only=True
    )
    backend = serializers.ChoiceField(choices=Backend.choices)
    config = JSONObjectField(required=False, write_only=True)
    # DRF uses this name for its own context on the class; a declared field may use it.
    context = JSONObjectField(required=False, write_only=True)  # type: ignore[assignment]
    error_reason = serializers.SerializerMethodField()

    class Meta:
        model = Config
        fields = ["status", "error_reason", "backend", "templates", "context", "config"]
        read_only_fields = ["status"]

    def get_error_reason(self, config: Config) -> str:
        return config.render_error or config.error_reason


class DetailConfig(MasksSecrets, ListConfig):
    # Null for those who may not read configurations.
    answer_shapes = {name: {"type": ["object", "null"]} for name in ("config", "context")}

    templates = VisibleRelatedField(many=True, queryset=Template.objects.all(), required=False)
    config = JSONObjectField(required=False)
    context = JSONObjectField(required=False)

    def to_representation(self, instance: Config) -> dict[str, Any]:
        shown = super().to_representation(instance)
        # In their order, which the many-to-many relation does not keep.
        shown["templates"] = [use.template_id for use in instance.uses.all()]
        if not self.root._context["request"].user.has_perm_on("config:read", instance):
            shown |= dict.fromkeys(("config", "context"))
        return shown


class DeviceList(MasksSecrets, serializers.ModelSerializer[Device]):
    organization = OrganizationField()
    group = GroupField(required=False, allow_null=True)
    key = SecretCharField(required=False, max_length=64, help_text="Made if left out.")
    last_ip = serializers.CharField(source="presence.last_ip", read_only=True, allow_null=True)
    config = ListConfig(required=False, allow_null=True)
    management_ip = IpAddressField(
        required=False, allow_null=True, help_text="The portal connects to this address."
    )

    class Meta:
        model = Device
        fields = [
            "id", "name", "organization", "group", "mac_address", "key", "last_ip",
            "management_ip", "model", "os", "system", "notes", "config", "created", "modified",
        ]  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        mac, organization = attrs.get("mac_address"), attrs.get("organization")
        if mac and organization:
            others = Device.objects.filter(mac_address=mac, organization=organization)
            if isinstance(self.instance, Device):
                others = others.exclude(pk=self.instance.pk)
            if others.exists():
                raise serializers.ValidationError(
                    "The fields mac_address, organization must make a unique set."
                )
        return attrs

    def to_representation(self, instance: Device) -> dict[str, Any]:
        shown = super().to_representation(instance)
        shown.setdefault("last_ip", None)
        shown.setdefault("config", None)
        return shown


class DeviceDetail(DeviceList):
    config = DetailConfig(required=False, allow_null=True)

    class Meta(DeviceList.Meta):
        fields = [*DeviceList.Meta.fields[:8], "is_deactivated", *DeviceList.Meta.fields[8:]]
        read_only_fields = ["is_deactivated"]
