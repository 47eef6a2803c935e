"""Locations of devices: set by users, or reported by the device itself."""

import io
import re
from typing import Any

from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, status
from rest_framework.generics import get_object_or_404
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import Organization, User
from controller.accounts.rules import authorize
from controller.base.secrets import digest
from controller.devices.models import Device
from controller.dialects.openapi import shapes
from controller.dialects.openwisp import ACTIONS, OwnedViewSet, View
from controller.dialects.parsers import JSONParser
from geo.api.serializers import (
    CoordinatesSerializer,
    DeviceLocationSerializer,
    GeoSettingsSerializer,
)
from geo.api.views.dotted_names import nested
from geo.rules import device_locations

STRING_OR_LAST_COMMA = re.compile(rb'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')


COORDINATES = shapes.feature(name={"type": "string"})


class DeviceLocationViewSet(OwnedViewSet):
    """Location of a device.

    Location and floor plan can be created in the same request.
    """

    queryset = Device.objects.select_related("organization")
    resource = "location"
    serializer_class = DeviceLocationSerializer

    def retrieve(self, request: Request, pk: str) -> Response:
        return self._shown(device_locations.place_of(self.get_object()))

    @extend_schema(responses={200: DeviceLocationSerializer, 201: DeviceLocationSerializer})
    def update(self, request: Request, pk: str, *, partial: bool = False) -> Response:
        """Set the device's location. ``location`` and ``floorplan`` are ids or values."""
        device = self.get_object()
        serializer = self.get_serializer(data=nested(request.data), partial=partial)
        serializer.is_valid(raise_exception=True)
        if partial:
            device_locations.place_of(device)
        was_placed = device_locations.is_placed(device)
        place = device_locations.place_device(device, **serializer.validated_data)
        if place is None:
            return Response({"location": None, "floorplan": None, "indoor": None})
        return self._shown(place, status.HTTP_200_OK if was_placed else status.HTTP_201_CREATED)

    @extend_schema(responses={200: DeviceLocationSerializer})
    def partial_update(self, request: Request, pk: str) -> Response:
        return self.update(request, pk, partial=True)

    def destroy(self, request: Request, pk: str) -> Response:
        device_locations.remove(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, place: Any, status: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(place).data, status)


class LenientJSONParser(JSONParser):
    """JSON parser that accepts trailing commas, as in OpenWISP's documented request."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        body = stream.read()
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except exceptions.ParseError:
            mended = STRING_OR_LAST_COMMA.sub(lambda match: match[1] or b"", body)
            if mended == body:
                raise
            return super().parse(io.BytesIO(mended), media_type, parser_context)


class WithKeyOrSignedIn(BasePermission):
    """Allow requests with a key or a user. The view verifies the key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.query_params.get("key")) or isinstance(request.user, User)


class DeviceCoordinates(View):
    """Coordinates of a device's location, for the device itself by its key."""

    permission_classes = [WithKeyOrSignedIn]
    parser_classes: list[type[BaseParser]] = [LenientJSONParser, FormParser, MultiPartParser]
    serializer_class = CoordinatesSerializer

    def device(self, request: Request, pk: str) -> Device:
        """Return the device, authenticated by its key or by a permitted user."""
        rows = Device.objects.filter(organization__is_active=True)
        key = request.query_params.get("key", "")
        if key:
            found: Device = get_object_or_404(rows, pk=pk)
            if constant_time_compare(found.key_digest, digest(key)):
                return found
        if not isinstance(request.user, User):
            raise exceptions.NotAuthenticated
        found = get_object_or_404(rows.visible_to(request.user), pk=pk)
        authorize(
            request.user,
            f"location:{ACTIONS[request.method or 'GET']}",
            found.organization_id,
            found.site_scope,
        )
        return found

    @extend_schema(
        parameters=[OpenApiParameter("key", str, description="Of the device.")],
        responses={200: COORDINATES},
    )
    def get(self, request: Request, pk: str) -> Response:
        place = device_locations.place_of(self.device(request, pk))
        return Response(CoordinatesSerializer(place.location).data)

    @extend_schema(
        parameters=[OpenApiParameter("key", str, description="Of the device.")],
        responses={200: COORDINATES},
    )
    def put(self, request: Request, pk: str) -> Response:
        """Report the device's coordinates. A mobile location is created if it has none."""
        return self._tell(request, pk, adding=True)

    @extend_schema(
        parameters=[OpenApiParameter("key", str, description="Of the device.")],
        responses={200: COORDINATES},
    )
    def patch(self, request: Request, pk: str) -> Response:
        return self._tell(request, pk, adding=False)

    def _tell(self, request: Request, pk: str, *, adding: bool) -> Response:
        device = self.device(request, pk)
        serializer = CoordinatesSerializer(data=nested(request.data), partial=not adding)
        serializer.is_valid(raise_exception=True)
        location = device_locations.report_position(
            device, serializer.validated_data.get("geometry"), adding=adding
        )
        return Response(CoordinatesSerializer(location).data)


class GeoSettings(View):
    """Location settings of an organization."""

    serializer_class = GeoSettingsSerializer
    resource = "location"

    def get(self, request: Request, pk: str) -> Response:
        return Response(GeoSettingsSerializer(self._row(request, pk)).data)

    def put(self, request: Request, pk: str) -> Response:
        row = self._row(request, pk)
        serializer = GeoSettingsSerializer(row, data=request.data)
        serializer.is_valid(raise_exception=True)
        row = device_locations.update_geo_settings(row, **serializer.validated_data)
        return Response(GeoSettingsSerializer(row).data)

    def patch(self, request: Request, pk: str) -> Response:
        return self.put(request, pk)

    def _row(self, request: Request, pk: str) -> Any:
        user = request.user
        if not isinstance(user, User):
            raise exceptions.NotAuthenticated
        rows = Organization.objects.all()
        if not user.is_superuser:
            rows = rows.filter(pk__in=user.roles)
        organization = get_object_or_404(rows, pk=pk)
        authorize(user, f"location:{ACTIONS[request.method or 'GET']}", organization.pk)
        return device_locations.geo_settings_of(organization)
