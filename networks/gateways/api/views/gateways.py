"""Views of gateways, their features and their live state."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from controller.dialects.freesdn import RuleViewSet, number
from networks.gateways.api import serializers as shapes
from networks.gateways.api.filters import GatewayFilter
from networks.gateways.api.views.staging import Staging
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Gateway
from networks.gateways.rules import changes, gateways, visits

MOST_READ, USUALLY_READ = 500, 100


class GatewayViewSet(RuleViewSet):
    """Gateways of the caller's organizations and sites.

    Credentials are never returned.
    """

    queryset = Gateway.objects.all()
    resource = "gateway"
    permissions = {"check": "gateway:update", "history": "gateway:read"}
    serializer_class = shapes.GatewayShape
    filterset_class = GatewayFilter
    create_rule = staticmethod(gateways.create_gateway)
    update_rule = staticmethod(gateways.update_gateway)
    delete_rule = staticmethod(gateways.delete_gateway)
    http_method_names = ["get", "head", "options", "post", "patch", "delete"]

    @extend_schema(request=None, responses=shapes.GatewayShape)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str | None = None) -> Response:
        """Contact the gateway and update its version and status."""
        return Response(self.get_serializer(gateways.look(self.get_object())).data)

    @extend_schema(
        responses=shapes.GatewayStatusShape(many=True),
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT)],
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def history(self, request: Request, pk: str | None = None) -> Response:
        """List the gateway's status changes, newest first."""
        most = number(request, "limit", USUALLY_READ, MOST_READ)
        rows = self.get_object().statuses.all()[:most]
        return Response(shapes.GatewayStatusShape(rows, many=True).data)


class FeaturesView(Staging):
    @extend_schema(
        responses=shapes.FeatureShape(many=True), operation_id="gateway_features_list"
    )
    def get(self, request: Request) -> Response:
        """List the features with their operations, permissions and payload schemas."""
        found = [
            {
                "key": one.key,
                "vendor": one.vendor,
                "area": one.area,
                "aliases": one.aliases,
                "permission": one.permission,
                "catastrophic": one.catastrophic,
                "operations": {name: one.schema(name) for name in one.operations},
            }
            for key, one in FEATURES.items()
            if key == one.key
        ]
        return Response(shapes.FeatureShape(found, many=True).data)


class LiveView(Staging):
    @extend_schema(
        responses=shapes.HeldShape(many=True),
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT)],
        operation_id="gateway_live",
    )
    def get(self, request: Request, gateway_id: str, feature: str) -> Response:
        """Read the objects of a feature from the gateway itself."""
        gateway = self.gateway(gateway_id)
        most = number(request, "limit", USUALLY_READ, MOST_READ)
        found: Any = visits.read_live(gateway, changes.feature_of(gateway, feature), most=most)
        return Response(shapes.HeldShape(found, many=True).data)
