from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse
from django.utils.functional import cached_property
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.base.errors import NotFound
from controller.dialects.openwisp import OwnedViewSet, RuleViewSet, permission_of
from controller.firmware.api.filters.catalog import BuildFilter, CategoryFilter, ImageFilter
from controller.firmware.api.serializers.catalog import (
    BuildSerializer,
    CategorySerializer,
    ImageSerializer,
)
from controller.firmware.models import Build, Category, Image
from controller.firmware.rules import catalog, uploading


class CategoryViewSet(RuleViewSet):
    """Lines of firmware of an organization, or shared by all."""

    queryset = Category.objects.select_related("organization").order_by("-name", "-created")
    resource = "firmware"
    filterset_class = CategoryFilter
    serializer_class = CategorySerializer
    create_rule = staticmethod(catalog.create_category)
    update_rule = staticmethod(catalog.update_category)
    delete_rule = staticmethod(catalog.delete_category)


class BuildViewSet(RuleViewSet):
    """Versions of a category."""

    queryset = Build.objects.select_related("category").order_by("-created", "-version")
    resource = "firmware"
    filterset_class = BuildFilter
    serializer_class = BuildSerializer
    create_rule = staticmethod(catalog.create_build)
    update_rule = staticmethod(catalog.update_build)
    delete_rule = staticmethod(catalog.delete_build)

    def authorize_owner(self, values: dict[str, Any]) -> None:
        if "category" in values and isinstance(self.request.user, User):
            owner = values["category"].organization_id
            authorize(self.request.user, permission_of(self, self.request), owner)


class ImageViewSet(
    CreateModelMixin, DestroyModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet
):
    """Images of a build; they never change."""

    queryset = (
        Image.objects.select_related("build__category")
        .prefetch_related("boards")
        .order_by("-created")
    )
    resource = "firmware"
    filterset_class = ImageFilter
    serializer_class = ImageSerializer
    parser_classes = [MultiPartParser]

    @cached_property
    def build(self) -> Build:
        rows = Build.objects.visible_to(self.request.user, "firmware:read")
        found = rows.filter(pk=self.kwargs["build_id"]).select_related("category").first()
        if found is None:
            raise NotFound("build not found")
        build: Build = found
        return build

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(build=self.build)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        if isinstance(self.request.user, User):
            permission = permission_of(self, self.request)
            authorize(self.request.user, permission, self.build.owner_id)
        file = serializer.validated_data["file"]
        serializer.instance = uploading.add_image(
            self.build, name=file.name, parts=file.chunks(),
            kind=serializer.validated_data.get("type", ""),
        )  # fmt: skip

    def perform_destroy(self, instance: Image) -> None:
        catalog.delete_image(instance)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def download(self, request: Request, build_id: UUID, pk: UUID) -> FileResponse:
        """Return the file of the image, streamed."""
        return image_response(self.get_object())


def image_response(image: Image) -> FileResponse:
    """Return an image as a download; raise NotFound if its file is gone."""
    try:
        file = image.path.open("rb")
    except FileNotFoundError as error:
        raise NotFound("The file of this image is gone.") from error
    return FileResponse(
        file,
        as_attachment=True,
        filename=image.name,
        content_type="application/octet-stream",
        headers={"ETag": f'"{image.sha256}"', "X-Content-Type-Options": "nosniff"},
    )
