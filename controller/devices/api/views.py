from collections.abc import Iterable
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet, UUIDField
from django.http import Http404, HttpResponse
from django.utils.functional import cached_property
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated, PermissionDenied, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from controller.accounts.models import Organization, User
from controller.accounts.rules import authorize
from controller.base.compiled_queries import CompiledQuery
from controller.base.downloads import archive_response
from controller.base.errors import NotFound, Refused
from controller.base.secret_fields import shown_values
from controller.configs.models import Config
from controller.configs.rules import (
    devices,
    groups,
    organization_settings,
    organization_transfer,
    template_assignment,
)
from controller.connections.rules.device_approval import APPROVE, approval_kept, approve
from controller.devices.api.filters import DeviceFilter, GroupFilter
from controller.devices.api.serializers import (
    DeviceDetail,
    DeviceList,
    GroupSerializer,
    MoveSerializer,
    PlanSerializer,
    SettingsSerializer,
)
from controller.devices.models import Device, DeviceGroup, OrganizationSettings
from controller.devices.rules import rotate_shared_secret, settings_of
from controller.dialects.openwisp import (
    ACTIONS,
    Pagination,
    RuleViewSet,
    View,
    permission_of,
    require_user,
)
from controller.dialects.repeated_lists import OpenWispPages, RepeatedList
from controller.dialects.repeated_reads import register_read
from geo.rules.device_locations import drop_foreign_places

# Lists read these columns instead of model instances, which would take most of the time.
COLUMNS = (
    "id", "name", "organization_id", "group_id", "mac_address", "key", "presence__last_ip",
    "management_ip", "model", "os", "system", "notes", "config__id", "config__status",
    "config__error_reason", "config__render_error", "config__backend", "created", "modified",
    "site_id",
)  # fmt: skip
owner_of = itemgetter(COLUMNS.index("organization_id"), COLUMNS.index("site_id"))

# Additional columns of the detail page.
DETAIL_COLUMNS = ("is_deactivated", "config__config", "config__context")

# One row for each template of the device.
DETAIL = CompiledQuery(
    lambda pk: (
        Device.objects.filter(pk=pk)
        .order_by("config__uses__position")
        .values_list(*COLUMNS, *DETAIL_COLUMNS, "config__uses__template")
    ),
    pk=UUIDField(),
)


class Joined:
    """Rows of a list, joined with related rows one page at a time.

    Deep pages of a large fleet read only primary keys before the join.
    """

    ordered = True

    def __init__(self, rows: QuerySet[Device]) -> None:
        self.rows = rows

    def count(self) -> int:
        return self.rows.count()

    def __getitem__(self, part: slice) -> QuerySet[Device, tuple[Any, ...]]:
        keys = self.rows.values("pk")[part]
        return Device.objects.filter(pk__in=keys).values_list(*COLUMNS)


class OfDevice:
    """Mixin for views of data of one device: it must be visible and active."""

    kwargs: dict[str, Any]
    request: Any

    @cached_property
    def device(self) -> Device:
        found: Device = get_object_or_404(
            Device.objects.visible_to(self.request.user), pk=self.kwargs["device_id"]
        )
        return found

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if not isinstance(request.user, User):
            raise NotAuthenticated
        device = self.device
        authorize(
            request.user,
            permission_of(self, request),
            device.organization_id,
            device.site_scope,
        )
        if self.device.is_deactivated and request.method not in SAFE_METHODS:
            raise PermissionDenied


