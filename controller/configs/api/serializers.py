from rest_framework import serializers

from controller.configs.models import Template
from controller.devices.api.serializers import OrganizationField


class TemplateSerializer(serializers.ModelSerializer[Template]):
    organization = OrganizationField(required=False, allow_null=True, default=None)
    config = serializers.DictField(required=False)

    class Meta:
        model = Template
        fields = [
            "id", "name", "organization", "type", "backend", "tags", "default", "required",
            "notes", "default_values", "config", "created", "modified",
        ]  # fmt: skip
        read_only_fields = ["tags"]
