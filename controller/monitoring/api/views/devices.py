"""Devices with their health and charts, and where agents report."""

import csv
import io
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models.functions import Distance
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.utils.crypto import constant_time_compare
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.generics import get_object_or_404
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.base.secrets import digest
from controller.devices.models import Device
from controller.dialects.openapi.pages import page_of
from controller.dialects.openwisp import OwnedViewSet, Pagination, View
from controller.monitoring.api.agent.views import take
from controller.monitoring.api.filters import HealthFilter, NearbyFilter, with_health
from controller.monitoring.api.serializers import (
    MetricSerializer,
    MonitoredDeviceSerializer,
    NearbyDeviceSerializer,
)
from controller.monitoring.engine import buckets, openwisp_charts
from controller.monitoring.engine.buckets import Buckets, NotARange
from controller.monitoring.rules import device_charts
from controller.monitoring.rules.latest_reports import snapshots_of
from controller.monitoring.rules.sample_history import now_seconds

RANGE = [
    OpenApiParameter("time", str, description="1d, 3d, 7d (by default), 30d, 365d, or any Nd."),
    OpenApiParameter("start", str, description="YYYY-MM-DD HH:MM:SS, together with end."),
    OpenApiParameter("end", str, description="YYYY-MM-DD HH:MM:SS, together with start."),
    OpenApiParameter("timezone", str, description="IANA name; UTC by default."),
    OpenApiParameter("csv", str, description="Anything: CSV instead of JSON."),
]
KEY = OpenApiParameter("key", str, description="The device's own, instead of a user's token.")
SHOWN = Device.objects.select_related(
    "organization", "group", "presence", "config", "monitoring"
)


def asked_range(request: Request) -> Buckets:
    """Return the buckets that a request asks for; an odd one is a 400."""
    query = request.query_params
    now = now_seconds()
    try:
        zone = buckets.zone_of(query.get("timezone"))
        if query.get("start") and query.get("end"):
            return buckets.openwisp_dates(query["start"], query["end"], now, zone)
        return buckets.openwisp_range(query.get("time") or "7d", now, zone)
    except NotARange as error:
        raise exceptions.ValidationError([str(error)]) from error


def as_csv(range_: Buckets, found: list[dict[str, Any]]) -> HttpResponse:
    """Return charts as a file of comma-separated values."""
    text = io.StringIO()
    csv.writer(text).writerows(openwisp_charts.as_rows(range_.labels(), found))
    return HttpResponse(
        text.getvalue(),
        content_type="text/csv",
        headers={"Content-Disposition": "attachment; filename=data.csv"},
    )


class WithKeyOrPermission(BasePermission):
    """Whether anything says who it is; whose key it is, the view looks up."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method == "POST" or request.query_params.get("key"):
            return True
        user = request.user
        return isinstance(user, User) and user.has_perm_anywhere("monitoring:read")


class KeyPagination(Pagination):
    """Pages also for a device that asks with its key: counts are kept by user alone."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any] | None:
        return PageNumberPagination.paginate_queryset(self, queryset, request, view)


class OfOneDevice(View):
    """For what one device tells: asked with its key, or by who may see its monitoring."""

    permission_classes = [WithKeyOrPermission]
    resource = "monitoring"

    def find(self, request: Request, pk: UUID) -> Device:
        rows = SHOWN.filter(pk=pk, organization__is_active=True)
        key = request.query_params.get("key", "")
        if key:
            found: Device | None = rows.filter(is_deactivated=False).first()
            if found is not None and constant_time_compare(found.key_digest, digest(key)):
                return found
        if not isinstance(request.user, User):
            if key:
                raise exceptions.PermissionDenied("The key is not the device's.")
            raise exceptions.NotAuthenticated
        device: Device = get_object_or_404(SHOWN.visible_to(request.user), pk=pk)
        authorize(request.user, "monitoring:read", device.organization_id, device.site_scope)
        return device


