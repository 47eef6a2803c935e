"""Gateways and their staged changes in the FreeSDN dialect: one view for every vendor and area."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from controller.base.errors import NotFound, Refused
from controller.dialects.freesdn import MayDo, RuleViewSet, View, number
from controller.dialects.openwisp import as_user
from networks.api.freesdn import serializers as shapes
from networks.api.freesdn.filters import ChangeFilter, GatewayFilter
from networks.engine.features import FEATURES
from networks.models import Change, Gateway
from networks.rules import applying, changes, gateways

CREATED = 201
MOST, USUAL = 500, 100
LIST = [
    OpenApiParameter("status", OpenApiTypes.STR, enum=[*Change.State.values, "all"]),
    OpenApiParameter("limit", OpenApiTypes.INT),
]


class GatewayViewSet(RuleViewSet):
    """Gateways of the caller's organizations and sites. Key and secret are never shown."""

    queryset = Gateway.objects.all()
    resource = "gateway"
    permissions = {"check": "gateway:update"}
    serializer_class = shapes.GatewayShape
    filterset_class = GatewayFilter
    create_rule = staticmethod(gateways.create_gateway)
    update_rule = staticmethod(gateways.update_gateway)
    delete_rule = staticmethod(gateways.delete_gateway)
    http_method_names = ["get", "head", "options", "post", "patch", "delete"]

    @extend_schema(request=None, responses=shapes.GatewayShape)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str | None = None) -> Response:
        """Ask the gateway for its version."""
        return Response(self.get_serializer(gateways.look(self.get_object())).data)


class Staging(View):
    """Reading takes one permission; what writing takes follows from the feature."""

    permission_classes = [MayDo]
    resource = "network"
    permissions = {"": changes.READ}

    def gateway(self, pk: str) -> Gateway:
        rows = Gateway.objects.visible_to(self.request.user, changes.READ)
        found: Gateway | None = rows.filter(pk=as_uuid(pk)).first()
        wanted = self.kwargs.get("vendor") or (found and found.vendor)
        if found is None or found.vendor != wanted:
            raise NotFound("Resource not found")
        site = self.kwargs.get("site_id")
        if site and found.site_id != as_uuid(site):
            raise NotFound("Resource not found")
        return found

    def change(self) -> Change:
        rows = Change.objects.visible_to(self.request.user, changes.READ)
        rows = rows.select_related("gateway__organization", "author")
        found: Change | None = rows.filter(pk=as_uuid(self.kwargs["pk"])).first()
        if found is None:
            raise NotFound("Resource not found")
        return found

    def listed(self, rows: QuerySet[Change]) -> Response:
        """A plain list, newest first, as the dialect's clients read it."""
        most = number(self.request, "limit", USUAL, MOST)
        chosen = ChangeFilter(self.request.query_params, rows.select_related("gateway"))
        if not chosen.is_valid():
            raise ValidationError({f"query.{k}": v for k, v in chosen.errors.items()})
        return Response(shapes.ChangeShape(chosen.qs[:most], many=True).data)


def as_uuid(text: Any) -> UUID:
    try:
        return UUID(str(text))
    except ValueError as error:
        raise NotFound("Resource not found") from error


class FeaturesView(Staging):
    @extend_schema(
        responses=shapes.FeatureShape(many=True), operation_id="gateway_features_list"
    )
    def get(self, request: Request) -> Response:
        """What can be changed: features, what they take, and the schemas of their payloads."""
        found = [
            {
                "key": one.key,
                "vendor": one.vendor,
                "area": one.area,
                "aliases": one.aliases,
                "permission": one.permission,
                "catastrophic": one.catastrophic,
                "operations": {name: one.schema(name) for name in one.operations},
            }
            for key, one in FEATURES.items()
            if key == one.key
        ]
        return Response(shapes.FeatureShape(found, many=True).data)


