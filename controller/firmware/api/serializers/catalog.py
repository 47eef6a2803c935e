from typing import Any

from django.urls import reverse
from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.firmware.models import Build, Category, Image


class CategorySerializer(serializers.ModelSerializer[Category]):
    organization = OrganizationField(allow_null=True, help_text="Null shares it with all.")

    class Meta:
        model = Category
        fields = ["id", "name", "description", "organization", "created", "modified"]
        # The rule checks it and names all fields.
        validators: list[Any] = []


class CategoryRelation(serializers.ModelSerializer[Category]):
    class Meta:
        model = Category
        fields = ["name", "organization"]


class BuildSerializer(serializers.ModelSerializer[Build]):
    category = VisibleRelatedField(queryset=Category.objects.all())
    category_relation = CategoryRelation(source="category", read_only=True)

    class Meta:
        model = Build
        fields = [
            "id", "category_relation", "created", "modified", "version", "os", "changelog",
            "category", "is_step",
        ]  # fmt: skip
        validators: list[Any] = []


class ImageSerializer(serializers.ModelSerializer[Image]):
    """Image, with the keys of OpenWISP first and then what was read from it."""

    file = serializers.FileField(help_text="In answers: where it can be downloaded.")
    type = serializers.CharField(
        required=False, allow_blank=True, max_length=128,
        help_text="Leave empty to use the file name.",
    )  # fmt: skip
    boards: Any = serializers.SlugRelatedField("name", many=True, read_only=True)

    class Meta:
        model = Image
        fields = [
            "id", "created", "modified", "file", "type", "build", "name", "size", "sha256",
            "has_metadata", "boards", "compat_version", "version", "revision", "target",
            "signature",
        ]  # fmt: skip
        read_only_fields = [
            "build", "name", "size", "sha256", "has_metadata", "compat_version", "version",
            "revision", "target", "signature",
        ]  # fmt: skip

    def to_representation(self, instance: Image) -> dict[str, Any]:
        self.fields.pop("file", None)
        shown = super().to_representation(instance)
        url = reverse("firmware-image-download", args=[instance.build_id, instance.pk])
        return shown | {"file": self.context["request"].build_absolute_uri(url)}
