"""Inventory in the FreeSDN dialect: devices by site."""

from typing import Any

from django.db.models import Count, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from controller.accounts.models import User
from controller.accounts.rules import authorize
from controller.configs.rules import devices
from controller.connections.rules.device_approval import approval_kept
from controller.devices.api.freesdn.filters import DeviceFilter
from controller.devices.api.freesdn.serializers import (
    COLUMNS,
    OTHER,
    DeviceShape,
    Summary,
    as_item,
)
from controller.devices.models import Device
from controller.dialects.freesdn import RuleViewSet
from controller.dialects.openwisp import permission_of, require_user
from controller.dialects.repeated_lists import FreeSdnPages, RepeatedList
from controller.dialects.repeated_reads import register_read


def seen(user: User) -> QuerySet[Device]:
    # The id makes paging stable if two organizations have equal names.
    return Device.objects.visible_to(user, "device:read").order_by("name", "id")


register_read(
    "/api/v1/devices/?",
    RepeatedList(
        permission="device:read",
        rows=seen,
        filters=DeviceFilter,
        parts=[
            lambda keys: (
                Device.objects.filter(pk__in=keys).order_by("name", "id").values_list(*COLUMNS)
            )
        ],
        show=lambda _, rows: [as_item(row) for row in rows],
        pages=FreeSdnPages(),
    ),
)


class DeviceViewSet(RuleViewSet):
    """Devices of the caller's organizations and sites."""

    queryset = Device.objects.all()
    resource = "device"
    permissions = {"summary": "device:read"}
    filterset_class = DeviceFilter
    serializer_class = DeviceShape
    update_rule = staticmethod(devices.update_device)
    delete_rule = staticmethod(devices.delete_device)
    http_method_names = ["get", "head", "options", "patch", "delete"]

    def get_queryset(self) -> QuerySet[Device]:
        rows: QuerySet[Device] = super().get_queryset()
        if self.action in {"list", "summary"}:
            # The id makes paging stable if two organizations have equal names.
            return rows.order_by("name", "id")
        return rows.select_related("organization", "group", "site", "presence", "config")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rows = self.filter_queryset(self.get_queryset()).values_list(*COLUMNS)
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([as_item(row) for row in page])

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        values = serializer.validated_data
        device: Any = serializer.instance
        if "site" in values and isinstance(self.request.user, User):
            # Moving a device requires the permission in both sites.
            place = values["site"].pk if values["site"] else None
            authorize(
                self.request.user,
                permission_of(self, self.request),
                device.organization_id,
                place,
            )
        with approval_kept(device, by=require_user(self.request)):
            devices.update_device(device, **values)
        serializer.instance = self.get_queryset().filter(pk=device.pk).first() or device

    @extend_schema(responses=Summary)
    @action(detail=False, url_path="stats/summary", pagination_class=None)
    def summary(self, request: Request) -> Response:
        """Return the number of devices by status and type."""
        rows = self.filter_queryset(self.get_queryset()).order_by()
        counts: dict[str, int] = {}
        counted = rows.values_list("is_deactivated", "presence__state").annotate(Count("pk"))
        for is_deactivated, state, count in counted:
            status = "deactivated" if is_deactivated else state or "unknown"
            counts[status] = counts.get(status, 0) + count
        total = sum(counts.values())
        kinds = dict(rows.values_list("kind").annotate(Count("pk")))
        return Response(
            {
                "total": total,
                "online": counts.get("online", 0),
                "offline": counts.get("offline", 0),
                # By the names of the web client.
                "total_devices": total,
                "online_devices": counts.get("online", 0),
                "offline_devices": counts.get("offline", 0),
                "by_type": {name or OTHER: count for name, count in kinds.items()},
                "by_status": counts,
            }
        )
