"""Views of change sets: create, approve, apply in order, roll back."""

from typing import Any

from django.db.models import F
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from controller.base.errors import NotFound
from controller.dialects.freesdn import OwnedViewSet
from controller.dialects.openwisp import require_user
from networks.gateways.api import serializers as shapes
from networks.gateways.api.filters import SetFilter
from networks.gateways.api.views.staging import as_uuid
from networks.gateways.models import Change, ChangeSet
from networks.gateways.rules import change_sets, transitions

CREATED, ACCEPTED = 201, 202


class ChangeSetViewSet(OwnedViewSet, mixins.ListModelMixin, GenericViewSet[Any]):
    """Changes that are applied in order.

    Writing requires the permissions of each change.
    """

    queryset = ChangeSet.objects.all()
    resource = "network"
    permissions = dict.fromkeys(
        ("create", "apply", "approve", "discard", "roll_back"), transitions.READ
    )
    serializer_class = shapes.SetShape
    filterset_class = SetFilter
    http_method_names = ["get", "head", "options", "post"]

    def shown(self, row: ChangeSet, status: int = 200) -> Response:
        parts = Change.objects.visible_to(self.request.user, transitions.READ).filter(
            change_set=row
        )
        found = {
            "set": row,
            "changes": parts.select_related("gateway").order_by(
                F("position").asc(nulls_last=True), "created"
            ),
        }
        return Response(shapes.SetDetailShape(found).data, status=status)

    @extend_schema(responses=shapes.SetDetailShape)
    def retrieve(self, request: Request, pk: str | None = None) -> Response:
        """Return the set with its changes in order, followed by their inverses."""
        return self.shown(self.get_object())

    @extend_schema(responses={CREATED: shapes.SetDetailShape})
    def create(self, request: Request) -> Response:
        """Create a set of pending changes, in the given order."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        wanted = values.pop("changes")
        rows = Change.objects.visible_to(request.user, transitions.READ)
        found = {
            one.pk: one for one in rows.filter(pk__in=wanted).select_related("gateway__site")
        }
        if missing := [str(pk) for pk in wanted if pk not in found]:
            raise NotFound(f"There is no change {missing[0]}.")
        row = change_sets.create_set(
            [found[as_uuid(pk)] for pk in wanted], by=require_user(request), **values
        )
        return self.shown(row, CREATED)

    @extend_schema(request=shapes.Applied, responses={ACCEPTED: shapes.SetDetailShape})
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str | None = None) -> Response:
        """Apply the remaining changes in order. Changes already applied are skipped."""
        row = self.get_object()
        change_sets.may_write(row, require_user(request))
        given = shapes.Applied(data=request.data)
        given.is_valid(raise_exception=True)
        how = given.how("")
        change_sets.apply_set(
            row, by=require_user(request), force=how.force, accepts_drift=how.accepts_drift
        )
        return self.shown(row, ACCEPTED)

    @extend_schema(request=None, responses=shapes.SetDetailShape)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str | None = None) -> Response:
        """Approve each pending change of the set in its current form."""
        return self.shown(change_sets.approve_set(self.get_object(), by=require_user(request)))

    @extend_schema(request=None, responses=shapes.SetDetailShape)
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str | None = None) -> Response:
        """Discard the changes of the set that have not been applied."""
        return self.shown(change_sets.discard_set(self.get_object(), by=require_user(request)))

    @extend_schema(request=None, responses={ACCEPTED: shapes.SetDetailShape})
    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, pk: str | None = None) -> Response:
        """Roll back all applied changes, the last one first."""
        return self.shown(
            change_sets.roll_back_set(self.get_object(), by=require_user(request)), ACCEPTED
        )
