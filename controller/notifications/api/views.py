"""Notifications in the OpenWISP dialect, and webhooks."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import DestroyModelMixin, ListModelMixin, UpdateModelMixin
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from controller.accounts.engine.scopes import allows
from controller.accounts.models import Organization, User
from controller.accounts.rules import authorize
from controller.base.errors import NotPermitted
from controller.dialects.openwisp import (
    ACTIONS,
    NOT_FILTERS,
    OwnedViewSet,
    Pagination,
    RuleViewSet,
    View,
    require_user,
)
from controller.notifications.api import serializers as shapes
from controller.notifications.api.filters import (
    DeliveryFilter,
    NotificationFilter,
    PreferenceFilter,
    WebhookFilter,
)
from controller.notifications.models import Delivery, Mute, Notification, Preference, Webhook
from controller.notifications.rules import mutes, preferences, recipients, webhooks
from controller.notifications.rules.links import path_to

RESOURCE = "notification"


class Theirs(BasePermission):
    """Permission for the user's own data; API keys need the scope."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not isinstance(user, User):
            return False
        verb = "read" if ACTIONS.get(request.method or "GET", "read") == "read" else "update"
        return user.scopes is None or allows(user.scopes, f"{RESOURCE}:{verb}")


class Own(View):
    permission_classes = [Theirs]
    pagination_class: Any = Pagination

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.request.query_params.keys() <= NOT_FILTERS:
            return queryset
        rows: QuerySet[Any] = super().filter_queryset(queryset)  # type: ignore[misc]
        return rows


class NotificationViewSet(Own, UpdateModelMixin, DestroyModelMixin, ReadOnlyModelViewSet[Any]):
    """Notifications of the authenticated user, newest first."""

    queryset = Notification.objects.select_related("notice__organization")
    filterset_class = NotificationFilter
    http_method_names = ["get", "post", "patch", "delete", "options"]

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return Notification.objects.none()
        rows: Any = super().get_queryset()
        found: QuerySet[Any] = rows.visible_to(require_user(self.request))
        return found

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        if self.action == "list":
            return shapes.NotificationListSerializer
        return shapes.NotificationSerializer

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        instance: Any = serializer.instance
        if "unread" in serializer.validated_data:
            recipients.set_unread(instance, unread=serializer.validated_data["unread"])

    def perform_destroy(self, instance: Notification) -> None:
        recipients.delete(instance)

    @extend_schema(request=None, responses={200: None})
    @action(detail=False, methods=["post"])
    def read(self, request: Request) -> Response:
        """Mark all of the user's notifications as read."""
        recipients.mark_all_read(self.get_queryset())
        return Response(status=200)

    @extend_schema(responses={200: None, 302: None})
    @action(detail=True, methods=["get"])
    def redirect(self, request: Request, pk: str) -> HttpResponse:
        """Mark the notification as read and redirect to its object."""
        row = recipients.set_unread(self.get_object(), unread=False)
        return HttpResponseRedirect(path_to(row.notice))


class MutesView(Own, ListModelMixin, GenericViewSet[Any]):
    """Objects muted by the user."""

    queryset = Mute.objects.all()
    serializer_class = shapes.MuteSerializer

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return Mute.objects.none()
        return Mute.objects.filter(user=require_user(self.request))


class MuteView(Own):
    """Mute of an object: PUT mutes it, DELETE unmutes it."""

    serializer_class = shapes.MuteSerializer

    def row(self, request: Request, app_label: str, model_name: str, object_id: str) -> Any:
        return mutes.target(app_label, model_name, object_id, seen_by=require_user(request))

    @extend_schema(responses=shapes.MuteSerializer)
    def get(self, request: Request, **which: str) -> Response:
        muted = mutes.muted(require_user(request), self.row(request, **which))
        return Response(shapes.MuteSerializer(muted).data)

    @extend_schema(request=shapes.MuteSerializer, responses={201: shapes.MuteSerializer})
    def put(self, request: Request, **which: str) -> Response:
        row = self.row(request, **which)
        given = shapes.MuteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        until = given.validated_data.get("valid_till")
        muted = mutes.mute(require_user(request), row, until=until)
        return Response(shapes.MuteSerializer(muted).data, status=201)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, **which: str) -> Response:
        mutes.unmute(mutes.muted(require_user(request), self.row(request, **which)))
        return Response(status=204)


def whose(request: Request, user_id: UUID | None) -> User:
    """Return the user whose settings are requested; others only for superusers."""
    me = require_user(request)
    if user_id in {None, me.pk}:
        return me
    if not me.is_superuser:
        raise NotPermitted("You do not have permission to perform this action.")
    return get_object_or_404(User, pk=user_id)


