"""What pages of FreeSDN's web client read of one gateway: settings, parts, and the system itself."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controller.dialects.openapi.pages import items_of
from networks.gateways.api.views.staging import Staging
from networks.gateways.api.views.web_client import WebView
from networks.gateways.engine.live import duration
from networks.gateways.engine.web_pages import BARE, BARE_ITEMS
from networks.gateways.models import Gateway
from networks.gateways.rules import web_client_reads
from networks.gateways.rules.web_client_reads import WebRead

# Live parts about the system itself, by vendor.
SYSTEM = {"mikrotik": ("info",), "openwrt": ("device-info",)}
TOPOLOGY = "system/topology"
TRAP_TARGETS = "security/snmp/trap-targets"


class ReadShape(serializers.Serializer[Any]):
    controller_id = serializers.UUIDField()
    fetched_at = serializers.DateTimeField()
    items = serializers.ListField(child=serializers.DictField(), required=False)
    total = serializers.IntegerField(required=False)
    item = serializers.DictField(required=False, help_text="Of settings that there is one of.")


class NothingShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()


class FirewallReadView(Staging):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="firewall_gateway_read")
    def get(self, request: Request, gateway_id: str, what: str) -> Response:
        """Read settings or a live part of a firewall, found by the words of the URL.

        Rows are `items`, and under the name that the client looks for.
        """
        return Response(web_client_reads.page_of(self.gateway(gateway_id), what))


class AreaReadView(Staging):
    @extend_schema(responses=ReadShape)
    def get(self, request: Request, controller_id: str, what: str, **kwargs: str) -> Response:
        """Read settings or a live part of a gateway, found by the words of the URL.

        A few lists of RouterOS are bare, without the envelope.
        """
        gateway = self.gateway(controller_id)
        if what in SYSTEM.get(gateway.vendor, ()):
            return Response(system(gateway))
        area = kwargs.get("area", "")
        if gateway.vendor == "mikrotik":
            return Response(of_routeros(gateway, area, what))
        return Response(envelope(gateway, web_client_reads.read_at(gateway, area, what)))


def of_routeros(gateway: Gateway, area: str, what: str) -> Any:
    """Return what a page of RouterOS reads, as the client expects it there."""
    path = f"{area}/{what}"
    if path == TOPOLOGY:
        return {**head_of(gateway), "nodes": [], "edges": []}
    told = web_client_reads.read_at(gateway, area, what)
    if path == TRAP_TARGETS:
        return envelope(gateway, web_client_reads.trap_targets(told))
    if path in BARE:
        return told.rows
    return next(iter(told.rows), {}) if path in BARE_ITEMS else envelope(gateway, told)


def system(gateway: Gateway) -> dict[str, Any]:
    """Return what the client shows of the system, in the vendor's words."""
    told = web_client_reads.system_of(gateway)
    head = head_of(gateway)
    if gateway.vendor == "openwrt":
        return {**head, "info": {**told, "model": "", "release": {"version": told["version"]}}}
    load = told["load"]
    resource = {
        "version": told["version"], "uptime": duration(told["uptime"]),
        "cpu-load": str(round(100 * load[0])) if load else "",
        "free-memory": str(told["memory"]["available"]),
        "total-memory": str(told["memory"]["total"]),
    }  # fmt: skip
    return {
        **head, "identity": {"name": told["hostname"]}, "resource": resource,
        "routerboard": {}, "license": {}, "clock": {}, "health": [], "packages": [],
    }  # fmt: skip


class EmptyView(WebView):
    """Lists of FreeSDN's own database of firewalls, which the portal does not keep."""

    @extend_schema(responses=items_of(NothingShape))
    def get(self, request: Request) -> Response:
        """Return an empty list: rules and tunnels are read from each gateway itself."""
        return Response({"items": [], "total": 0, "page": 1, "per_page": 0, "pages": 0})


def head_of(gateway: Gateway) -> dict[str, Any]:
    return {"controller_id": gateway.pk, "fetched_at": timezone.now()}


def envelope(gateway: Gateway, told: WebRead) -> dict[str, Any]:
    head = {"controller_id": gateway.pk, "fetched_at": told.at}
    if told.is_item:
        return {**head, "item": next(iter(told.rows), {})}
    return {**head, "items": told.rows, "total": len(told.rows)}


class CountsView(WebView):
    """Counts of lists that are empty here."""

    names: tuple[str, ...] = ()

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return zeros: rules and tunnels are read from each gateway itself."""
        return Response(dict.fromkeys(("total", *self.names), 0))
