from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import CreateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from controller.accounts.models import Organization
from controller.accounts.rules import authorize
from controller.connections import rules
from controller.connections.api.filters import (
    BatchFilter,
    CommandFilter,
    ConnectionFilter,
    CredentialsFilter,
)
from controller.connections.api.serializers import (
    BatchSerializer,
    CommandSerializer,
    ConnectionSerializer,
    CredentialsSerializer,
    MassCommandSerializer,
)
from controller.connections.models import (
    Command,
    CommandBatch,
    Credentials,
    DeviceConnection,
)
from controller.connections.rules import commands
from controller.connections.rules.device_approval import approval_kept
from controller.devices.api.filters import DeviceFilter
from controller.devices.api.views import OfDevice
from controller.devices.models import Device
from controller.dialects.openwisp import OwnedViewSet, RuleViewSet, require_user

# How devices are chosen for a mass command, and how many a plan names.
PATHS = {"group": "group", "location": "place__location"}
MOST_SHOWN = 100


class CredentialsViewSet(RuleViewSet):
    """Credentials for access to devices. Secrets are write-only."""

    queryset = Credentials.objects.order_by("-created")
    resource = "credentials"
    filterset_class = CredentialsFilter
    serializer_class = CredentialsSerializer
    create_rule = staticmethod(rules.create_credentials)
    update_rule = staticmethod(rules.update_credentials)
    delete_rule = staticmethod(rules.delete_credentials)


class ConnectionViewSet(OfDevice, RuleViewSet):
    """Connections of one device."""

    queryset = DeviceConnection.objects.order_by("-created")
    resource = "connection"
    filterset_class = ConnectionFilter
    serializer_class = ConnectionSerializer
    update_rule = staticmethod(rules.update_connection)
    delete_rule = staticmethod(rules.disconnect)

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(device=self.device)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        with approval_kept(self.device, by=require_user(self.request)):
            serializer.instance = rules.connect(self.device, **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        with approval_kept(self.device, by=require_user(self.request)):
            super().perform_update(serializer)


class CommandViewSet(OfDevice, CreateModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """Commands on one device: send, list and cancel."""

    queryset = Command.objects.select_related("connection")
    resource = "command"
    permissions = {"cancel": "command:create"}
    filterset_class = CommandFilter
    serializer_class = CommandSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(device=self.device)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = commands.send(self.device, **serializer.validated_data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, device_id: UUID, pk: str) -> Response:
        """Cancel the command. A queued command is not run; a running one may have completed."""
        return Response(self.get_serializer(commands.cancel(self.get_object())).data)


class BatchViewSet(CreateModelMixin, ReadOnlyModelViewSet[Any], OwnedViewSet):
    """One command on many devices, with its progress."""

    queryset = CommandBatch.objects.counted().order_by("-created", "id")
    resource = "command"
    filterset_class = BatchFilter
    serializer_class = BatchSerializer

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        user, devices = require_user(self.request), values.pop("devices", None)
        authorize(user, "command:create", values["organization"].pk)
        if devices is None:
            devices = list(self.found(values["organization"]))
        for device in devices:
            authorize(user, "command:create", device.organization_id, device.site_scope)
        batch = commands.send_to_many(devices, **values)
        serializer.instance = self.get_queryset().get(pk=batch.pk)

    def found(self, organization: Organization) -> QuerySet[Device]:
        """Return the organization's devices that match the device list's filters."""
        rows = Device.objects.visible_to(require_user(self.request), "command:create").filter(
            organization=organization
        )
        chosen = DeviceFilter(self.request.query_params, rows, request=self.request)
        if not chosen.is_valid():
            raise ValidationError(chosen.errors)
        return chosen.qs  # type: ignore[no-any-return]


class MassCommandViewSet(BatchViewSet):
    """The same under the names of later versions of OpenWISP."""

    serializer_class = MassCommandSerializer
    permissions = {"plan": "command:create"}

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        notes = values.pop("notes", "")
        values["label"] = values.get("label") or notes
        named = {name: values.pop(name, None) for name in ("group", "location")}
        if any(named.values()) or not values.get("devices"):
            chosen = {PATHS[name]: row for name, row in named.items() if row is not None}
            if picked := values.get("devices"):
                chosen["pk__in"] = [device.pk for device in picked]
            rows = Device.objects.visible_to(require_user(self.request), "command:create")
            values["devices"] = list(
                rows.filter(organization=values["organization"], is_deactivated=False, **chosen)
            )
        super().perform_create(serializer)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def plan(self, request: Request) -> Response:
        """Return the devices that the query's filters find, and send nothing."""
        rows = Device.objects.visible_to(require_user(request), "command:create")
        chosen = DeviceFilter(request.query_params, rows, request=request)
        if not chosen.is_valid():
            raise ValidationError(chosen.errors)
        found = chosen.qs.filter(is_deactivated=False)
        shown = found.values("id", "name")[:MOST_SHOWN]
        return Response({"count": found.count(), "devices": list(shown)})
