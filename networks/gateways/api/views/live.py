"""Views of what a gateway tells about itself at the moment."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from controller.base.errors import Refused
from controller.dialects.openwisp import require_user
from networks.gateways.api import serializers as shapes
from networks.gateways.api.views.staging import Staging, named
from networks.gateways.rules import live_view


class StatusView(Staging):
    @extend_schema(responses=shapes.PartsShape, operation_id="gateway_status")
    def get(self, request: Request, gateway_id: str) -> Response:
        """List the parts of the live view that this gateway has, and its tools."""
        gateway = self.gateway(gateway_id)
        found = {"parts": live_view.parts_of(gateway), "tools": live_view.tools_of(gateway)}
        return Response(shapes.PartsShape(found).data)


class StatusPartView(Staging):
    @extend_schema(responses=shapes.ToldShape, operation_id="gateway_status_part")
    def get(self, request: Request, gateway_id: str, part: str) -> Response:
        """Read one part of the live view. What was read seconds ago is not read again."""
        told = live_view.read_part(self.gateway(gateway_id), part)
        return Response(shapes.ToldShape(told).data)


class ToolView(Staging):
    permissions = {"": "gateway:update"}

    @extend_schema(
        request=shapes.ToolShape, responses=shapes.ToldShape, operation_id="gateway_tool"
    )
    def post(self, request: Request, gateway_id: str, tool: str) -> Response:
        """Ping or trace a host from the gateway, and wait for what it prints."""
        gateway = self.gateway(gateway_id)
        live_view.may_run(require_user(request), gateway)
        given = shapes.ToolShape(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            told = live_view.run_tool(gateway, tool, **given.validated_data)
        except Refused as error:
            raise named(error) from error
        return Response(shapes.ToldShape(told).data)
