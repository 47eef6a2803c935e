"""Rollouts other than of builds: gateways of vendors, and packages of Debian hosts."""

from typing import Any

from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.configs.models.waves import WaveRollout, usual_waves, valid_waves
from controller.devices.models import DeviceGroup
from controller.dialects.openapi.shapes import TEXTS
from controller.firmware.api.serializers.operations import OperationSerializer
from controller.firmware.engine.vendors import CHOICES
from controller.firmware.models import (
    FirmwareRollout,
    GatewayRollout,
    GatewayUpgrade,
    Packages,
)
from controller.firmware.models.rollouts import valid_window
from geo.models import Location

PROGRESS = ["state", "reason", "wave", "started", "ended", "created", "modified"]


class Waves(serializers.ModelSerializer[Any]):
    """Fields that rollouts of every kind have."""

    shapes = {"waves": TEXTS}

    organization = OrganizationField()
    waves = serializers.ListField(
        child=serializers.CharField(), default=usual_waves, validators=[valid_waves]
    )
    pause = serializers.IntegerField(default=600, min_value=1, max_value=2**31 - 1)
    allowed = serializers.IntegerField(default=0, min_value=0, max_value=100)
    state = serializers.ChoiceField(choices=WaveRollout.State.choices, read_only=True)


class GatewayRolloutSerializer(Waves):
    """Firmware updates of gateways of one vendor."""

    shapes = Waves.shapes | {"targets": TEXTS}

    vendor = serializers.ChoiceField(choices=CHOICES)
    targets = serializers.ListField(
        child=serializers.CharField(max_length=255), min_length=1, max_length=1000,
        help_text="Names of gateways; for UniFi and Omada each with a blank and the MAC address "
        "of the device behind it.",
    )  # fmt: skip

    class Meta:
        model = GatewayRollout
        fields = [
            "id",
            "organization",
            "vendor",
            "targets",
            "waves",
            "pause",
            "allowed",
            *PROGRESS,
        ]
        read_only_fields = PROGRESS

    def validate_targets(self, value: list[str]) -> str:
        return "\n".join(value)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(_Lines(instance))
        return shown


class _Lines:
    """A rollout whose targets are a list of lines."""

    def __init__(self, row: GatewayRollout) -> None:
        self._row = row
        self.targets = [line.strip() for line in row.targets.splitlines() if line.strip()]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


class GatewayUpgradeSerializer(serializers.ModelSerializer[GatewayUpgrade]):
    class Meta:
        model = GatewayUpgrade
        fields = [
            "id", "gateway", "mac", "wave", "change", "state", "reason", "old_version", "ended",
        ]  # fmt: skip


class GatewayRolloutDetailSerializer(GatewayRolloutSerializer):
    upgrades = GatewayUpgradeSerializer(many=True, read_only=True)

    class Meta(GatewayRolloutSerializer.Meta):
        fields = [*GatewayRolloutSerializer.Meta.fields, "upgrades"]


class PackageRolloutSerializer(Waves):
    """Updates of the packages of Debian hosts."""

    packages = serializers.ChoiceField(choices=Packages.choices)
    group = VisibleRelatedField(
        queryset=DeviceGroup.objects.all(), required=False, allow_null=True
    )
    location = VisibleRelatedField(
        queryset=Location.objects.all(), required=False, allow_null=True
    )
    may_restart = serializers.BooleanField(default=False)
    is_persistent = serializers.BooleanField(default=True)
    window = serializers.CharField(
        default="", allow_blank=True, max_length=255, validators=[valid_window]
    )

    class Meta:
        model = FirmwareRollout
        fields = [
            "id", "organization", "packages", "group", "location", "may_restart", "is_persistent",
            "window", "waves", "pause", "allowed", *PROGRESS,
        ]  # fmt: skip
        read_only_fields = PROGRESS


class PackageRolloutDetailSerializer(PackageRolloutSerializer):
    upgrades = OperationSerializer(many=True, read_only=True)

    class Meta(PackageRolloutSerializer.Meta):
        fields = [*PackageRolloutSerializer.Meta.fields, "upgrades"]


class PackageUpgradeSerializer(serializers.Serializer[Any]):
    """Order to update the packages of one host."""

    packages = serializers.ChoiceField(choices=Packages.choices)
    may_restart = serializers.BooleanField(default=False)
