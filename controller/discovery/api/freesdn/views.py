"""Discovery by FreeSDN's addresses: scans, how far they are, what they found, adoption."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.models import Organization
from controller.base.errors import Refused
from controller.dialects.freesdn import MayDo, View, number
from controller.dialects.openwisp import as_user
from controller.discovery import rules
from controller.discovery.api.freesdn import serializers as shapes
from controller.discovery.models import Finding, Scan

USUALLY_LISTED, MOST_LISTED = 20, 100
CREATED, NO_CONTENT = 201, 204


class Discovery(View):
    permission_classes = [MayDo]
    resource = "discovery"
    # The guide asks for the same permission to look at scans as to start them.
    permissions = {"": rules.RUN}

    def scans(self) -> Any:
        return Scan.objects.visible_to(self.request.user, rules.RUN)

    def scan(self, pk: UUID) -> Scan:
        found: Scan | None = self.scans().filter(pk=pk).first()
        if found is None:
            raise Http404
        return found


class StartView(Discovery):
    @extend_schema(
        request=shapes.Wanted, responses=shapes.StartedShape, operation_id="discovery_scan"
    )
    def post(self, request: Request) -> Response:
        """Start a scan. Workers do it; ask for its progress."""
        asked = shapes.Wanted(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        site = given.get("site_id")
        owner = site.organization if site else given.get("organization_id") or self.only()
        scan = rules.start(
            owner,
            by=as_user(request),
            site=site,
            wanted=given["targets"],
            excluded=given["exclude_targets"],
            methods=given["scan_methods"],
            ports=given["tcp_ports"],
            **given["options"],
        )
        return Response(shapes.StartedShape(scan).data)

    def only(self) -> Organization:
        rows = list(Organization.objects.visible_to(self.request.user)[:2])
        if len(rows) == 1:
            one: Organization = rows[0]
            return one
        raise Refused({"organization_id": ["Say in which of your organizations, or a site."]})


class ScanView(Discovery):
    @extend_schema(responses={204: None}, operation_id="discovery_scan_delete")
    def delete(self, request: Request, pk: UUID) -> Response:
        """Forget a scan and what it found; what was adopted stays."""
        rules.remove(self.scan(pk), by=as_user(request))
        return Response(status=NO_CONTENT)


class ProgressView(Discovery):
    @extend_schema(responses=shapes.ProgressShape, operation_id="discovery_scan_progress")
    def get(self, request: Request, pk: UUID) -> Response:
        """How far a scan is."""
        return Response(shapes.ProgressShape(self.scan(pk)).data)


class CancelView(Discovery):
    @extend_schema(
        request=None, responses=shapes.ProgressShape, operation_id="discovery_scan_cancel"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Stop a scan; what it found so far is kept."""
        return Response(
            shapes.ProgressShape(rules.cancel(self.scan(pk), by=as_user(request))).data
        )


class ResultsView(Discovery):
    @extend_schema(responses=shapes.ResultsShape, operation_id="discovery_scan_results")
    def get(self, request: Request, pk: UUID) -> Response:
        """What a scan found."""
        return Response(shapes.ResultsShape(self.scan(pk)).data)


class LatestView(Discovery):
    @extend_schema(responses=shapes.ResultsShape, operation_id="discovery_latest_results")
    def get(self, request: Request) -> Response:
        """What the newest scan found."""
        found = self.scans().first()
        if found is None:
            raise Http404
        return Response(shapes.ResultsShape(found).data)


class HistoryView(Discovery):
    @extend_schema(
        responses=shapes.HistoryShape(many=True),
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT)],
        operation_id="discovery_history",
    )
    def get(self, request: Request) -> Response:
        """The newest scans."""
        most = number(request, "limit", USUALLY_LISTED, MOST_LISTED)
        return Response(shapes.HistoryShape(self.scans()[:most], many=True).data)


class AdoptView(Discovery):
    permissions = {"": rules.WRITE}

    @extend_schema(
        request=shapes.Adopting,
        responses={201: shapes.AdoptedShape},
        operation_id="discovery_adopt",
    )
    def post(self, request: Request) -> Response:
        """Take what a scan found into the inventory."""
        asked = shapes.Adopting(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        rows = Finding.objects.visible_to(request.user, rules.WRITE)
        rows = rows.select_related("scan__organization", "scan__site")
        rows = rows.filter(address=given["ip_address"]).order_by("-created")
        if "scan_id" in given:
            rows = rows.filter(scan=given["scan_id"])
        finding = rows.first()
        if finding is None:
            raise Http404
        device = rules.adopt(
            finding,
            by=as_user(request),
            name=given["name"],
            mac_address=given["mac_address"],
            site=given.get("site_id"),
        )
        return Response(shapes.AdoptedShape(device).data, status=CREATED)
