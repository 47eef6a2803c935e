from rest_framework import serializers

from controller.configs.models import Template
from controller.devices.api.serializers import OrganizationField, VisibleRelatedField
from controller.vpn.models import Vpn


class TemplateSerializer(serializers.ModelSerializer[Template]):
    organization = OrganizationField(required=False, allow_null=True, default=None)
    vpn = VisibleRelatedField(queryset=Vpn.objects.all(), required=False, allow_null=True)
    auto_cert = serializers.BooleanField(
        required=False, write_only=True, help_text="Whether its devices are provisioned."
    )
    config = serializers.DictField(required=False)

    class Meta:
        model = Template
        fields = [
            "id", "name", "organization", "type", "backend", "vpn", "auto_cert", "tags", "default",
            "required", "notes", "default_values", "config", "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["tags"]
