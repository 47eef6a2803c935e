"""Reads of FreeSDN's web client: gateways and controllers, and their settings and live parts."""

from typing import Any
from urllib.parse import urlsplit

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controller.dialects.freesdn import HasResourcePermission, Pagination, View, number
from controller.dialects.openapi.pages import items_of
from controller.dialects.openwisp import require_user
from networks.gateways.api.views.staging import Staging, as_uuid
from networks.gateways.models import Gateway

# The client shows these under its firewalls; all others are controllers.
FIREWALLS = ("mikrotik", "openwrt", "opnsense", "pfsense")
MOST_SHOWN, SHOWN = 500, 200
PORTS = {"https": 443, "http": 80}


def host_of(row: Gateway) -> dict[str, Any]:
    url = urlsplit(row.url)
    return {"host": url.hostname or "", "port": url.port or PORTS.get(url.scheme, 443)}


class Shown(serializers.ModelSerializer[Gateway]):
    """What both kinds of the client's gateways have."""

    site_id = serializers.UUIDField(read_only=True, allow_null=True)
    description = serializers.SerializerMethodField()
    host = serializers.SerializerMethodField()
    port = serializers.SerializerMethodField()
    verify_ssl = serializers.SerializerMethodField()
    sync_enabled = serializers.SerializerMethodField()
    sync_interval_seconds = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="created", read_only=True)
    updated_at = serializers.DateTimeField(source="modified", read_only=True)

    def get_description(self, row: Gateway) -> str | None:
        return None

    def get_host(self, row: Gateway) -> str:
        return str(host_of(row)["host"])

    def get_port(self, row: Gateway) -> int:
        return int(host_of(row)["port"])

    def get_verify_ssl(self, row: Gateway) -> bool:
        return True

    def get_sync_enabled(self, row: Gateway) -> bool:
        return True

    def get_sync_interval_seconds(self, row: Gateway) -> int:
        return 60


COMMON = (
    "id", "name", "description", "host", "port", "site_id", "verify_ssl", "sync_enabled",
    "sync_interval_seconds", "created_at", "updated_at",
)  # fmt: skip


class FirewallShape(Shown):
    org_id = serializers.UUIDField(source="organization_id", read_only=True)
    vendor = serializers.CharField(read_only=True)
    device_id = serializers.SerializerMethodField()
    has_credentials = serializers.SerializerMethodField("get_verify_ssl")
    sync_status = serializers.SerializerMethodField()
    last_sync_at = serializers.DateTimeField(source="polled", read_only=True, allow_null=True)
    last_sync_error = serializers.CharField(source="trouble", read_only=True)
    is_online = serializers.SerializerMethodField()
    last_seen_at = serializers.DateTimeField(
        source="last_seen", read_only=True, allow_null=True
    )
    detected_version = serializers.CharField(source="version", read_only=True)
    detected_hostname = serializers.SerializerMethodField("get_description")
    detected_model = serializers.SerializerMethodField("get_description")
    capabilities = serializers.SerializerMethodField()
    settings = serializers.SerializerMethodField()

    class Meta:
        model = Gateway
        fields = [
            *COMMON, "org_id", "device_id", "vendor", "has_credentials", "sync_status",
            "last_sync_at", "last_sync_error", "is_online", "last_seen_at", "detected_version",
            "detected_hostname", "detected_model", "capabilities", "settings",
        ]  # fmt: skip

    def get_device_id(self, row: Gateway) -> str | None:
        return None

    def get_sync_status(self, row: Gateway) -> str:
        return {"": "never", "online": "success"}.get(row.status, "failed")

    def get_is_online(self, row: Gateway) -> bool:
        return row.status == "online"

    def get_capabilities(self, row: Gateway) -> list[str]:
        return []

    def get_settings(self, row: Gateway) -> dict[str, str]:
        return {}


class ControllerShape(Shown):
    controller_type = serializers.CharField(source="vendor", read_only=True)
    status = serializers.SerializerMethodField()
    last_sync = serializers.DateTimeField(source="last_seen", read_only=True, allow_null=True)
    last_error = serializers.CharField(source="trouble", read_only=True)
    is_active = serializers.SerializerMethodField("get_sync_enabled")
    use_ssl = serializers.SerializerMethodField()
    connection_mode = serializers.SerializerMethodField()
    device_count = serializers.SerializerMethodField()
    online_device_count = serializers.SerializerMethodField("get_device_count")
    config = serializers.SerializerMethodField()

    class Meta:
        model = Gateway
        fields = [
            *COMMON, "controller_type", "status", "last_sync", "last_error", "is_active",
            "use_ssl", "connection_mode", "device_count", "online_device_count", "config",
        ]  # fmt: skip

    def get_status(self, row: Gateway) -> str:
        return {"": "unknown", "online": "connected"}.get(row.status, "disconnected")

    def get_use_ssl(self, row: Gateway) -> bool:
        return row.url.startswith("https")

    def get_connection_mode(self, row: Gateway) -> str:
        return "direct"

    def get_device_count(self, row: Gateway) -> int:
        return 0

    def get_config(self, row: Gateway) -> dict[str, str]:
        site = urlsplit(row.url).path.strip("/").removeprefix("network/").split("/")[0]
        return {"site": site or "default"} if row.vendor == "unifi" else {}


