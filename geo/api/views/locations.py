from typing import Any

from django.contrib.gis.db.models.functions import AsWKB
from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import User
from controller.devices.models import Device
from controller.dialects.openwisp import Pagination, RuleViewSet, require_user
from controller.dialects.repeated_lists import OpenWispPages, RepeatedList
from controller.dialects.repeated_reads import register_read
from geo.api.filters.locations import LocationFilter
from geo.api.serializers import (
    DeviceOfLocation,
    IndoorCoordinates,
    LocationSerializer,
)
from geo.api.views.dotted_names import nested, without_named_image
from geo.models import DeviceLocation, Location
from geo.rules import geocoding, geometry, locations
from geo.rules.statistics import as_counts, counted, device_counts


class FeaturePagination(Pagination):
    """GeoJSON FeatureCollection, with pages large enough for a map of the whole fleet."""

    page_size = 1000
    max_page_size = 20_000

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "type": "FeatureCollection",
                "count": self.page.paginator.count,  # type: ignore[union-attr]
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "features": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        page["required"] = ["type", "count", "features"]
        page["properties"]["features"] = page["properties"].pop("results")
        page["properties"]["type"] = {"type": "string", "enum": ["FeatureCollection"]}
        return page


class DevicePagination(Pagination):
    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        page["properties"]["has_floorplan"] = {"type": "boolean"}
        return page


class IndoorPagination(Pagination):
    page_size = 50

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        page["properties"]["floors"] = {"type": "array", "items": {"type": "integer"}}
        return page


# Schema of the map's features, for OpenAPI only: features are built without DRF.
FEATURES = inline_serializer(
    "LocationFeature",
    {
        "id": serializers.UUIDField(),
        "type": serializers.ChoiceField(["Feature"]),
        "geometry": inline_serializer(
            "FeatureGeometry",
            {"type": serializers.CharField(), "coordinates": serializers.ListField()},
            allow_null=True,
        ),
        "properties": inline_serializer(
            "LocationProperties",
            {
                "device_count": serializers.IntegerField(),
                "device_status": serializers.DictField(
                    child=serializers.IntegerField(), required=False
                ),
                "created": serializers.DateTimeField(),
                "modified": serializers.DateTimeField(),
                "name": serializers.CharField(),
                "type": serializers.ChoiceField(Location.Type.choices),
                "is_mobile": serializers.BooleanField(),
                "is_estimated": serializers.BooleanField(),
                "address": serializers.CharField(),
                "organization": serializers.UUIDField(),
            },
        ),
    },
    many=True,
)


