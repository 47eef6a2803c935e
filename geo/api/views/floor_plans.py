from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.dialects.openwisp import RuleViewSet, View, permission_of
from geo.api.filters.locations import FloorPlanFilter
from geo.api.serializers import FloorPlanSerializer
from geo.models import FloorPlan, FloorPlanImage
from geo.rules import locations


class FloorPlanViewSet(RuleViewSet):
    """Floor plans: images with device positions."""

    queryset = FloorPlan.objects.select_related("location__organization")
    resource = "floorplan"
    filterset_class = FloorPlanFilter
    serializer_class = FloorPlanSerializer
    create_rule = staticmethod(locations.create_floor_plan)
    update_rule = staticmethod(locations.update_floor_plan)
    delete_rule = staticmethod(locations.delete_floor_plan)

    def authorize_owner(self, values: dict[str, Any]) -> None:
        if "location" in values and isinstance(self.request.user, User):
            owner = values["location"].organization_id
            authorize(self.request.user, permission_of(self, self.request), owner)


class FloorPlanImageView(View):
    """Image of a floor plan. Requires permission on the location."""

    permission_classes = [IsAuthenticated]

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: UUID, kind: str) -> HttpResponse:
        plan = get_object_or_404(
            FloorPlan.objects.select_related("location").visible_to(request.user),
            pk=pk,
            kind=kind,
        )
        if isinstance(request.user, User):
            authorize(request.user, "floorplan:read", plan.owner_id)
        etag = f'"{plan.modified.timestamp():.6f}"'
        unchanged = get_conditional_response(request._request, etag=etag)
        if unchanged is not None:
            return unchanged
        return image_response(plan, etag)


def image_response(plan: FloorPlan, etag: str) -> HttpResponse:
    image = FloorPlanImage.objects.get(floor_plan=plan)
    return HttpResponse(
        bytes(image.data),
        content_type=f"image/{plan.kind}",
        headers={
            "ETag": etag,
            # Cached only by the authorized browser, and revalidated on every use.
            "Cache-Control": "private, no-cache",
            "Content-Disposition": f'inline; filename="floor-plan.{plan.kind}"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "same-origin",
        },
    )
