"""The newest values of devices for Prometheus."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from controller.dialects.openwisp import HasResourcePermission, View, require_user
from controller.monitoring.api.filters import uuids_of
from controller.monitoring.engine.exposition import exposition
from controller.monitoring.rules.prometheus_exposition import exposed

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
NARROWED = {
    "organization": "device__organization", "site": "device__site", "group": "device__group",
}  # fmt: skip


class MetricsView(View):
    """The newest values of all devices that the caller may see, as Prometheus scrapes them."""

    permission_classes = [HasResourcePermission]
    resource = "monitoring"

    @extend_schema(
        parameters=[OpenApiParameter(name, OpenApiTypes.UUID) for name in NARROWED],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        """Health and newest values of each device."""
        only: dict[str, Any] = {}
        for name, path in NARROWED.items():
            if text := request.query_params.get(name, ""):
                ids = uuids_of(text)
                if not ids:
                    raise Http404
                only[f"{path}__in"] = ids
        return HttpResponse(
            exposition(exposed(require_user(request), **only)), content_type=FORMAT
        )