class LocationViewSet(RuleViewSet):
    """Locations of devices, with their floor plans."""

    queryset = Location.objects.select_related("organization").prefetch_related("floor_plans")
    resource = "location"
    filterset_class = LocationFilter
    serializer_class = LocationSerializer
    create_rule = staticmethod(locations.create_location)
    update_rule = staticmethod(locations.update_location)
    delete_rule = staticmethod(locations.delete_location)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        if "data" in kwargs:
            data = kwargs["data"]
            kwargs["data"] = nested(data if args else without_named_image(data))
        return super().get_serializer(*args, **kwargs)

    @extend_schema(filters=True, responses=FEATURES)
    @action(detail=False, pagination_class=FeaturePagination)
    def geojson(self, request: Request) -> Response:
        """Return locations with devices as GeoJSON."""
        found = with_devices(self.filter_queryset(self.get_queryset().prefetch_related(None)))
        page: Any = self.paginate_queryset(features(found.select_related(None)))
        counts = device_counts(found if len(page) > MOST_NAMED else [row[0] for row in page])
        return self.get_paginated_response([feature(row, counts[row[0]]) for row in page])

    @extend_schema(responses=DeviceOfLocation(many=True))
    @action(
        detail=True, url_path="device", filterset_class=None, pagination_class=DevicePagination
    )
    def device(self, request: Request, pk: str) -> Response:
        """List the devices at this location."""
        location = self.get_object()
        rows = (
            Device.objects.visible_to(request.user)
            .filter(place__location=location, organization=location.organization_id)
            .select_related("presence")
        )
        shown = DeviceOfLocation(
            self.paginate_queryset(rows), many=True, context=self.get_serializer_context()
        )
        answer = self.get_paginated_response(shown.data)
        answer.data["has_floorplan"] = bool(location.floor_plans.all())
        return answer

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "floor",
                int,
                description="Unless named, the ground floor or what is next to it.",
            )
        ],
        responses=IndoorCoordinates(many=True),
    )
    @action(
        detail=True,
        url_path="indoor-coordinates",
        filterset_class=None,
        pagination_class=IndoorPagination,
    )
    def indoor_coordinates(self, request: Request, pk: str) -> Response:
        """List the devices of one floor with their positions on its plan."""
        location = self.get_object()
        placed = locations.placed_on_plans(require_user(request), location)
        floors = locations.floors_of(placed)
        floor = asked_floor(request, locations.floor_to_show(floors))
        rows = placed.filter(floor_plan__floor=floor)
        shown = IndoorCoordinates(
            self.paginate_queryset(rows), many=True, context=self.get_serializer_context()
        )
        answer = self.get_paginated_response(shown.data)
        answer.data["floors"] = floors
        return answer

    @extend_schema(
        parameters=[
            OpenApiParameter("q", str, description="An address, to find its point."),
            OpenApiParameter("point", str, description="longitude,latitude: find its address."),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    @action(detail=False, filterset_class=None, pagination_class=None)
    def geocode(self, request: Request) -> Response:
        """Look up points by address, or the address of a point."""
        query = request.query_params
        if query.get("point"):
            point = geometry.point(query["point"])
            found = geocoding.address_at(point.x, point.y)
        else:
            found = geocoding.find(query.get("q", ""))
        return Response(
            {
                "results": [
                    {
                        "address": place.address,
                        "geometry": {
                            "type": "Point",
                            "coordinates": (place.longitude, place.latitude),
                        },
                    }
                    for place in found
                ]
            }
        )


def asked_floor(request: Request, otherwise: int | None) -> int | None:
    text = request.query_params.get("floor", "")
    if not text:
        return otherwise
    try:
        floor = int(text)
    except ValueError:
        raise ValidationError({"floor": ["A floor is a whole number."]}) from None
    # Outside the range of the database column: matches no floor.
    return floor if abs(floor) <= locations.HIGHEST_FLOOR else None


# Columns of a map feature. No model instances: a map has thousands of features.
FEATURE = (
    "id", "binary", "created", "modified", "name", "type", "is_mobile", "is_estimated", "address",
    "organization_id",
)  # fmt: skip
PROPERTIES = (
    "created", "modified", "name", "type", "is_mobile", "is_estimated", "address", "organization",
)  # fmt: skip
# Above this number the query uses a subquery instead of a list of ids.
MOST_NAMED = 1000


def with_devices(rows: QuerySet[Location]) -> QuerySet[Location]:
    return rows.filter(Exists(DeviceLocation.objects.filter(location=OuterRef("pk"))))


def features(rows: QuerySet[Location]) -> QuerySet[Location, tuple[Any, ...]]:
    return rows.annotate(binary=AsWKB("geometry")).values_list(*FEATURE)


def feature_list(_: User, rows: list[Any], counts: list[Any]) -> list[dict[str, Any]]:
    by_location = as_counts(counts)
    return [feature(row, by_location[row[0]]) for row in rows]


def feature(row: tuple[Any, ...], states: dict[str, int]) -> dict[str, Any]:
    return {
        "id": row[0],
        "type": "Feature",
        "geometry": geometry.wkb_as_geojson(row[1]),
        "properties": {
            "device_count": sum(states.values()),
            "device_status": states,
            **dict(zip(PROPERTIES, row[2:], strict=True)),
        },
    }


register_read(
    "/api/v1/controller/location/geojson/",
    RepeatedList(
        permission="location:read",
        rows=lambda user: with_devices(Location.objects.visible_to(user, "location:read")),
        filters=LocationFilter,
        parts=[lambda keys: features(Location.objects.filter(pk__in=keys)), counted],
        show=feature_list,
        pages=OpenWispPages(
            FeaturePagination.page_size,
            FeaturePagination.max_page_size,
            head={"type": "FeatureCollection"},
            name="features",
        ),
    ),
)