class DeviceViewSet(RuleViewSet):
    """Devices and their configurations."""

    queryset = Device.objects.all()
    resource = "device"
    filterset_class = DeviceFilter
    serializer_class = DeviceDetail
    create_rule = staticmethod(devices.create_device)
    update_rule = staticmethod(devices.update_device)
    # The archive holds keys, the device's own too.
    permissions = (
        {"configuration": "device:secret"}
        | dict.fromkeys(("activate", "deactivate", "move"), "device:update")
        | {"approve": APPROVE}
    )

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return DeviceList if self.action in {"list", "create"} else DeviceDetail

    def get_queryset(self) -> QuerySet[Device]:
        rows: QuerySet[Device] = super().get_queryset()
        if self.action == "list":
            return rows
        return rows.select_related(
            "organization", "group", "presence", "config"
        ).prefetch_related("config__uses")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        found: Any = Joined(self.filter_queryset(self.get_queryset()))
        page: list[Any] | None = self.paginate_queryset(found)
        return self.get_paginated_response(as_list(require_user(request), page or []))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        shown = device_detail(require_user(request), kwargs["pk"])
        if shown is None:
            raise Http404
        return Response(shown)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Refused) and exc.code == template_assignment.CANNOT_RENDER:
            return super().handle_exception(ValidationError({"config": exc.by_field}))
        return super().handle_exception(exc)

    @transaction.atomic
    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        device = cast(Device, serializer.instance)
        with approval_kept(device, by=require_user(self.request)):
            super().perform_update(serializer)
        if "organization" in serializer.validated_data:
            drop_foreign_places(cast(Device, serializer.instance))

    def perform_destroy(self, instance: Device) -> None:
        devices.delete_device(instance, force=self.request.query_params.get("force") == "true")

    @extend_schema(
        parameters=[
            OpenApiParameter("force", bool, description="Also delete an active device.")
        ]
    )
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Reactivate the device, with the templates a new device would get."""
        return Response(self.get_serializer(self._again(devices.activate)).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, pk: str) -> Response:
        """Deactivate the device and remove its configuration from it."""
        return Response(self.get_serializer(self._again(devices.deactivate)).data)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Let passwords be offered to the device over SSH, at the address it has now."""
        return Response(self.get_serializer(approve(self.get_object())).data)

    @extend_schema(request=MoveSerializer, responses=PlanSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Move the device to another organization; with ``dry_run`` only return the effects."""
        device = self.get_object()
        given = MoveSerializer(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        values = given.validated_data
        target = {"organization": values["organization"], "group": values.get("group")}
        authorize(require_user(request), "device:create", values["organization"].pk, None)
        found = organization_transfer.plan_transfer(device, **target)
        if not values["dry_run"]:
            with transaction.atomic():
                drop_foreign_places(organization_transfer.transfer(device, **target))
        return Response(PlanSerializer(found).data)

    def _again(self, rule: Any) -> Device:
        rule(self.get_object())
        return self.get_queryset().get(pk=self.kwargs["pk"])

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def configuration(self, request: Request, pk: str) -> HttpResponse:
        """Download the desired configuration archive of this device (tar.gz)."""
        device = self.get_object()
        config = getattr(device, "config", None)
        if config is None or config.desired is None:
            raise NotFound("Not found.")
        return archive_response(device.name, config.desired.archive)


def as_list(user: User, rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return the devices of a list as this user sees them."""
    openable: dict[Any, bool] = {}
    shown = []
    for row in rows:
        owner = owner_of(row)
        if owner not in openable:
            openable[owner] = user.has_perm_in("device:secret", *owner)
        shown.append(as_listed(row, with_key=openable[owner]))
    return shown


def device_detail(user: User, pk: str) -> dict[str, Any] | None:
    """Return the device as this user sees it, or None if there is none for the user."""
    try:
        rows = DETAIL(pk=UUID(pk))
    except ValueError:
        return None
    if not rows or not user.has_perm_in("device:read", *owner_of(rows[0])):
        return None
    listed = rows[0][: len(COLUMNS)]
    deactivated, own, context, _ = rows[0][len(COLUMNS) :]
    is_open = user.has_perm_in("device:secret", *owner_of(listed))
    shown = as_listed(listed, with_key=is_open)
    if shown["config"]:
        reads = user.has_perm_in("config:read", *owner_of(listed))
        values = shown_values(Config, {"context": context, "config": own}, is_open=is_open)
        shown["config"] |= {
            "templates": [row[-1] for row in rows if row[-1] is not None],
            **(values if reads else dict.fromkeys(values)),
        }
    return shown | {"is_deactivated": deactivated}


def as_listed(row: tuple[Any, ...], *, with_key: bool) -> dict[str, Any]:
    """Return a device of a list in this dialect's format."""
    shown = dict(zip(DeviceList.Meta.fields[:12], row, strict=False))
    if not with_key:
        shown["key"] = None
    config_id, status, error_reason, render_error, backend, created, modified, _ = row[12:]
    shown["config"] = config_id and {
        "status": status,
        "error_reason": render_error or error_reason,
        "backend": backend,
    }
    shown["created"], shown["modified"] = created, modified
    return shown


register_read(
    "/api/v1/controller/device/",
    RepeatedList(
        permission="device:read",
        rows=lambda user: Device.objects.visible_to(user, "device:read"),
        filters=DeviceFilter,
        parts=[lambda keys: Device.objects.filter(pk__in=keys).values_list(*COLUMNS)],
        show=as_list,
        pages=OpenWispPages(Pagination.page_size, Pagination.max_page_size),
    ),
)
register_read(
    "/api/v1/controller/device/(?P<pk>[0-9a-f-]{32,36})/",
    lambda user, request, pk: None if request.GET else device_detail(user, pk),
)


class GroupViewSet(RuleViewSet):
    """Device groups, with the templates and variables of their devices."""

    queryset = DeviceGroup.objects.order_by("-created").prefetch_related(
        "template_uses__template"
    )
    resource = "group"
    filterset_class = GroupFilter
    serializer_class = GroupSerializer
    create_rule = staticmethod(groups.create_group)
    update_rule = staticmethod(groups.update_group)
    delete_rule = staticmethod(groups.delete_group)


# Required for writing as well: otherwise their contents would be lost unseen.
SECRET_SETTINGS = {"shared_secret", "context"}


class OfOrganization(View):
    """Data of one of the caller's organizations; other organizations are a 404."""

    permission_classes = [IsAuthenticated]

    def settings_for(self, *verbs: str) -> OrganizationSettings:
        user = require_user(self.request)
        found: Organization = get_object_or_404(
            Organization.objects.visible_to(user), pk=self.kwargs["organization_id"]
        )
        for verb in verbs:
            authorize(user, f"organization:{verb}", found.pk)
        return settings_of(found)


class OrganizationSettingsView(OfOrganization):
    """Registration, variables and device limit of an organization."""

    serializer_class = SettingsSerializer

    @extend_schema(responses=SettingsSerializer)
    def get(self, request: Request, organization_id: str) -> Response:
        return self.shown(self.settings_for("read"))

    @extend_schema(request=SettingsSerializer, responses=SettingsSerializer)
    def put(self, request: Request, organization_id: str) -> Response:
        """Update like PATCH: fields that are not named stay unchanged."""
        return self.patch(request, organization_id)

    @extend_schema(request=SettingsSerializer, responses=SettingsSerializer)
    def patch(self, request: Request, organization_id: str) -> Response:
        row = self.settings_for(ACTIONS["PATCH"])
        given = SettingsSerializer(
            row, request.data, partial=True, context={"request": request}
        )
        given.is_valid(raise_exception=True)
        if "command_types" in given.validated_data:
            given.validated_data["command_types"] = sorted(
                given.validated_data["command_types"]
            )
        if SECRET_SETTINGS & given.validated_data.keys():
            self.settings_for("secret")
        return self.shown(organization_settings.update_settings(row, **given.validated_data))

    def shown(self, row: OrganizationSettings) -> Response:
        return Response(SettingsSerializer(row, context={"request": self.request}).data)


class SharedSecretView(OfOrganization):
    @extend_schema(request=None, responses=SettingsSerializer)
    def post(self, request: Request, organization_id: str) -> Response:
        """Create a new shared secret; registered devices keep their keys."""
        row = rotate_shared_secret(self.settings_for("update", "secret"))
        return Response(SettingsSerializer(row, context={"request": request}).data)