class SummaryShape(serializers.Serializer[Any]):
    total_gateways = serializers.IntegerField()
    online = serializers.IntegerField()
    offline = serializers.IntegerField()
    sync_success = serializers.IntegerField()
    sync_failed = serializers.IntegerField()
    sync_never = serializers.IntegerField()
    sync_idle = serializers.IntegerField()
    by_vendor = serializers.DictField(child=serializers.IntegerField())


class WebView(View):
    """Base of the lists: gateways of the caller, for those who may read them."""

    permission_classes = [HasResourcePermission]
    resource = "gateway"
    permissions = {"": "gateway:read"}

    def rows(self, request: Request) -> QuerySet[Gateway]:
        rows: QuerySet[Gateway] = Gateway.objects.visible_to(
            require_user(request), "gateway:read"
        )
        if site := request.query_params.get("site_id"):
            rows = rows.filter(site=as_uuid(site))
        return rows.order_by("name", "pk")


class FirewallsView(WebView):
    @extend_schema(
        responses=items_of(FirewallShape), operation_id="firewall_gateways",
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT),
                    OpenApiParameter("site_id", OpenApiTypes.UUID),
                    OpenApiParameter("vendor", OpenApiTypes.STR)],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """List firewalls and routers as FreeSDN's web client reads them."""
        rows = self.rows(request).filter(vendor__in=FIREWALLS)
        if vendor := request.query_params.get("vendor"):
            rows = rows.filter(vendor=vendor[:16])
        most = number(request, "limit", SHOWN, MOST_SHOWN)
        total = rows.count()
        return Response(
            {
                "items": FirewallShape(rows[:most], many=True).data, "total": total, "page": 1,
                "per_page": most, "pages": -(-total // most),
            }
        )  # fmt: skip


class FirewallSummaryView(WebView):
    @extend_schema(responses=SummaryShape, operation_id="firewall_gateways_summary")
    def get(self, request: Request) -> Response:
        """Count firewalls and routers by vendor and by status."""
        rows = self.rows(request).filter(vendor__in=FIREWALLS)
        states = [(one.vendor, one.status) for one in rows.only("vendor", "polled", "trouble")]
        online = sum(state == "online" for _, state in states)
        never = sum(not state for _, state in states)
        vendors = [vendor for vendor, _ in states]
        found = {
            "total_gateways": len(states), "online": online, "offline": len(states) - online,
            "sync_success": online, "sync_failed": len(states) - online - never,
            "sync_never": never, "sync_idle": 0,
            "by_vendor": {one: vendors.count(one) for one in sorted(set(vendors))},
        }  # fmt: skip
        return Response(SummaryShape(found).data)


class FirewallView(Staging):
    permissions = {"": "gateway:read"}

    @extend_schema(responses=FirewallShape, operation_id="firewall_gateway")
    def get(self, request: Request, gateway_id: str) -> Response:
        """Return a firewall or router as FreeSDN's web client reads it."""
        return Response(FirewallShape(self.gateway(gateway_id)).data)


class ControllersView(WebView):
    per_page, max_per_page = 50, 500

    @extend_schema(
        responses=items_of(ControllerShape), operation_id="controllers",
        parameters=[OpenApiParameter("page", OpenApiTypes.INT),
                    OpenApiParameter("per_page", OpenApiTypes.INT),
                    OpenApiParameter("site_id", OpenApiTypes.UUID),
                    OpenApiParameter("controller_type", OpenApiTypes.STR)],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """List controllers and hypervisors as FreeSDN's web client reads them."""
        rows = self.rows(request).exclude(vendor__in=FIREWALLS)
        if kind := request.query_params.get("controller_type"):
            rows = rows.filter(vendor=kind[:16])
        pages = Pagination()
        page = pages.paginate_queryset(rows, request, self)
        return pages.get_paginated_response(ControllerShape(page, many=True).data)


class ControllerView(Staging):
    permissions = {"": "gateway:read"}

    @extend_schema(responses=ControllerShape, operation_id="controller")
    def get(self, request: Request, gateway_id: str) -> Response:
        """Return a controller as FreeSDN's web client reads it."""
        return Response(ControllerShape(self.gateway(gateway_id)).data)
