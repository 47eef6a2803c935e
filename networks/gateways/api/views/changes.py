"""Views of staged changes and their actions."""

from collections.abc import Callable

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from controller.base.errors import Refused
from controller.dialects.freesdn import number
from controller.dialects.openwisp import require_user
from networks.gateways.api import serializers as shapes
from networks.gateways.api.filters import OF_FIVE, ChangeFilter
from networks.gateways.api.views.staging import AREAS, PAIRS, Staging, key_of, named
from networks.gateways.engine.client_bodies import feature_meant, in_our_words
from networks.gateways.models import Change
from networks.gateways.rules import approvals, changes, diff, dry_run, scheduling

CREATED, ACCEPTED = 201, 202
MOST, USUAL = 500, 100
VENDORS = sorted({vendor for vendor, _ in PAIRS})
IN_PATH = [
    OpenApiParameter("vendor", OpenApiTypes.STR, "path", enum=VENDORS),
    OpenApiParameter("area", OpenApiTypes.STR, "path", enum=sorted(AREAS)),
]
LIST = [
    OpenApiParameter("status", OpenApiTypes.STR, enum=[*Change.State.values, "all"]),
    OpenApiParameter("limit", OpenApiTypes.INT),
]
ONCE = OpenApiParameter(
    "Idempotency-Key", OpenApiTypes.STR, "header",
    description="Sent again with the same request, it is done once.",
)  # fmt: skip

APPLIED_OR_PLANNED = PolymorphicProxySerializer(
    component_name="AppliedOrPlanned",
    serializers=[shapes.ChangeShape, shapes.PlanShape],
    resource_type_field_name=None,
)


def listed(request: Request, rows: QuerySet[Change], *, in_five: bool = False) -> Response:
    """Return a plain list, newest first, as FreeSDN's clients expect.

    Its web client shows changes of five states alone: `in_five` tells the one of these.
    """
    most = number(request, "limit", USUAL, MOST)
    chosen = ChangeFilter(request.query_params, rows)
    if not chosen.is_valid():
        raise ValidationError({f"query.{k}": v for k, v in chosen.errors.items()})
    found = shapes.as_rows(chosen.qs[:most])
    for row in found if in_five else ():
        row["status"] = OF_FIVE.get(row["state"], row["state"])
    return Response(found)


class ChangesView(Staging):
    @extend_schema(responses=shapes.ChangeShape(many=True), parameters=[*LIST, *IN_PATH])
    def get(self, request: Request, controller_id: str, **kwargs: str) -> Response:
        """List the changes of a gateway."""
        rows = Change.objects.filter(gateway=self.gateway(controller_id))
        return listed(request, rows, in_five="site_id" in kwargs)


class GatewayChangesView(Staging):
    @extend_schema(
        responses=shapes.ChangeShape(many=True),
        parameters=[*LIST, OpenApiParameter("vendor", OpenApiTypes.STR)],
        operation_id="changes_by_gateway",
    )
    def get(self, request: Request, gateway_id: str) -> Response:
        """List the changes of a gateway in all areas."""
        rows = Change.objects.filter(gateway=self.gateway(gateway_id))
        return listed(request, rows, in_five=True)


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
            ),
            ONCE,
            *IN_PATH,
        ],
    )
    def post(
        self, request: Request, controller_id: str, feature: str, **kwargs: str
    ) -> Response:
        """Stage a change. Nothing is written to the gateway."""
        gateway = self.gateway(controller_id)
        found = changes.feature_of(gateway, feature, kwargs.get("area", ""))
        user = require_user(request)
        changes.may_write(user, gateway, found)
        given = shapes.Staged(data=request.data)
        given.is_valid(raise_exception=True)
        operation = request.query_params.get("operation", "")
        values = given.values()
        found = feature_meant(found, values["payload"])
        values["payload"], values["target_id"] = in_our_words(
            found, operation, values["payload"], values["target_id"]
        )
        try:
            row = changes.stage(
                gateway, feature=found, operation=operation, by=user, key=key_of(request),
                **values,
            )  # fmt: skip
        except Refused as error:
            raise named(error) from error
        return Response(shapes.ChangeShape(row).data, status=CREATED)


