from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from controller.devices.models import Device
from controller.dialects.openwisp import RuleViewSet, require_user
from controller.monitoring.api.filters import CheckFilter
from controller.monitoring.api.serializers import CheckRunSerializer, CheckSerializer
from controller.monitoring.models import Check, CheckRun
from controller.monitoring.rules import active_checks

STARTED = inline_serializer("CheckStarted", {"devices": serializers.IntegerField()})


class CheckViewSet(RuleViewSet):
    """Checks of the portal: HTTP, DNS, TCP, SSH and iperf3."""

    queryset = Check.objects.select_related("organization", "group", "device")
    resource = "monitoring"
    permissions = {"run": "monitoring:update"}
    filterset_class = CheckFilter
    serializer_class = CheckSerializer
    create_rule = staticmethod(active_checks.create_check)
    update_rule = staticmethod(active_checks.update_check)
    delete_rule = staticmethod(active_checks.delete_check)

    @extend_schema(request=None, responses={202: STARTED})
    @action(detail=True, methods=["post"], filterset_class=None)
    def run(self, request: Request, pk: str) -> Response:
        """Run a check now, on the devices that the caller may see."""
        row: Any = self.get_object()
        devices = Device.objects.visible_to(require_user(request))
        count = active_checks.run_now(row, devices)
        return Response({"devices": count}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=CheckRunSerializer(many=True))
    @action(detail=True, filterset_class=None)
    def result(self, request: Request, pk: str) -> Response:
        """Return how the check went last, for each device that the caller may see."""
        row: Any = self.get_object()
        runs = (
            CheckRun.objects.visible_to(request.user)
            .filter(parent=row)
            .select_related("monitored__device")
            .order_by("monitored__device__name", "pk")
        )
        page = self.paginate_queryset(runs)
        return self.get_paginated_response(CheckRunSerializer(page, many=True).data)
