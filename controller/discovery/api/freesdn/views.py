"""Discovery in the FreeSDN dialect: scans, progress, results, adoption."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from controller.accounts.models import Organization
from controller.base.errors import NotFound, Refused
from controller.devices.models import Device
from controller.dialects.freesdn import HasResourcePermission, View, number
from controller.dialects.openwisp import require_user
from controller.discovery import rules
from controller.discovery.api.freesdn import serializers as shapes
from controller.discovery.engine.targets import MOST_HOSTS
from controller.discovery.models import Finding, Scan

USUALLY_LISTED, MOST_LISTED = 20, 100
USUAL_RESULTS, MOST_RESULTS = 1000, 5000
CREATED, NO_CONTENT = 201, 204


class Discovery(View):
    permission_classes = [HasResourcePermission]
    resource = "discovery"
    # The guide requires the same permission for reading scans as for starting them.
    permissions = {"": rules.RUN}

    def scans(self) -> Any:
        return Scan.objects.visible_to(self.request.user, rules.RUN)

    def given(self, shape: type[Serializer[Any]]) -> dict[str, Any]:
        """Validate the request body and return its values."""
        asked = shape(data=self.request.data, context={"request": self.request})
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

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
        """Start a scan. Workers run it; poll its progress."""
        given = self.given(shapes.Wanted)
        site = given.get("site_id")
        owner = site.organization if site else given.get("organization_id") or self.only()
        scan = rules.start(
            owner,
            by=require_user(request),
            site=site,
            wanted=given["targets"],
            excluded=given["exclude_targets"],
            methods=methods_of(given),
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


def methods_of(given: dict[str, Any]) -> list[str]:
    """Return the scan methods; names are resolved unless that is disabled."""
    wanted = [one for one in given["scan_methods"] if one != "dns"]
    return [*wanted, "dns"] if given["options"].pop("resolve_hostnames", True) else wanted


class ScanView(Discovery):
    @extend_schema(responses={204: None}, operation_id="discovery_scan_delete")
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete a scan and its findings; adopted devices are kept."""
        rules.remove(self.scan(pk), by=require_user(request))
        return Response(status=NO_CONTENT)


class ProgressView(Discovery):
    @extend_schema(responses=shapes.ProgressShape, operation_id="discovery_scan_progress")
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the progress of a scan."""
        return Response(shapes.ProgressShape(self.scan(pk)).data)


class CancelView(Discovery):
    @extend_schema(
        request=None, responses=shapes.ProgressShape, operation_id="discovery_scan_cancel"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Cancel a scan; its findings so far are kept."""
        return Response(
            shapes.ProgressShape(rules.cancel(self.scan(pk), by=require_user(request))).data
        )


PART = [
    OpenApiParameter("limit", OpenApiTypes.INT), OpenApiParameter("offset", OpenApiTypes.INT),
]  # fmt: skip


def results(request: Request, scan: Scan) -> Response:
    """Return a page of findings; ``total_discovered`` is the number of all."""
    part = {
        "limit": number(request, "limit", USUAL_RESULTS, MOST_RESULTS),
        "offset": number(request, "offset", 0, MOST_HOSTS, least=0),
    }
    return Response(shapes.ResultsShape(scan, context=part).data)


class ResultsView(Discovery):
    @extend_schema(
        responses=shapes.ResultsShape, parameters=PART, operation_id="discovery_scan_results"
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Return the findings of a scan."""
        return results(request, self.scan(pk))


class LatestView(Discovery):
    @extend_schema(
        responses=shapes.ResultsShape, parameters=PART, operation_id="discovery_latest_results"
    )
    def get(self, request: Request) -> Response:
        """Return the findings of the newest scan."""
        found = self.scans().first()
        if found is None:
            raise Http404
        return results(request, found)


class HistoryView(Discovery):
    @extend_schema(
        responses=shapes.HistoryShape(many=True),
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT)],
        operation_id="discovery_history",
    )
    def get(self, request: Request) -> Response:
        """Return the newest scans."""
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
        """Add a finding to the inventory."""
        given = self.given(shapes.Adopting)
        device = self.adopt(given)
        return Response(shapes.AdoptedShape(device).data, status=CREATED)

    def adopt(self, given: dict[str, Any]) -> Device:
        return rules.adopt(
            found(self.request, given, rules.WRITE),
            by=require_user(self.request),
            name=given["name"],
            mac_address=given["mac_address"],
            site=given.get("site_id"),
        )


def found(request: Request, given: dict[str, Any], to: str) -> Finding:
    """Return the newest finding of an address, or the one of the named scan."""
    rows = Finding.objects.visible_to(request.user, to)
    rows = rows.select_related("scan__organization", "scan__site")
    rows = rows.filter(address=given["ip_address"]).order_by("-created")
    if "scan_id" in given:
        rows = rows.filter(scan=given["scan_id"])
    finding: Finding | None = rows.first()
    if finding is None:
        raise NotFound(f"No scan has found {given['ip_address']}.")
    return finding


class AdoptManyView(AdoptView):
    @extend_schema(
        request=shapes.AdoptingMany,
        responses=shapes.AdoptedManyShape,
        operation_id="discovery_adopt_bulk",
    )
    def post(self, request: Request) -> Response:
        """Add several findings to the inventory; failures are returned with their reason."""
        given = self.given(shapes.AdoptingMany)
        adopted, failed = [], []
        for one in given["devices"]:
            try:
                adopted.append(shapes.AdoptedShape(self.adopt(one)).data)
            except Refused as error:
                failed.append({"ip_address": one["ip_address"], "error": str(error)})
        return Response({"adopted": adopted, "failed": failed})


class FingerprintView(Discovery):
    @extend_schema(
        request=shapes.OneHost,
        responses=shapes.FindingShape,
        operation_id="discovery_fingerprint",
    )
    def post(self, request: Request) -> Response:
        """Probe one host immediately; the result is not stored."""
        given = self.given(shapes.OneHost)
        finding = rules.look_at(given["ip_address"], ports=given["ports"])
        return Response(shapes.FindingShape(finding).data)


class MatchView(Discovery):
    @extend_schema(
        request=shapes.Sought,
        responses=shapes.MatchesShape,
        operation_id="discovery_match_drivers",
    )
    def post(self, request: Request) -> Response:
        """Return the drivers that can probably manage a found host."""
        given = self.given(shapes.Sought)
        finding = found(request, given, rules.RUN)
        shown = {"ip_address": finding.address, "matches": rules.matches(finding)}
        return Response(shapes.MatchesShape(shown).data)


class CredentialsView(Discovery):
    permissions = {"": "gateway:create"}

    @extend_schema(
        request=shapes.Tested,
        responses=shapes.TestedShape,
        operation_id="discovery_test_credentials",
    )
    def post(self, request: Request) -> Response:
        """Test credentials on a gateway; they are not stored."""
        given = self.given(shapes.Tested)
        return Response(
            shapes.TestedShape(
                rules.try_credentials(
                    given["ip_address"], vendor=given["driver_id"], port=given["port"],
                    key=given["username"], secret=given["password"],
                    ca_certificate=given["ca_certificate"],
                )
            ).data
        )  # fmt: skip
