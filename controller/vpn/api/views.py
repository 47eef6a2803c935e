from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from controller.base.downloads import archive_response
from controller.base.errors import NotFound
from controller.configs.rules.vpn_servers import update_vpn
from controller.devices.api.serializers import GroupSerializer
from controller.devices.models import DeviceGroup
from controller.dialects.openwisp import HasResourcePermission, RuleViewSet, View
from controller.vpn import rules
from controller.vpn.api.filters import VpnFilter
from controller.vpn.api.serializers import VpnDetail, VpnList
from controller.vpn.models import Vpn


class VpnViewSet(RuleViewSet):
    """VPN servers; devices become their clients by templates."""

    queryset = Vpn.objects.defer("archive", "private_key").select_related("organization")
    resource = "vpn"
    # The archive contains the server's private key.
    permissions = {"configuration": "vpn:secret"}
    filterset_class = VpnFilter
    create_rule = staticmethod(rules.create_vpn)
    update_rule = staticmethod(update_vpn)
    delete_rule = staticmethod(rules.delete_vpn)

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return VpnList if self.action == "list" else VpnDetail

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def configuration(self, request: Request, pk: str) -> HttpResponse:
        """Download the desired configuration archive of this server (tar.gz)."""
        vpn = rules.rendered(self.get_object())
        return archive_response(vpn.name, bytes(vpn.archive))


class CertificateGroupView(View):
    """Group of the device with this certificate, for access control at a tunnel's edge."""

    resource = "group"
    permission_classes = [HasResourcePermission]

    @extend_schema(
        parameters=[
            OpenApiParameter("org", str, description="Slugs of organizations, with commas.")
        ],
        responses=GroupSerializer,
    )
    def get(self, request: Request, common_name: str) -> Response:
        groups = DeviceGroup.objects.visible_to(request.user).filter(
            devices__vpn_clients__cert__common_name=common_name,
            devices__vpn_clients__cert__revoked=False,
        )
        if slugs := request.query_params.get("org"):
            groups = groups.filter(organization__slug__in=slugs.split(","))
        group = groups.prefetch_related("template_uses__template").first()
        if group is None:
            raise NotFound("Not found.")
        return Response(GroupSerializer(group, context={"request": request}).data)
