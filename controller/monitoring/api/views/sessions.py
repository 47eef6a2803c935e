from rest_framework.mixins import ListModelMixin, RetrieveModelMixin

from controller.dialects.openwisp import OwnedViewSet
from controller.monitoring.api.filters import SessionFilter
from controller.monitoring.api.serializers import SessionSerializer
from controller.monitoring.models import WifiSession


class WifiSessionViewSet(ListModelMixin, RetrieveModelMixin, OwnedViewSet):
    """Stays of Wi-Fi clients on access points, the newest first."""

    queryset = WifiSession.objects.select_related("device__organization")
    resource = "monitoring"
    filterset_class = SessionFilter
    serializer_class = SessionSerializer
