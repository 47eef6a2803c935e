"""Lists of devices and gateways by kind."""

from typing import Any

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce, NullIf
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controller.devices.models import Device
from controller.dialects.freesdn import HasResourcePermission, Pagination, View
from controller.dialects.openapi.pages import items_of
from controller.dialects.openwisp import require_user
from networks.gateways.models import Gateway

# Last part of the URL: kind of device.
KINDS = {
    "switches": Device.Kind.SWITCH,
    "access-points": Device.Kind.ACCESS_POINT,
    "cameras": Device.Kind.CAMERA,
    "voip": Device.Kind.PHONE,
    "firewall": Device.Kind.FIREWALL,
    "hypervisor": Device.Kind.HYPERVISOR,
}
HYPERVISORS = ("proxmox",)
STATUSES = ("online", "offline", "unknown", "deactivated")


class Asked(serializers.Serializer[Any]):
    site_id = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=STATUSES, required=False)
    search = serializers.CharField(required=False, max_length=256)


class KindShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    origin = serializers.ChoiceField(choices=["device", "gateway"])
    vendor = serializers.CharField(allow_blank=True)
    model = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True)
    version = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=STATUSES)
    last_seen = serializers.DateTimeField(allow_null=True)
    site_id = serializers.UUIDField(allow_null=True)
    organization_id = serializers.UUIDField()


COLUMNS = tuple(KindShape().fields)


def text(value: str) -> Value:
    return Value(value, output_field=CharField())


def devices_of(kind: str, user: Any) -> QuerySet[Any]:
    state = Case(
        When(is_deactivated=True, then=text("deactivated")),
        default=Coalesce(NullIf(F("presence__state"), text("")), text("unknown")),
        output_field=CharField(),
    )
    rows: QuerySet[Any] = Device.objects.visible_to(user, "device:read").filter(kind=kind)
    found: QuerySet[Any] = rows.order_by().annotate(
        origin=text("device"), vendor=text(""), version=F("os"), status=state,
        address=Coalesce(Cast("management_ip", CharField()), text("")),
        last_seen=F("presence__last_seen"),
    )  # fmt: skip
    return found


def gateways_of(kind: str, user: Any) -> QuerySet[Any]:
    is_one = Q(vendor__in=HYPERVISORS)
    rows: QuerySet[Any] = Gateway.objects.visible_to(user, "gateway:read").order_by()
    if kind == Device.Kind.HYPERVISOR:
        rows = rows.filter(is_one)
    else:
        rows = rows.exclude(is_one) if kind == Device.Kind.FIREWALL else rows.none()
    state = Case(
        When(last_seen__isnull=True, then=text("unknown")),
        When(trouble="", then=text("online")),
        default=text("offline"),
        output_field=CharField(),
    )
    found: QuerySet[Any] = rows.annotate(
        origin=text("gateway"), model=text(""), address=F("url"), status=state
    )
    return found


class KindView(View):
    permission_classes = [HasResourcePermission]
    resource = "device"
    permissions = {"": "device:read"}
    per_page, max_per_page = 50, 200

    @extend_schema(
        responses=items_of(KindShape),
        parameters=[
            Asked,
            OpenApiParameter("page", OpenApiTypes.INT),
            OpenApiParameter("per_page", OpenApiTypes.INT),
        ],
    )
    def get(self, request: Request, kind: str) -> Response:
        """List the devices and gateways of this kind by name."""
        asked = Asked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        user = require_user(request)
        found = [
            self.narrowed(rows, wanted).values_list(*COLUMNS)
            for rows in (devices_of(KINDS[kind], user), gateways_of(KINDS[kind], user))
        ]
        pages = Pagination()
        rows = found[0].union(found[1], all=True).order_by("name", "id")
        page = pages.paginate_queryset(rows, request, self)
        items = [dict(zip(COLUMNS, row, strict=True)) for row in page]
        return pages.get_paginated_response(KindShape(items, many=True).data)

    def narrowed(self, rows: QuerySet[Any], wanted: dict[str, Any]) -> QuerySet[Any]:
        names = {"site_id": "site_id", "status": "status", "search": "name__icontains"}
        return rows.filter(**{names[name]: value for name, value in wanted.items()})