class DeviceMetricsView(OfOneDevice):
    """One device's charts and health; its agent reports to the same address."""

    @extend_schema(
        parameters=[
            KEY,
            OpenApiParameter("time", str, description="dd-mm-YYYY_HH:MM:SS.ffffff, in UTC."),
            OpenApiParameter("current", str, description="Not looked at: the time says it."),
        ],
        request=OpenApiTypes.OBJECT,
        responses={200: None},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Take a report, NetJSON DeviceMonitoring, of the device whose key comes with it."""
        return take(request, pk)

    @extend_schema(
        parameters=[
            KEY, *RANGE,
            OpenApiParameter("status", str, description="Anything: with the newest report."),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )  # fmt: skip
    def get(self, request: Request, pk: UUID) -> Any:
        """Charts of a device over a range of time, its health, and what that is made of."""
        device = self.find(request, pk)
        range_ = asked_range(request)
        found = device_charts.openwisp_charts(device, range_)
        if request.query_params.get("csv"):
            return as_csv(range_, found)
        shown = self.described(request, device)
        shown["monitoring"] |= {
            "related_metrics": [
                {"name": one["name"], "is_healthy": one["is_healthy"]}
                for one in device_charts.metrics_of(device)
            ]
        }
        if found:
            shown["x"] = range_.labels()
        shown["charts"] = found
        if request.query_params.get("status"):
            shown["data"] = snapshots_of([device.pk]).get(device.pk)
        return Response(shown)

    def described(self, request: Request, device: Device) -> dict[str, Any]:
        row: Any = with_health(SHOWN).get(pk=device.pk)
        shown = MonitoredDeviceSerializer(row, context={"request": request}).data
        if not isinstance(request.user, User):
            # Who asks with the device's key knows it.
            shown["key"] = device.key
        return shown


class DeviceHealthViewSet(OwnedViewSet):
    """Devices, and how they are."""

    queryset = SHOWN.order_by("name", "pk")
    resource = "monitoring"
    filterset_class = HealthFilter
    serializer_class = MonitoredDeviceSerializer

    def list(self, request: Request) -> Response:
        rows = self.filter_queryset(with_health(self.get_queryset()))
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class DeviceMetricViewSet(ViewSetMixin, OfOneDevice):
    """What is measured on a device, and whether that is within its limits."""

    @extend_schema(
        parameters=[OpenApiParameter("is_healthy", bool)],
        responses=page_of(MetricSerializer),
    )
    def list(self, request: Request, pk: UUID) -> Response:
        found = device_charts.metrics_of(self.find(request, pk))
        wanted = request.query_params.get("is_healthy", "").lower()
        if wanted in {"true", "false"}:
            found = [one for one in found if one["is_healthy"] is (wanted == "true")]
        pages = KeyPagination()
        page = pages.paginate_queryset(found, request)
        return pages.get_paginated_response(MetricSerializer(page, many=True).data)


class NearbyDevicesView(OfOneDevice):
    """Devices around one that has a place, the nearest first."""

    @extend_schema(parameters=[KEY], responses=page_of(NearbyDeviceSerializer))
    def get(self, request: Request, pk: UUID) -> Response:
        device = self.find(request, pk)
        place = getattr(device, "place", None)
        if place is None or place.location is None or place.location.geometry is None:
            raise Http404
        rows = self.around(request, device, place.location.geometry)
        filters = NearbyFilter(request.query_params, rows, request=request)
        if not filters.is_valid():
            raise exceptions.ValidationError(filters.errors)
        pages = KeyPagination()
        page: Any = pages.paginate_queryset(filters.qs, request) or []
        context = {"request": request, "snapshots": snapshots_of(one.pk for one in page)}
        shown = NearbyDeviceSerializer(page, many=True, context=context)
        return pages.get_paginated_response(shown.data)

    def around(self, request: Request, device: Device, point: Any) -> QuerySet[Any]:
        """Return the devices that may be seen; who asks with a key sees the organization's."""
        rows: QuerySet[Any] = SHOWN.filter(organization=device.organization_id)
        if isinstance(request.user, User):
            rows = SHOWN.visible_to(request.user, "monitoring:read")
        found = with_health(rows.exclude(pk=device.pk).exclude(place__location__geometry=None))
        distance = Distance("place__location__geometry", point)
        near: QuerySet[Any] = found.annotate(distance=distance).order_by("distance", "pk")
        return near
