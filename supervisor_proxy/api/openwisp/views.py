"""Supervisors in the inventory, and the record of what was asked of them."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import CreateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.rules import authorize
from controller.accounts.rules.auditing import record
from controller.dialects.openwisp import OwnedViewSet, RuleViewSet, as_user
from supervisor_proxy.api.openwisp.filters import (
    BatchFilter,
    CallFilter,
    CampaignFilter,
    SupervisorFilter,
    TerminalFilter,
)
from supervisor_proxy.api.openwisp.serializers import (
    CampaignSerializer,
    SupervisorBatchSerializer,
    SupervisorCallSerializer,
    SupervisorSerializer,
    TerminalSerializer,
)
from supervisor_proxy.models import (
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
    Terminal,
    UpdateCampaign,
)
from supervisor_proxy.rules import asking, campaigns, supervisors, terminals


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

    queryset = SupervisorBatch.objects.counted().order_by("-created", "id")
    resource = "supervisor"
    filterset_class = BatchFilter
    serializer_class = SupervisorBatchSerializer


class TerminalViewSet(CreateModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Terminals: offered with a ticket for ``/api/v1/ws/terminal``, and what they showed."""

    queryset = Terminal.objects.all()
    resource = "terminal"
    permissions = {
        "create": "terminal:open", "close": "terminal:close", "recording": "terminal:replay",
    }  # fmt: skip
    filterset_class = TerminalFilter
    serializer_class = TerminalSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        terminal, ticket = terminals.offer(
            as_user(self.request), values["device"], reason=values["reason"]
        )
        terminal.ticket = ticket  # type: ignore[attr-defined]
        serializer.instance = terminal

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """Have it closed, whoever sits there."""
        terminals.ask_to_close(self.get_object())
        return Response(status=204)

    @extend_schema(responses={(200, "application/x-asciicast"): OpenApiTypes.STR})
    @action(detail=True, methods=["get"])
    def recording(self, request: Request, pk: str) -> HttpResponse:
        """What it showed, as asciicast plays it."""
        terminal = self.get_object()
        record("terminal.replayed", terminal)
        return HttpResponse(terminals.played(terminal), content_type="application/x-asciicast")


class CampaignViewSet(CreateModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Updates of Home Assistant in waves, with a backup before and a look after."""

    queryset = UpdateCampaign.objects.prefetch_related("devices__supervisor__device")
    resource = "supervisor"
    permissions = {"create": "supervisor:manage"}
    filterset_class = CampaignFilter
    serializer_class = CampaignSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        user = as_user(self.request)
        authorize(user, "supervisor:manage", values["organization"].pk)
        serializer.instance = campaigns.begin(user, values.pop("supervisors"), **values)
