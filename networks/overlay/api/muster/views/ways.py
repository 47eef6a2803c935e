"""Paths between the members of a network."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from networks.overlay import rules
from networks.overlay.api.muster.filters import WayFilter
from networks.overlay.api.muster.serializers import WaySerializer
from networks.overlay.api.muster.views.networks import PartView
from networks.overlay.models import Pair
from networks.overlay.rules import direct_path_status


class WayViewSet(ListModelMixin, PartView):
    """Pairs of members that exchange traffic, the most recent first."""

    queryset = Pair.objects.all()
    serializer_class = WaySerializer
    filterset_class = WayFilter

    def get_queryset(self) -> QuerySet[Pair]:
        if getattr(self, "swagger_fake_view", False):
            return Pair.objects.none()
        return direct_path_status.pairs_of(self.network())

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        context = self.get_serializer_context() | {
            "ways": {one.pair.pk: one for one in direct_path_status.describe(list(rows))},
            "manages": rules.role_of(self.user, self.network()) in {"owner", "admin"},
        }
        return self.get_paginated_response(WaySerializer(rows, many=True, context=context).data)