class PreferenceViewSet(Own, ReadOnlyModelViewSet[Any]):
    """Notification preferences per kind and organization, and general ones."""

    queryset = Preference.objects.all()
    serializer_class = shapes.PreferenceSerializer
    filterset_class = PreferenceFilter

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return Preference.objects.none()
        rows: QuerySet[Any] = preferences.preferences_of(self.theirs)
        return rows

    @property
    def theirs(self) -> User:
        return whose(self.request, self.kwargs.get("user_id"))

    def get_serializer_context(self) -> dict[str, Any]:
        known = dict(super().get_serializer_context())
        if getattr(self, "swagger_fake_view", False):
            return known
        general = Preference.objects.filter(user=self.theirs, organization=None).first()
        return known | {"general": general}

    @extend_schema(request=shapes.PreferenceSerializer, responses=shapes.PreferenceSerializer)
    def partial_update(self, request: Request, **_: Any) -> Response:
        row = self.get_object()
        given = self.get_serializer(row, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        preferences.set_preference(row, **given.validated_data)
        return Response(self.get_serializer(row).data)

    @extend_schema(request=shapes.PreferenceSerializer, responses=shapes.PreferenceSerializer)
    def update(self, request: Request, **which: Any) -> Response:
        return self.partial_update(request, **which)


@extend_schema_view(
    list=extend_schema(operation_id="notification_settings_of_user_list"),
    retrieve=extend_schema(operation_id="notification_settings_of_user_retrieve"),
    update=extend_schema(operation_id="notification_settings_of_user_update"),
    partial_update=extend_schema(operation_id="notification_settings_of_user_partial_update"),
)
class PreferenceOfUserViewSet(PreferenceViewSet):
    """Notification preferences of any user, for superusers."""


class OrganizationOfUserView(Own):
    """Notification preferences for all kinds of one organization."""

    @extend_schema(request=shapes.WaysSerializer, responses={201: shapes.WaysSerializer})
    def post(self, request: Request, user_id: UUID, organization_id: UUID) -> Response:
        user = whose(request, user_id)
        theirs = Organization.objects.visible_to(user)
        organization = get_object_or_404(theirs, pk=organization_id)
        given = shapes.WaysSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        preferences.set_preferences(user, organization, **given.validated_data)
        return Response(given.validated_data, status=201)


class OrganizationPreferenceView(Own):
    """Default notification preferences of an organization's members."""

    serializer_class = shapes.OrganizationPreferenceSerializer

    def organization(self, request: Request, pk: UUID, verb: str) -> Organization:
        user = require_user(request)
        row = get_object_or_404(Organization.objects.visible_to(user), pk=pk)
        authorize(user, f"organization:{verb}", row.pk)
        return row

    @extend_schema(responses=shapes.OrganizationPreferenceSerializer)
    def get(self, request: Request, organization_id: UUID) -> Response:
        row = preferences.settings_of(self.organization(request, organization_id, "read"))
        return Response(shapes.OrganizationPreferenceSerializer(row).data)

    @extend_schema(
        request=shapes.OrganizationPreferenceSerializer,
        responses=shapes.OrganizationPreferenceSerializer,
    )
    def patch(self, request: Request, organization_id: UUID) -> Response:
        row = preferences.settings_of(self.organization(request, organization_id, "update"))
        given = shapes.OrganizationPreferenceSerializer(row, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        preferences.set_defaults(row, **given.validated_data)
        return Response(shapes.OrganizationPreferenceSerializer(row).data)

    @extend_schema(
        request=shapes.OrganizationPreferenceSerializer,
        responses=shapes.OrganizationPreferenceSerializer,
    )
    def put(self, request: Request, organization_id: UUID) -> Response:
        return self.patch(request, organization_id)


class WebhookViewSet(RuleViewSet):
    """Webhooks that receive an organization's notices."""

    queryset = Webhook.objects.all()
    resource = "webhook"
    permissions = {"rotate": "webhook:update", "test": "webhook:update"}
    filterset_class = WebhookFilter
    serializer_class = shapes.WebhookSerializer
    create_rule = staticmethod(webhooks.create_webhook)
    update_rule = staticmethod(webhooks.update_webhook)
    delete_rule = staticmethod(webhooks.delete_webhook)

    @extend_schema(request=None, responses=shapes.WebhookSecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Create a new secret, returned only once."""
        row = webhooks.rotate_secret(self.get_object())
        return Response(shapes.WebhookSecretSerializer(row).data)

    @extend_schema(request=None, responses=shapes.WebhookTestSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a test message and return the result."""
        return Response({"answer": webhooks.test(self.get_object())})


class DeliveryViewSet(OwnedViewSet, ReadOnlyModelViewSet[Any]):
    """Webhook deliveries with their results."""

    queryset = Delivery.objects.select_related("notice")
    resource = "webhook"
    permissions = {"retry": "webhook:update"}
    filterset_class = DeliveryFilter
    serializer_class = shapes.DeliverySerializer

    @extend_schema(request=None, responses={202: None})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Retry the delivery immediately."""
        webhooks.retry(self.get_object())
        return Response(status=202)
