from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import DestroyModelMixin
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.engine.scopes import NO_SITE
from controller.accounts.models import Version
from controller.accounts.rules import authorize
from controller.base.downloads import archive_response
from controller.base.secret_fields import may_read_secrets
from controller.configs.api.filters import (
    EnrollmentFilter,
    RolloutFilter,
    SnapshotFilter,
    TemplateFilter,
    VersionFilter,
)
from controller.configs.api.serializers import (
    ApprovalSerializer,
    DriftSerializer,
    EnrollmentSerializer,
    ForecastSerializer,
    RolloutDetail,
    RolloutSerializer,
    SnapshotDetail,
    SnapshotSerializer,
    TemplateSerializer,
    VersionDetail,
    VersionSerializer,
)
from controller.configs.models import Config, Rollout, Snapshot, Template
from controller.configs.rules import (
    change_preview,
    drift,
    enrollment,
    rollouts,
    snapshots,
    templates,
    versions,
)
from controller.devices.api.views import OfDevice
from controller.devices.models import Enrollment
from controller.dialects.openwisp import OwnedViewSet, RuleViewSet, View, require_user


class TemplateViewSet(RuleViewSet):
    """Configuration templates shared by devices."""

    queryset = Template.objects.all()
    resource = "template"
    filterset_class = TemplateFilter
    serializer_class = TemplateSerializer
    create_rule = staticmethod(templates.create_template)
    update_rule = staticmethod(templates.update_template)
    delete_rule = staticmethod(templates.delete_template)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def configuration(self, request: Request, pk: str) -> HttpResponse:
        """Download the template rendered with its default values (tar.gz)."""
        template = self.get_object()
        is_open = may_read_secrets(request.user, template)
        return archive_response(template.name, templates.archive(template, is_open=is_open))


class SnapshotViewSet(OfDevice, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Snapshots of one device's configuration, with their state."""

    queryset = Snapshot.objects.all()
    resource = "config"
    permissions = {"restore": "config:update"}
    filterset_class = SnapshotFilter

    def get_queryset(self) -> QuerySet[Any]:
        rows: Any = super().get_queryset().filter(config__device=self.device)
        if not self.detail:
            rows = rows.light()
        rows = rows.with_state()
        known: QuerySet[Any] = rows.select_related(
            "config__device__group", "config__device__organization__device_settings"
        )
        return known

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return SnapshotDetail if self.detail else SnapshotSerializer

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, device_id: UUID, pk: str) -> Response:
        """Restore the inputs of this snapshot; returns the snapshot they render to now."""
        snapshots.restore(self.get_object())
        current = self.get_queryset().get(is_current=True)
        return Response(self.get_serializer(current).data)


class DriftView(OfDevice, View):
    """Desired configuration of a device compared with the applied one, file by file."""

    resource = "config"
    serializer_class = DriftSerializer
    permission_classes = [IsAuthenticated]

    @property
    def config(self) -> Config:
        found: Config = get_object_or_404(Config, device=self.device)
        return found

    @extend_schema(responses=DriftSerializer)
    def get(self, request: Request, device_id: UUID) -> Response:
        return self.shown()

    def shown(self) -> Response:
        return Response(DriftSerializer(self.config).data)


class DriftCheckView(DriftView):
    permissions = {"": "config:update"}
    http_method_names = ["post", "options"]

    @extend_schema(request=None, responses=DriftSerializer)
    def post(self, request: Request, device_id: UUID) -> Response:
        """Check now whether the device's files still match the applied configuration."""
        drift.request_check(self.config)
        return self.shown()


class DriftRepairView(DriftView):
    permissions = {"": "config:update"}
    http_method_names = ["post", "options"]

    @extend_schema(request=None, responses=DriftSerializer)
    def post(self, request: Request, device_id: UUID) -> Response:
        """Push the desired configuration again to a drifted device."""
        drift.repair(self.config)
        return self.shown()


class RolloutViewSet(RuleViewSet):
    """Rollouts: changes of templates applied to devices in waves."""

    queryset = Rollout.objects.select_related("template")
    resource = "template"
    permissions = dict.fromkeys(
        ("create", "destroy", "start", "pause", "resume", "roll_back"), "template:update"
    )
    filterset_class = RolloutFilter
    create_rule = staticmethod(rollouts.create_draft)
    update_rule = staticmethod(rollouts.adjust)
    delete_rule = staticmethod(rollouts.discard)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return RolloutDetail if self.detail else RolloutSerializer

    def authorize_owner(self, values: dict[str, Any]) -> None:
        if "template" in values:
            owner = values["template"].organization_id
            authorize(require_user(self.request), "template:update", owner)

    def moved(self, rule: Callable[[Rollout], Rollout]) -> Response:
        return Response(self.get_serializer(rule(self.get_object())).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Start the first wave."""
        return self.moved(rollouts.start)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause: no further devices are updated until the rollout is resumed."""
        return self.moved(rollouts.pause)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        return self.moved(rollouts.resume)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, pk: str) -> Response:
        """Roll back: updated devices get the former version again."""
        return self.moved(rollouts.roll_back)

    @extend_schema(responses=ForecastSerializer)
    @action(detail=True, methods=["get"])
    def preview(self, request: Request, pk: str) -> Response:
        """Preview the changed files, grouped by devices with the same changes."""
        row, user = self.get_object(), require_user(request)
        found = change_preview.preview_device(
            row,
            Config.objects.visible_to(user),
            is_open=user.has_perm_in_every_site("device:secret", row.owner_id),
        )
        return Response(ForecastSerializer(found).data)


class VersionViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Versions of rows after each change, including deleted rows."""

    queryset = Version.objects.all()
    filterset_class = VersionFilter

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset().filter(kind=self.resource)
        return rows if self.detail else rows.defer("values")

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return VersionDetail if self.detail else VersionSerializer

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Restore the row to this version; a deleted row is created again with its id."""
        version = self.get_object()
        row, user = versions.row_of(version), require_user(request)
        if row is None:
            place = version.site_id if self.resource == "device" else NO_SITE
            authorize(user, f"{self.resource}:create", version.organization_id, place)
        elif not user.has_perm_on(f"{self.resource}:update", row):
            raise PermissionDenied
        versions.restore(version)
        latest = self.get_queryset().filter(row=version.row).first()
        return Response(self.get_serializer(latest).data)


class DeviceVersions(VersionViewSet):
    resource = "device"
    permissions = {"restore": "device:update"}


class TemplateVersions(VersionViewSet):
    resource = "template"
    permissions = {"restore": "template:update"}


class GroupVersions(VersionViewSet):
    resource = "group"
    permissions = {"restore": "group:update"}


class VpnVersions(VersionViewSet):
    resource = "vpn"
    permissions = {"restore": "vpn:update"}


class EnrollmentViewSet(DestroyModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Enrollment requests of devices that have proved possession of a key."""

    queryset = Enrollment.objects.all()
    resource = "device"
    permissions = {"approve": "device:create", "reject": "device:create"}
    filterset_class = EnrollmentFilter
    serializer_class = EnrollmentSerializer

    @extend_schema(request=ApprovalSerializer, responses=EnrollmentSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve the device, as a new one or as a replacement by MAC address."""
        row = self.get_object()
        given = ApprovalSerializer(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        enrollment.approve(row, by=require_user(request), **given.validated_data)
        return Response(self.get_serializer(row).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Reject the device, also for future requests."""
        return Response(
            self.get_serializer(
                enrollment.reject(self.get_object(), by=require_user(request))
            ).data
        )

    def perform_destroy(self, instance: Enrollment) -> None:
        enrollment.dismiss(instance)
