from rest_framework import serializers

from controller.accounts.api.serializers import VisibleRelatedField
from controller.devices.models import Device
from controller.dialects.openapi.shapes import TEXTS
from controller.firmware.models import Build, ImageRequest


class CustomImageSerializer(serializers.ModelSerializer[ImageRequest]):
    """Request for an image with the packages that a device has."""

    shapes = {"packages": TEXTS}

    build = VisibleRelatedField(queryset=Build.objects.all())
    device = VisibleRelatedField(queryset=Device.objects.all())
    packages = serializers.ListField(
        child=serializers.CharField(max_length=128), required=False, max_length=1000
    )
    state = serializers.ChoiceField(choices=ImageRequest.State.choices, read_only=True)

    class Meta:
        model = ImageRequest
        fields = [
            "id", "build", "device", "packages", "version", "target", "board", "state", "reason",
            "image", "created", "modified", "ended",
        ]  # fmt: skip
        read_only_fields = ["version", "target", "board", "reason", "image", "ended"]