class ChangeView(Staging):
    @extend_schema(responses=shapes.ChangeShape, operation_id="change_retrieve")
    def get(self, request: Request, pk: str) -> Response:
        """Return a change with its current state and outcome."""
        return Response(shapes.ChangeShape(self.change()).data)

    @extend_schema(
        request=shapes.Amended, responses=shapes.ChangeShape, operation_id="change_amend"
    )
    def patch(self, request: Request, pk: str) -> Response:
        """Amend a pending change. Existing approvals become invalid."""
        change = self.change()
        changes.may_write(require_user(request), change.gateway, change.what)
        given = shapes.Amended(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            changes.amend(change, by=require_user(request), **given.validated_data)
        except Refused as error:
            raise named(error) from error
        return Response(shapes.ChangeShape(change).data)


class ApplyView(Staging):
    @extend_schema(
        request=shapes.Applied,
        responses={200: APPLIED_OR_PLANNED, ACCEPTED: shapes.ChangeShape},
        parameters=[ONCE],
        operation_id="change_apply",
    )
    def post(self, request: Request, pk: str) -> Response:
        """Apply a pending change and wait for the outcome.

        Returns 202 if it takes longer or is scheduled for later; poll the change then. With
        ``dry_run`` nothing is written; the response describes what would be.
        """
        change, user = self.change(), require_user(request)
        changes.may_write(user, change.gateway, change.what)
        given = shapes.Applied(data=request.data)
        given.is_valid(raise_exception=True)
        how = given.how(key_of(request))
        if given.validated_data["dry_run"]:
            return Response(shapes.PlanShape(dry_run.plan(change, by=user, how=how)).data)
        scheduling.apply(change, by=user, how=how)
        return told(request, change)


def told(request: Request, change: Change) -> Response:
    is_under_way = change.state in Change.MOVING
    answer = Response(shapes.ChangeShape(change).data, status=ACCEPTED if is_under_way else 200)
    if is_under_way:
        answer["Location"] = reverse("gateway-change", [change.pk], request=request)
    return answer


class ChangeActionView(Staging):
    """An action on a change without a request body."""

    rule: Callable[..., Change]
    status = 200

    def do(self, request: Request) -> Response:
        change, user = self.change(), require_user(request)
        changes.may_write(user, change.gateway, change.what)
        done = type(self).rule(change, by=user)
        return Response(shapes.ChangeShape(done).data, status=self.status)


class DiscardView(ChangeActionView):
    rule = staticmethod(changes.discard)

    @extend_schema(
        request=None,
        responses=shapes.ChangeShape,
        operation_id="change_discard",
        parameters=[OpenApiParameter("force", OpenApiTypes.BOOL)],
    )
    def post(self, request: Request, pk: str) -> Response:
        """Discard a pending change. A change that is being applied cannot be discarded."""
        return self.do(request)


class SubmitView(ChangeActionView):
    rule = staticmethod(changes.submit)

    @extend_schema(request=None, responses=shapes.ChangeShape, operation_id="change_submit")
    def post(self, request: Request, pk: str) -> Response:
        """Submit a draft for review."""
        return self.do(request)


class ApproveView(ChangeActionView):
    rule = staticmethod(approvals.approve)

    @extend_schema(request=None, responses=shapes.ChangeShape, operation_id="change_approve")
    def post(self, request: Request, pk: str) -> Response:
        """Approve another user's change in its current form."""
        return self.do(request)


class HoldView(ChangeActionView):
    rule = staticmethod(scheduling.unschedule)

    @extend_schema(request=None, responses=shapes.ChangeShape, operation_id="change_hold")
    def post(self, request: Request, pk: str) -> Response:
        """Unschedule a scheduled change. It stays pending."""
        return self.do(request)


class RollBackView(ChangeActionView):
    rule = staticmethod(changes.plan_inverse)
    status = CREATED

    @extend_schema(
        request=None, responses={CREATED: shapes.ChangeShape}, operation_id="change_rollback"
    )
    def post(self, request: Request, pk: str) -> Response:
        """Stage the inverse of an applied change."""
        return self.do(request)


class StageAgainView(ChangeActionView):
    rule = staticmethod(changes.stage_again)
    status = CREATED

    @extend_schema(
        request=None, responses={CREATED: shapes.ChangeShape}, operation_id="change_stage_again"
    )
    def post(self, request: Request, pk: str) -> Response:
        """Stage a failed, expired or discarded change again, as a new change."""
        return self.do(request)


class DiffView(Staging):
    @extend_schema(responses=shapes.DiffShape, operation_id="change_diff")
    def get(self, request: Request, pk: str) -> Response:
        """Return the three-way diff (staged base, live, desired) and the change's history."""
        change = self.change()
        found, drift = diff.differences(change)
        shown = {"drift": drift, "differences": found, "events": change.events.all()}
        return Response(shapes.DiffShape(shown).data)
