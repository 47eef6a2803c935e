"""Charts of all devices that somebody may see."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import Organization
from controller.devices.models import Device
from controller.dialects.openwisp import HasResourcePermission, View, require_user
from controller.monitoring.api.filters import uuids_of
from controller.monitoring.api.views.devices import RANGE, as_csv, asked_range
from controller.monitoring.api.views.overview import RANGE as PAGE_RANGE
from controller.monitoring.api.views.overview import asked_range as asked_page_range
from controller.monitoring.rules import fleet_charts
from controller.monitoring.rules.network_charts import general_charts

SEVERAL = 2


class FleetView(View):
    """Availability, traffic and clients of the organizations that the caller sees all of."""

    permission_classes = [HasResourcePermission]
    resource = "monitoring"

    @extend_schema(
        parameters=[
            *PAGE_RANGE,
            *(
                OpenApiParameter(name, UUID, description=f"The devices of this {name} alone.")
                for name in fleet_charts.PARTS
            ),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """Charts of the portal's first page, or of a site, group or location."""
        user, asked = require_user(request), asked_page_range(request)
        for name in fleet_charts.PARTS:
            if text := request.query_params.get(name, ""):
                ids = uuids_of(text)
                if not ids:
                    raise Http404
                return Response(fleet_charts.part(user, name, ids[0], asked))
        return Response(fleet_charts.fleet(user, asked))


class DashboardView(View):
    """Clients and traffic of organizations, or of places of theirs."""

    permission_classes = [HasResourcePermission]
    resource = "monitoring"

    @extend_schema(
        parameters=[
            OpenApiParameter("organization_slug", str, description="Separated by commas."),
            OpenApiParameter("location_id", str, description="Separated by commas."),
            OpenApiParameter("floorplan_id", str, description="Separated by commas."),
            *RANGE,
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Any:
        """General charts, in the shape of OpenWISP Monitoring's dashboard."""
        range_ = asked_range(request)
        mine = self.organizations(request)
        found = general_charts(mine, self.devices(request, mine), range_)
        if request.query_params.get("csv"):
            return as_csv(range_, found)
        shown: dict[str, Any] = {"charts": found}
        if found:
            shown["x"] = range_.labels()
        everything = self.manageable(request)
        if len(everything) >= SEVERAL:
            shown["organizations"] = [{"id": one.slug, "text": one.name} for one in everything]
        return Response(shown)

    def manageable(self, request: Request) -> list[Organization]:
        """Return the organizations all of whose devices the caller may look at."""
        user = require_user(request)
        rows = Organization.objects.visible_to(user).filter(is_active=True).order_by("name")
        return [
            row
            for row in rows
            if user.is_superuser
            or (
                user.has_perm_in("monitoring:read", row.pk)
                and user.access_by_organization[row.pk].covers_every_site
            )
        ]

    def organizations(self, request: Request) -> list[Organization]:
        asked = request.query_params.get("organization_slug", "")
        # PostgreSQL takes no text with a NUL.
        if "\0" in asked:
            raise Http404
        slugs = [one for one in asked.split(",") if one]
        known = set(Organization.objects.filter(slug__in=slugs).values_list("slug", flat=True))
        if set(slugs) - known:
            raise Http404
        mine = self.manageable(request)
        if set(slugs) - {one.slug for one in mine} or not mine:
            raise exceptions.PermissionDenied
        return [one for one in mine if not slugs or one.slug in slugs]

    def devices(self, request: Request, mine: list[Organization]) -> QuerySet[Device] | None:
        """Return the devices at the places that were asked for; None where none were."""
        rows: QuerySet[Device] = Device.objects.filter(organization__in=mine)
        narrowed = False
        for name, path in (
            ("location_id", "place__location"),
            ("floorplan_id", "place__floor_plan"),
        ):
            text = request.query_params.get(name, "")
            if not text:
                continue
            ids = uuids_of(text)
            rows = rows.filter(**{f"{path}__in": ids or []})
            if ids is None or not rows.exists():
                raise Http404
            narrowed = True
        return rows if narrowed else None
