"""Supervisors in the inventory, and the record of what was asked of them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.rules import authorize
from controller.dialects.openwisp import OwnedViewSet, RuleViewSet, as_user
from supervisor_proxy.api.openwisp.filters import BatchFilter, CallFilter, SupervisorFilter
from supervisor_proxy.api.openwisp.serializers import (
    SupervisorBatchSerializer,
    SupervisorCallSerializer,
    SupervisorSerializer,
)
from supervisor_proxy.models import Supervisor, SupervisorBatch, SupervisorCall
from supervisor_proxy.rules import asking, supervisors


class SupervisorViewSet(RuleViewSet):
    """Supervisors of devices. Their numbers are what clients call ``deviceId``."""

    queryset = Supervisor.objects.select_related("device").prefetch_related(
        "device__vpn_clients__ip"
    )
    resource = "supervisor"
    filterset_class = SupervisorFilter
    serializer_class = SupervisorSerializer
    update_rule = staticmethod(supervisors.update_supervisor)
    delete_rule = staticmethod(supervisors.remove_supervisor)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        device = values["device"]
        authorize(
            as_user(self.request), "supervisor:create", device.organization_id, device.site_key
        )
        serializer.instance = supervisors.add_supervisor(**values)


class CallViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Every attempt, and what came of it."""

    queryset = SupervisorCall.objects.select_related("supervisor")
    resource = "supervisor"
    permissions = {"cancel": "supervisor:act"}
    filterset_class = CallFilter
    serializer_class = SupervisorCallSerializer

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Give up a call that still waits for its device."""
        return Response(self.get_serializer(asking.cancel(self.get_object())).data)


class BatchViewSet(ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Calls of many devices, with how far they got."""

    queryset = SupervisorBatch.objects.counted()
    resource = "supervisor"
    filterset_class = BatchFilter
    serializer_class = SupervisorBatchSerializer
