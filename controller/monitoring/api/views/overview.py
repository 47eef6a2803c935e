"""Charts of the portal's own pages."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from controller.monitoring.api.views.devices import OfOneDevice
from controller.monitoring.engine import buckets
from controller.monitoring.engine.buckets import Buckets, NotARange
from controller.monitoring.rules import device_overview
from controller.monitoring.rules.sample_history import now_seconds

RANGE = [
    OpenApiParameter("range", str, enum=list(buckets.PAGE_RANGES), default="24h"),
    OpenApiParameter("start", int, description="Seconds since the epoch, together with end."),
    OpenApiParameter("end", int, description="Seconds since the epoch, together with start."),
    OpenApiParameter("timezone", str, description="IANA name, for where days begin."),
]


def asked_range(request: Request) -> Buckets:
    """Return the buckets that a page asks for; an odd range is a 400."""
    query = request.query_params
    now = now_seconds()
    try:
        zone = buckets.zone_of(query.get("timezone"))
        if query.get("start") and query.get("end"):
            return buckets.chosen_range(int(query["start"]), int(query["end"]), now, zone)
        return buckets.page_range(query.get("range") or "24h", now, zone)
    except NotARange as error:
        raise exceptions.ValidationError({"range": [str(error)]}) from error
    except (ValueError, OverflowError, OSError) as error:
        raise exceptions.ValidationError({"range": ["Moments are whole seconds."]}) from error


class OverviewView(OfOneDevice):
    """Everything that a device's page shows over time."""

    @extend_schema(
        parameters=[*RANGE, OpenApiParameter("interface", str, description="Whose traffic.")],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Charts with mean, lowest and highest, availability, and what happened."""
        device = self.find(request, pk)
        interface = request.query_params.get("interface", "")
        found: dict[str, Any] = device_overview.overview(
            device, asked_range(request), interface
        )
        return Response(found)