class ChangesView(Staging):
    @extend_schema(responses=shapes.ChangeShape(many=True), parameters=LIST)
    def get(self, request: Request, controller_id: str, **kwargs: str) -> Response:
        """The changes of a gateway."""
        return self.listed(Change.objects.filter(gateway=self.gateway(controller_id)))


class GatewayChangesView(Staging):
    @extend_schema(
        responses=shapes.ChangeShape(many=True),
        parameters=[*LIST, OpenApiParameter("vendor", OpenApiTypes.STR)],
        operation_id="changes_by_gateway",
    )
    def get(self, request: Request, gateway_id: str) -> Response:
        """The changes of a gateway, whatever they change."""
        return self.listed(Change.objects.filter(gateway=self.gateway(gateway_id)))


class StageView(Staging):
    @extend_schema(
        request=shapes.Staged,
        responses={CREATED: shapes.ChangeShape},
        parameters=[
            OpenApiParameter(
                "operation",
                OpenApiTypes.STR,
                required=True,
                enum=["create", "update", "delete"],
            )
        ],
    )
    def post(
        self, request: Request, controller_id: str, feature: str, **kwargs: str
    ) -> Response:
        """Stage a change: it is kept, and nothing is written to the gateway."""
        gateway = self.gateway(controller_id)
        found = changes.feature_of(gateway, feature, kwargs.get("area", ""))
        user = as_user(request)
        changes.may_write(user, gateway, found)
        given = shapes.Staged(data=request.data)
        given.is_valid(raise_exception=True)
        operation = request.query_params.get("operation", "")
        try:
            row = changes.stage(
                gateway, feature=found, operation=operation, by=user, **given.validated_data
            )
        except Refused as error:
            raise named(error) from error
        return Response(shapes.ChangeShape(row).data, status=CREATED)


def named(error: Refused) -> Refused:
    """Fields by the dialect's full paths."""
    if isinstance(error.detail, str):
        return error
    return Refused(
        {
            name if name.startswith("query.") else f"body.{name}": text
            for name, text in error.detail.items()
        }
    )


class ApplyView(Staging):
    @extend_schema(
        request=shapes.Applied, responses=shapes.ChangeShape, operation_id="change_apply"
    )
    def post(self, request: Request, pk: str) -> Response:
        """Write a pending change to its gateway, and read back what it holds then."""
        change = self.change()
        changes.may_write(as_user(request), change.gateway, change.what)
        given = shapes.Applied(data=request.data)
        given.is_valid(raise_exception=True)
        applying.apply(
            change,
            by=as_user(request),
            force=given.validated_data["force"],
            accepts_drift=given.validated_data["accept_drift"],
        )
        return Response(shapes.ChangeShape(change).data)


class DiscardView(Staging):
    @extend_schema(
        request=None,
        responses=shapes.ChangeShape,
        operation_id="change_discard",
        parameters=[OpenApiParameter("force", OpenApiTypes.BOOL)],
    )
    def post(self, request: Request, pk: str) -> Response:
        """Give up a pending change. One that is being applied is not called back by force."""
        return Response(
            shapes.ChangeShape(changes.discard(self.change(), by=as_user(request))).data
        )


class RollBackView(Staging):
    @extend_schema(
        request=None, responses={CREATED: shapes.ChangeShape}, operation_id="change_rollback"
    )
    def post(self, request: Request, pk: str) -> Response:
        """Stage the change that takes an applied one back."""
        change = self.change()
        user = as_user(request)
        changes.may_write(user, change.gateway, change.what)
        row = changes.plan_inverse(change, by=user)
        return Response(shapes.ChangeShape(row).data, status=CREATED)


class DiffView(Staging):
    @extend_schema(responses=shapes.DiffShape, operation_id="change_diff")
    def get(self, request: Request, pk: str) -> Response:
        """What the gateway held at staging, holds now, and is to hold; and what happened."""
        change = self.change()
        found, drift = changes.differences(change)
        shown = {"drift": drift, "differences": found, "events": change.events.all()}
        return Response(shapes.DiffShape(shown).data)
