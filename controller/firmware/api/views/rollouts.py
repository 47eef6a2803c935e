"""Rollouts of gateways' firmware and of packages of Debian hosts, in waves."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.rules import authorize
from controller.dialects.openwisp import OwnedViewSet, require_user
from controller.firmware.api.filters.rollouts import (
    GatewayRolloutFilter,
    PackageRolloutFilter,
)
from controller.firmware.api.serializers.operations import OperationSerializer
from controller.firmware.api.serializers.rollouts import (
    GatewayRolloutDetailSerializer,
    GatewayRolloutSerializer,
    PackageRolloutDetailSerializer,
    PackageRolloutSerializer,
    PackageUpgradeSerializer,
)
from controller.firmware.api.views.devices import OneOfDevice
from controller.firmware.models import FirmwareRollout, GatewayRollout, GatewayUpgrade, Upgrade
from controller.firmware.rules import approvals, gateway_rollouts, package_upgrades, rollouts
from networks.gateways.models import Gateway

UPGRADE = "firmware:upgrade"


class WaveViewSet(CreateModelMixin, DestroyModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Rollouts that people start, pause, resume and stop."""

    resource = "firmware"
    permissions = dict.fromkeys(
        ("create", "destroy", "start", "pause_it", "resume_it", "stop_it", "approve"), UPGRADE
    )
    serializers: tuple[type[BaseSerializer[Any]], type[BaseSerializer[Any]]]
    rules: Any

    def get_serializer_class(self) -> Any:
        return self.serializers[self.action == "retrieve"]

    def perform_destroy(self, instance: Any) -> None:
        self.rules.discard(instance)

    def check_start(self, row: Any) -> None:
        """Raise if the caller may not start this rollout."""

    def moved(self, rule: Callable[[Any], Any]) -> Response:
        return Response(self.get_serializer(rule(self.get_object())).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def start(self, _request: Request, pk: str) -> Response:
        """Start a draft with its first wave."""
        self.check_start(self.get_object())
        return self.moved(self.rules.start)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="pause")
    def pause_it(self, _request: Request, pk: str) -> Response:
        """Start no further devices for now."""
        return self.moved(self.rules.pause)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="resume")
    def resume_it(self, _request: Request, pk: str) -> Response:
        """Go on with a paused rollout."""
        return self.moved(self.rules.resume)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="stop")
    def stop_it(self, _request: Request, pk: str) -> Response:
        """Stop a rollout for good."""
        return self.moved(self.rules.stop)


class GatewayRolloutViewSet(WaveViewSet):
    """Firmware updates of gateways of one vendor; each is a staged change of its gateway."""

    queryset = GatewayRollout.objects.order_by("-created")
    filterset_class = GatewayRolloutFilter
    serializers = (GatewayRolloutSerializer, GatewayRolloutDetailSerializer)
    rules = gateway_rollouts

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if self.action != "retrieve":
            return rows
        mine = GatewayUpgrade.objects.filter(
            gateway__in=Gateway.objects.visible_to(self.request.user)
        )
        return rows.prefetch_related(Prefetch("upgrades", mine))

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values, user = serializer.validated_data, require_user(self.request)
        self.authorize_changes(values["organization"].pk)
        serializer.instance = gateway_rollouts.create(author=user, **values)

    def authorize_changes(self, owner: UUID) -> None:
        """Raise unless the caller, or the scope of its key, may change gateways as well."""
        user = require_user(self.request)
        for permission in (UPGRADE, "gateway:update"):
            authorize(user, permission, owner)

    def check_start(self, row: Any) -> None:
        self.authorize_changes(row.organization_id)


class PackageRolloutViewSet(WaveViewSet):
    """Updates of the packages of Debian hosts."""

    queryset = FirmwareRollout.objects.exclude(packages="").order_by("-created")
    filterset_class = PackageRolloutFilter
    serializers = (PackageRolloutSerializer, PackageRolloutDetailSerializer)
    rules = rollouts

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if self.action != "retrieve":
            return rows
        mine = Upgrade.objects.visible_to(self.request.user, "firmware:read")
        return rows.prefetch_related(Prefetch("upgrades", mine))

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values, user = serializer.validated_data, require_user(self.request)
        authorize(user, UPGRADE, values["organization"].pk)
        serializer.instance = rollouts.create_package_rollout(author=user, **values)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve a draft of somebody else, where the organization asks for that."""
        user = require_user(request)
        return self.moved(lambda row: approvals.approve_rollout(row, by=user))


class PackageUpgradeView(OneOfDevice):
    """Update of the packages of one host."""

    permissions = {"post": UPGRADE}

    @extend_schema(request=PackageUpgradeSerializer, responses={201: OperationSerializer})
    def post(self, request: Request, device_id: UUID) -> Response:
        given = PackageUpgradeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = package_upgrades.start_update(
            self.device,
            given.validated_data["packages"],
            may_restart=given.validated_data["may_restart"],
            author=require_user(request),
        )
        return Response(OperationSerializer(row).data, status.HTTP_201_CREATED)
