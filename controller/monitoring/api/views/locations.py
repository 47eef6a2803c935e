"""Locations with the health of their devices, for maps and floor plans."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models.functions import AsWKB
from django.db.models import Count, Exists, F, OuterRef, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from controller.devices.models import Device
from controller.dialects.openwisp import OwnedViewSet, require_user
from controller.monitoring.api.filters import with_health
from controller.monitoring.api.serializers import DeviceOfPlace, MonitoredCoordinates
from controller.monitoring.engine.health import Health
from geo.api.filters.locations import LocationFilter
from geo.api.views.locations import (
    FEATURE,
    FEATURES,
    PROPERTIES,
    DevicePagination,
    IndoorPagination,
    asked_floor,
)
from geo.models import DeviceLocation, Location
from geo.rules import geometry, locations

COUNTED = (Health.OK, Health.PROBLEM, Health.CRITICAL, Health.UNKNOWN)


def health_counts(places: list[UUID]) -> dict[UUID, dict[str, int]]:
    """Return how many devices of each health are at each of these locations."""
    counts: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
    rows = with_health(
        DeviceLocation.objects.filter(
            location__in=places, device__organization_id=F("location__organization_id")
        ),
        "device__",
    )
    for place, health, count in (
        rows.order_by().values_list("location_id", "health").annotate(Count("pk"))
    ):
        counts[place][health] = count
    return counts


def feature(row: tuple[Any, ...], counts: dict[str, int]) -> dict[str, Any]:
    """Return a location as a feature of GeoJSON."""
    return {
        "id": row[0],
        "type": "Feature",
        "geometry": geometry.wkb_as_geojson(row[1]),
        "properties": {
            **dict(zip(PROPERTIES, row[2:], strict=True)),
            "device_count": sum(counts.values()),
            **{f"{one}_count": counts.get(one, 0) for one in COUNTED},
        },
    }


class MonitoredLocationViewSet(OwnedViewSet):
    """Where devices are, and how they are there."""

    queryset = Location.objects.select_related("organization")
    resource = "monitoring"
    filterset_class = LocationFilter
    serializer_class = DeviceOfPlace

    @extend_schema(filters=True, responses=FEATURES)
    def geojson(self, request: Request) -> Response:
        """Locations that have devices, with how many of them are well."""
        rows = self.filter_queryset(self.get_queryset())
        found = rows.filter(Exists(DeviceLocation.objects.filter(location=OuterRef("pk"))))
        page: Any = self.paginate_queryset(
            found.select_related(None)
            .order_by("name", "pk")
            .annotate(binary=AsWKB("geometry"))
            .values_list(*FEATURE)
        )
        counts = health_counts([row[0] for row in page])
        return self.get_paginated_response([feature(row, counts[row[0]]) for row in page])

    @extend_schema(
        parameters=[
            OpenApiParameter("search", str, description="Part of a name or MAC address."),
            OpenApiParameter("status", str, many=True, description="Health; may be repeated."),
        ],
        responses=DeviceOfPlace(many=True),
    )
    @action(
        detail=True, url_path="device", filterset_class=None, pagination_class=DevicePagination
    )
    def device(self, request: Request, pk: str) -> Response:
        """Return the devices at this location with their health."""
        location = self.get_object()
        rows: QuerySet[Any] = self.devices_at(location)
        if search := request.query_params.get("search", ""):
            named = rows.filter(name__icontains=search)
            rows = named | rows.filter(mac_address__icontains=search)
        if statuses := request.query_params.getlist("status"):
            unknown = set(statuses) - {one.value for one in Health}
            if unknown:
                raise exceptions.ValidationError(
                    {"status": [f"{one} is no health." for one in sorted(unknown)]}
                )
            rows = rows.filter(health__in=statuses)
        shown = DeviceOfPlace(
            self.paginate_queryset(rows), many=True, context=self.get_serializer_context()
        )
        answer = self.get_paginated_response(shown.data)
        answer.data["has_floorplan"] = location.floor_plans.exists()
        return answer

    def devices_at(self, location: Location) -> QuerySet[Any]:
        rows: QuerySet[Any] = Device.objects.visible_to(self.request.user).filter(
            place__location=location, organization=location.organization_id
        )
        return with_health(rows.select_related("presence")).order_by("name", "pk")

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "floor", int, description="The lowest from the ground up by default."
            )
        ],
        responses=MonitoredCoordinates(many=True),
    )
    @action(
        detail=True,
        url_path="indoor-coordinates",
        filterset_class=None,
        pagination_class=IndoorPagination,
    )
    def indoor_coordinates(self, request: Request, pk: str) -> Response:
        """Return the devices of a floor with their position on its plan and their health."""
        location = self.get_object()
        placed = locations.placed_on_plans(require_user(request), location)
        floors = locations.floors_of(placed)
        floor = asked_floor(request, locations.floor_to_show(floors))
        rows = placed.filter(floor_plan__floor=floor)
        shown = MonitoredCoordinates(
            self.paginate_queryset(with_health(rows, "device__").order_by("pk")),
            many=True,
            context=self.get_serializer_context(),
        )
        answer = self.get_paginated_response(shown.data)
        answer.data["floors"] = floors
        return answer
