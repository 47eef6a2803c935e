"""Relays of all overlay networks, for superusers."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.mixins import CreateModelMixin, DestroyModelMixin, ListModelMixin
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from controller.base.errors import NotPermitted
from controller.configs.rules import overlay_sync
from networks.overlay.api.muster.serializers import RelayRowSerializer
from networks.overlay.api.muster.views.networks import MeshView
from networks.overlay.models import Node


class RelayViewSet(ListModelMixin, CreateModelMixin, DestroyModelMixin, MeshView):
    """The devices that carry traffic; members are connected with all, and use the nearest."""

    queryset = Node.objects.filter(is_relay=True).order_by("rank")
    serializer_class = RelayRowSerializer
    filterset_class = None
    lookup_value_regex = r"\d{1,18}"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not self.user.is_superuser:
            raise NotPermitted("Only a superuser sees and chooses relays.")

    def get_queryset(self) -> QuerySet[Node]:
        rows: QuerySet[Node] = super().get_queryset()
        return rows.none() if getattr(self, "swagger_fake_view", False) else rows

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = dict(serializer.validated_data)
        serializer.instance = overlay_sync.add_relay(
            values.pop("device"), by=self.user, endpoint=values.pop("endpoint", ""), **values
        )

    def perform_destroy(self, instance: Node) -> None:
        overlay_sync.remove_relay(instance, by=self.user)
