from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse
from django.utils.functional import cached_property
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.base.errors import Conflict, NotFound, Refused
from controller.devices.models import Device
from controller.dialects.openwisp import (
    OwnedViewSet,
    RuleViewSet,
    View,
    permission_of,
    require_user,
)
from controller.firmware.api.filters.catalog import BuildFilter, CategoryFilter, ImageFilter
from controller.firmware.api.serializers.catalog import (
    BuildSerializer,
    CategorySerializer,
    ImageSerializer,
)
from controller.firmware.api.serializers.operations import (
    MassUpgradeSerializer,
    TargetSerializer,
)
from controller.firmware.models import Build, Category, FirmwareRollout, Image
from controller.firmware.rules import approvals, catalog, image_storage, image_uploads, rollouts


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

    @extend_schema(
        parameters=[TargetSerializer], responses={200: OpenApiTypes.OBJECT}, methods=["GET"]
    )
    @extend_schema(
        request=MassUpgradeSerializer, responses={201: OpenApiTypes.OBJECT}, methods=["POST"]
    )
    @action(detail=True, methods=["get", "post"], filterset_class=None)
    def upgrade(self, request: Request, pk: str) -> Response:
        """Preview the devices that an upgrade would reach, or start it as a rollout."""
        build: Build = self.get_object()
        if request.method == "GET":
            return Response(self.dry_run(build))
        given = MassUpgradeSerializer(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        try:
            with transaction.atomic():
                row = rollouts.create_rollout(
                    build, author=require_user(request), **given.validated_data
                )
                # Where a second person is asked for, it stays a draft until then.
                if not approvals.is_needed(row):
                    rollouts.start(row)
        except Conflict:
            raise
        except Refused as error:
            return Response({"error": str(error)}, status.HTTP_400_BAD_REQUEST)
        return Response({"batch": row.pk}, status.HTTP_201_CREATED)

    def dry_run(self, build: Build) -> dict[str, Any]:
        given = TargetSerializer(
            data=self.request.query_params, context={"request": self.request}
        )
        given.is_valid(raise_exception=True)
        only = given.validated_data
        mine = Device.objects.visible_to(self.request.user)
        shown: dict[str, Any] = {
            "device_firmwares": list(
                rollouts.assigned(build, **only)
                .filter(device__in=mine)
                .values_list("pk", flat=True)
            ),
            "devices": list(
                rollouts.unassigned(build, **only)
                .filter(pk__in=mine)
                .values_list("pk", flat=True)
            ),
        }
        if "reasons" in self.request.query_params:
            seen = set(mine)
            draft = FirmwareRollout(build=build, upgrade_all=True, **only)
            shown["left_out"] = [
                {
                    "device": one.device.pk,
                    "reasons": [{"code": why.code, "text": why.text} for why in one.reasons],
                }
                for one in rollouts.candidates(draft)
                if not one.fits and one.device in seen
            ]
        return shown

    def get_permissions(self) -> Any:
        if self.action == "upgrade" and self.request.method == "POST":
            self.permissions = {"upgrade": "firmware:upgrade"}
        elif self.action == "upgrade":
            self.permissions = {"upgrade": "firmware:read"}
        return super().get_permissions()

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
        serializer.instance = image_uploads.add_image(
            self.build, name=file.name, parts=file.chunks(),
            kind=serializer.validated_data.get("type", ""),
        )  # fmt: skip

    def perform_destroy(self, instance: Image) -> None:
        catalog.delete_image(instance)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def download(self, request: Request, build_id: UUID, pk: UUID) -> FileResponse:
        """Return the file of the image, streamed."""
        return image_response(self.get_object())


class StoredImageView(View):
    """File of an image under its name, for sessions, as OpenWISP's storage serves it."""

    permission_classes = [IsAuthenticated]

    @extend_schema(exclude=True)
    def get(self, request: Request, build_id: UUID, name: str) -> FileResponse:
        rows = Image.objects.visible_to(request.user, "firmware:read")
        found = rows.filter(build=build_id, name=name).first()
        if found is None:
            raise NotFound("There is no such image.")
        return image_response(found)


def image_response(image: Image) -> FileResponse:
    """Return an image as a download; raise NotFound if its file is gone."""
    try:
        file = image_storage.local_file(image).open("rb")
    except FileNotFoundError as error:
        raise NotFound("The file of this image is gone.") from error
    return FileResponse(
        file,
        as_attachment=True,
        filename=image.name,
        content_type="application/octet-stream",
        headers={"ETag": f'"{image.sha256}"', "X-Content-Type-Options": "nosniff"},
    )
