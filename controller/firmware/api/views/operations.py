from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Value,
    When,
)
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.base.errors import Conflict
from controller.dialects.openwisp import OwnedViewSet, require_user
from controller.firmware.api.filters.operations import BatchFilter, OperationFilter
from controller.firmware.api.serializers.operations import (
    DeviceOperationSerializer,
    FirmwareBatchDetailSerializer,
    FirmwareBatchSerializer,
    OperationSerializer,
)
from controller.firmware.api.views.devices import OfKnownDevice
from controller.firmware.engine.openwisp_words import states_of
from controller.firmware.models import FirmwareRollout, Upgrade
from controller.firmware.rules import approvals, rollouts, upgrades

State = FirmwareRollout.State
MESSAGE = OpenApiResponse(
    {
        "type": "object",
        "properties": {"message": {"type": "string"}, "error": {"type": "string"}},
    },
    description="What was done, or the reason why not.",
)


def with_status() -> Any:
    """Return rollouts with OpenWISP's word for their state."""

    def some(*statuses: str) -> Q:
        states = [state for one in statuses for state in states_of(one)]
        return Q(Exists(Upgrade.objects.filter(rollout=OuterRef("pk"), state__in=states)))

    words = Case(
        When(state=State.DRAFT, then=Value("idle")),
        When(state__in=FirmwareRollout.ACTIVE, then=Value("in-progress")),
        When(state=State.HALTED, then=Value("failed")),
        When(state=State.STOPPED, then=Value("cancelled")),
        When(some("failed", "aborted"), then=Value("failed")),
        When(some("cancelled"), then=Value("cancelled")),
        default=Value("success"),
        output_field=CharField(),
    )
    return FirmwareRollout.objects.annotate(dialect_status=words)


class OperationViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Upgrades of devices."""

    queryset = Upgrade.objects.order_by("-created")
    resource = "firmware"
    permissions = dict.fromkeys(("approve", "cancel", "retry"), "firmware:upgrade")
    filterset_class = OperationFilter
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={200: MESSAGE, 404: MESSAGE, 409: MESSAGE})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an upgrade whose device has not been told to flash."""
        try:
            row = self.get_object()
        except Http404:
            return Response({"error": "Upgrade operation not found"}, status.HTTP_404_NOT_FOUND)
        try:
            upgrades.cancel(row)
        except Conflict as error:
            return Response({"error": str(error)}, status.HTTP_409_CONFLICT)
        return Response({"message": "Upgrade operation cancelled successfully"})

    @extend_schema(request=None, responses=OperationSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve an upgrade that somebody else started."""
        row = approvals.approve_upgrade(self.get_object(), by=require_user(request))
        return Response(self.get_serializer(row).data)

    @extend_schema(request=None, responses={201: OperationSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Queue an upgrade that did not succeed again, as a new one."""
        row = upgrades.retry(self.get_object(), author=require_user(request))
        return Response(self.get_serializer(row).data, status.HTTP_201_CREATED)


class DeviceOperationViewSet(OfKnownDevice, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Upgrades of one device, the newest first."""

    queryset = Upgrade.objects.order_by("-created")
    resource = "firmware"
    filterset_class = OperationFilter
    serializer_class = DeviceOperationSerializer

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(device=self.device)


class BatchViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Rollouts of builds, in waves."""

    queryset = (
        with_status()
        .filter(build__isnull=False)
        .select_related("build__category")
        .order_by("-created")
    )
    resource = "firmware"
    permissions = dict.fromkeys(
        ("approve", "start", "pause_it", "resume_it", "stop_it"), "firmware:upgrade"
    )
    filterset_class = BatchFilter

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if self.action != "retrieve":
            return rows
        # Of devices in sites that the reader may see.
        mine = Upgrade.objects.visible_to(self.request.user, "firmware:read")
        return rows.prefetch_related(Prefetch("upgrades", mine))

    def get_serializer_class(self) -> Any:
        return (
            FirmwareBatchDetailSerializer
            if self.action == "retrieve"
            else FirmwareBatchSerializer
        )

    def moved(self, row: FirmwareRollout) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=row.pk)).data)

    @extend_schema(request=None, responses=FirmwareBatchSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve a draft of somebody else, where the organization asks for that."""
        row = self.get_object()
        return self.moved(approvals.approve_rollout(row, by=require_user(request)))

    @extend_schema(request=None, responses=FirmwareBatchSerializer)
    @action(detail=True, methods=["post"])
    def start(self, _request: Request, pk: str) -> Response:
        """Start a draft with its first wave."""
        return self.moved(rollouts.start(self.get_object()))

    @extend_schema(request=None, responses=FirmwareBatchSerializer)
    @action(detail=True, methods=["post"], url_path="pause")
    def pause_it(self, _request: Request, pk: str) -> Response:
        """Start no further devices for now."""
        return self.moved(rollouts.pause(self.get_object()))

    @extend_schema(request=None, responses=FirmwareBatchSerializer)
    @action(detail=True, methods=["post"], url_path="resume")
    def resume_it(self, _request: Request, pk: str) -> Response:
        """Go on with a paused rollout."""
        return self.moved(rollouts.resume(self.get_object()))

    @extend_schema(request=None, responses=FirmwareBatchSerializer)
    @action(detail=True, methods=["post"], url_path="stop")
    def stop_it(self, _request: Request, pk: str) -> Response:
        """Stop a rollout for good."""
        return self.moved(rollouts.stop(self.get_object()))
