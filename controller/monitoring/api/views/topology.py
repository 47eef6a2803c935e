"""Who is connected to what."""

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from controller.dialects.openwisp import HasResourcePermission, View, require_user
from controller.monitoring.api.filters import uuids_of
from controller.monitoring.rules.topology import as_netjson, topology

NARROWED = {
    "organization": "organization", "site": "site", "group": "group",
    "location": "place__location",
}  # fmt: skip


class TopologyView(View):
    """Devices and their links as NetJSON NetworkGraph, from LLDP, meshes, uplinks, ARP and overlay networks."""

    permission_classes = [HasResourcePermission]
    resource = "monitoring"

    @extend_schema(
        parameters=[OpenApiParameter(name, OpenApiTypes.UUID) for name in NARROWED],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """Topology of the devices that the caller may see."""
        only: dict[str, Any] = {}
        for name, path in NARROWED.items():
            if text := request.query_params.get(name, ""):
                ids = uuids_of(text)
                if not ids:
                    raise Http404
                only[f"{path}__in"] = ids
        found, left_out = topology(require_user(request), **only)
        return Response(as_netjson(found) | {"left_out": left_out})
