from typing import Any

from django.db.models import QuerySet
from rest_framework.serializers import BaseSerializer

from controller.connections import rules
from controller.connections.api.filters import ConnectionFilter, CredentialsFilter
from controller.connections.api.serializers import (
    ConnectionSerializer,
    CredentialsSerializer,
)
from controller.connections.models import Credentials, DeviceConnection
from controller.devices.api.views import OfDevice
from controller.dialects.openwisp import RuleViewSet


class CredentialsViewSet(RuleViewSet):
    """How the portal signs in on devices. Secrets can be written and never read."""

    queryset = Credentials.objects.order_by("-created")
    resource = "credentials"
    filterset_class = CredentialsFilter
    serializer_class = CredentialsSerializer
    create_rule = staticmethod(rules.create_credentials)
    update_rule = staticmethod(rules.update_credentials)
    delete_rule = staticmethod(rules.delete_credentials)


class ConnectionViewSet(OfDevice, RuleViewSet):
    """The ways to reach one device."""

    queryset = DeviceConnection.objects.order_by("-created")
    resource = "connection"
    filterset_class = ConnectionFilter
    serializer_class = ConnectionSerializer
    update_rule = staticmethod(rules.update_connection)
    delete_rule = staticmethod(rules.disconnect)

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(device=self.device)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = rules.connect(self.device, **serializer.validated_data)
