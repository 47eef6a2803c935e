"""Subnets behind the members of a network."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import (
    CreateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from networks.overlay.api.muster.filters import SubnetFilter
from networks.overlay.api.muster.serializers import MemberSubnetSerializer, SubnetApproval
from networks.overlay.api.muster.views.networks import PartView
from networks.overlay.models import MemberSubnet
from networks.overlay.rules import subnets


class SubnetViewSet(
    ListModelMixin, RetrieveModelMixin, CreateModelMixin, DestroyModelMixin, PartView
):
    """The subnets that members lead to, approved or announced."""

    queryset = MemberSubnet.objects.select_related("member__node", "network__owner").order_by(
        "pk"
    )
    serializer_class = MemberSubnetSerializer
    filterset_class = SubnetFilter
    lookup_value_regex = r"\d{1,18}"

    def get_serializer_context(self) -> dict[str, Any]:
        found = super().get_serializer_context()
        if getattr(self, "swagger_fake_view", False):
            return found
        return found | {"network": self.network()}

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = dict(serializer.validated_data)
        serializer.instance = subnets.add_subnet(values.pop("member"), by=self.user, **values)

    def perform_destroy(self, instance: MemberSubnet) -> None:
        subnets.remove_subnet(instance, by=self.user)

    @extend_schema(request=SubnetApproval, responses=MemberSubnetSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, **_: str) -> Response:
        """Let the members reach the subnet, as the policy allows."""
        row = self.get_object()
        shape = SubnetApproval(data=request.data)
        shape.is_valid(raise_exception=True)
        return Response(
            self.get_serializer(
                subnets.approve_subnet(row, by=self.user, **shape.validated_data)
            ).data
        )
