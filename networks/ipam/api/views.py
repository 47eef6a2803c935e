"""Views of subnets and addresses at the paths of OpenWISP IPAM."""

from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import CreateModelMixin, ListModelMixin
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.viewsets import GenericViewSet

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.base.errors import Refused
from controller.configs.rules import vpn_servers
from controller.dialects.openwisp import HasResourcePermission, OwnedViewSet, RuleViewSet, View
from networks.ipam import rules
from networks.ipam.api.filters import AddressFilter, SubnetFilter
from networks.ipam.api.serializers import (
    AddressSerializer,
    AllocationSerializer,
    HostSerializer,
    ImportSerializer,
    RequestSerializer,
    SubnetSerializer,
)
from networks.ipam.models import IpAddress, Subnet

HOSTS_IN_A_PAGE = 256
LARGEST_FILE = 10 * 1024 * 1024


class SubnetViewSet(RuleViewSet):
    """Subnets and their utilization."""

    queryset = Subnet.objects.select_related("organization", "master_subnet")
    resource = "subnet"
    permissions = {"export": "subnet:read", "request_ip": "address:create"}
    filterset_class = SubnetFilter
    serializer_class = SubnetSerializer
    create_rule = staticmethod(rules.create_subnet)
    update_rule = staticmethod(vpn_servers.update_subnet)
    delete_rule = staticmethod(rules.delete_subnet)

    @extend_schema(responses=OpenApiTypes.STR)
    @action(detail=True, methods=["get"], url_path="get-next-available-ip")
    def next_ip(self, request: Request, pk: str) -> Response:
        """Return the lowest free address, or null."""
        return Response(rules.next_free(self.get_object()))

    @extend_schema(request=RequestSerializer, responses={201: AddressSerializer})
    @action(detail=True, methods=["post"], url_path="request-ip")
    def request_ip(self, request: Request, pk: str) -> Response:
        """Allocate the lowest free address; null if there is none."""
        subnet = self.get_object()
        sent = RequestSerializer(data=request.data, context=self.get_serializer_context())
        sent.is_valid(raise_exception=True)
        if rules.next_free(subnet) is None:
            return Response(None)
        text = sent.validated_data.get("description", "")
        (row,) = rules.allocate(subnet, descriptions=[text])
        return Response(AddressSerializer(row).data, status=201)

    @extend_schema(responses=AllocationSerializer)
    @action(detail=True, methods=["get"])
    def allocation(self, request: Request, pk: str) -> Response:
        """Return the number of used, reserved and available addresses."""
        return Response(AllocationSerializer(rules.allocation(self.get_object())).data)

    @extend_schema(
        parameters=[OpenApiParameter("start", str, description="The first address to show.")],
        responses=inline_serializer(
            "HostPage",
            {
                "next": serializers.URLField(allow_null=True),
                "previous": serializers.URLField(allow_null=True),
                "results": HostSerializer(many=True),
            },
        ),
    )
    @action(detail=True, methods=["get"])
    def hosts(self, request: Request, pk: str) -> Response:
        """List host addresses, 256 per page, each with its status and row."""
        subnet = self.get_object()
        usable = subnet.hosts
        first = rules.position(subnet, request.query_params.get("start", ""))
        url = request.build_absolute_uri()
        after, before = first + HOSTS_IN_A_PAGE, max(first - HOSTS_IN_A_PAGE, usable.first)
        following = previous = None
        if after <= usable.last:
            following = replace_query_param(url, "start", subnet.text(after))
        if first > usable.first:
            previous = replace_query_param(url, "start", subnet.text(before))
            if before == usable.first:
                previous = remove_query_param(url, "start")
        found = rules.host_range(subnet, first, HOSTS_IN_A_PAGE)
        shown = [HostSerializer(one).data for one in found]
        return Response({"next": following, "previous": previous, "results": shown})

    @extend_schema(request=None, responses={(200, "text/csv"): OpenApiTypes.STR})
    @action(detail=True, methods=["post"])
    def export(self, request: Request, pk: str) -> HttpResponse:
        """Export the subnet and its addresses as CSV."""
        headers = {"Content-Disposition": 'attachment; filename="ip_address.csv"'}
        text = rules.as_csv(self.get_object())
        return HttpResponse(text, content_type="text/csv", headers=headers)


class SubnetAddressViewSet(
    OwnedViewSet, ListModelMixin, CreateModelMixin, GenericViewSet[IpAddress]
):
    """Allocated addresses of one subnet."""

    queryset = IpAddress.objects.select_related("subnet")
    resource = "address"
    filterset_class = AddressFilter
    serializer_class = AddressSerializer
    permission_classes = [HasResourcePermission]

    def get_queryset(self) -> QuerySet[IpAddress]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(subnet=self.subnet())

    def subnet(self) -> Subnet:
        rows = Subnet.objects.visible_to(self.request.user)
        found: Subnet = get_object_or_404(rows, pk=self.kwargs["subnet_id"])
        return found

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.subnet()  # raise 404 before validating the request body

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        user = cast(User, self.request.user)
        authorize(user, "address:create", values["subnet"].organization_id)
        serializer.instance = rules.add_address(**values)


class AddressViewSet(RuleViewSet):
    """An allocated address."""

    queryset = IpAddress.objects.select_related("subnet")
    resource = "address"
    filterset_class = AddressFilter
    serializer_class = AddressSerializer
    update_rule = staticmethod(vpn_servers.update_address)
    delete_rule = staticmethod(rules.delete_address)

    def authorize_owner(self, values: dict[str, Any]) -> None:
        if "subnet" in values:
            user = cast(User, self.request.user)
            authorize(user, "address:update", values["subnet"].organization_id)


class ImportView(View):
    """Import of subnets and addresses from CSV files."""

    resource = "subnet"
    permission_classes = [HasResourcePermission]
    parser_classes = [MultiPartParser]

    @extend_schema(request=ImportSerializer, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        sent = ImportSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        file = sent.validated_data["csvfile"]
        if not file.name.lower().endswith(".csv") or file.size > LARGEST_FILE:
            text = "File type not supported: send a CSV file of at most 10 MiB."
            return Response({"error": text}, status=400)
        try:
            text = file.read().decode("utf-8-sig")
            owner = rules.owner_in(text)
            for permission in ("subnet:create", "address:create"):
                authorize(cast(User, request.user), permission, owner.pk if owner else None)
            rules.import_csv(text)
        except UnicodeDecodeError:
            return Response({"error": "The file is not text in UTF-8."}, status=400)
        except Refused as error:
            if type(error) is not Refused:
                raise
            return Response({"error": str(error)}, status=400)
        return Response({"detail": "Data imported successfully."})
