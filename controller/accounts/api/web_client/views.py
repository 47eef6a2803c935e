"""What FreeSDN's web client asks before it shows a page: set-up, modules, settings."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.api.views import MayManage
from controller.accounts.api.web_client import serializers as shapes
from controller.accounts.engine.scopes import RANKS
from controller.accounts.models import Membership, Organization, Site, User
from controller.accounts.rules import roles, users
from controller.devices.models import Device
from controller.dialects.freesdn import (
    HasResourcePermission,
    Pagination,
    RuleViewSet,
    View,
    unavailable,
)
from controller.dialects.openapi.shapes import OBJECTS
from controller.dialects.openwisp import require_user

# Each opens pages of the client that this portal can fill.
MODULES = ("firewall", "hypervisor")


class Public(View):
    authentication_classes = []
    permission_classes = [AllowAny]


class SetupStatusView(Public):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return that the portal is set up; its first user is made by the command line."""
        return Response({"is_complete": True, "current_step": "complete", "message": None})


class ProvidersView(Public):
    @extend_schema(responses={200: OBJECTS})
    def get(self, request: Request) -> Response:
        """Return the providers of single sign-on as a plain list."""
        configured = settings.SOCIALACCOUNT_PROVIDERS.get("openid_connect", {}).get("APPS", [])
        return Response(
            [
                {"id": app["provider_id"], "slug": app["provider_id"], "name": app["name"],
                 "protocol": "oidc", "icon_url": None, "display_order": order}
                for order, app in enumerate(configured)
            ]
        )  # fmt: skip


class SignedIn(View):
    permission_classes = [IsAuthenticated]


class ModulesView(SignedIn):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, organization_id: UUID) -> Response:
        """Return the modules of an organization of the user."""
        rows = Organization.objects.visible_to(require_user(request), "site:read")
        get_object_or_404(rows, pk=organization_id)
        shown = [{"module_id": name, "is_enabled": True, "settings": {}} for name in MODULES]
        return Response({"modules": shown, "total": len(shown)})


class ModuleListView(SignedIn):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return no manifests: nothing is installed besides the portal."""
        return Response({"modules": [], "total": 0})


class ModuleStatesView(SignedIn):
    @extend_schema(responses={200: OBJECTS})
    def get(self, request: Request) -> Response:
        """Return that the modules run."""
        return Response(
            [{"module_id": name, "state": "running", "started_orgs": []} for name in MODULES]
        )


class NavigationView(SignedIn):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, organization_id: UUID) -> Response:
        """Return no entries: the client has its own."""
        return Response({"items": []})


class ReadOnlyView(SignedIn):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return whether the portal writes to no gateway."""
        return Response({"read_only": settings.ADAPTER_READ_ONLY})


class OrganizationsView(SignedIn):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return a page of the user's organizations, with what they have."""
        rows = Organization.objects.visible_to(require_user(request))
        pages = Pagination()
        found = pages.paginate_queryset(rows.order_by("name", "pk"), request)
        return pages.get_paginated_response(organization_rows(found))


class OrganizationView(SignedIn):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="organization_summary")
    def get(self, request: Request, organization_id: UUID) -> Response:
        """Return one of the user's organizations, with what it has."""
        rows = Organization.objects.visible_to(require_user(request))
        found = get_object_or_404(rows, pk=organization_id)
        return Response(organization_rows([found])[0])


def organization_rows(found: list[Organization]) -> list[dict[str, Any]]:
    users, sites, devices = (counted(model, found) for model in (Membership, Site, Device))
    return [
        {"id": row.pk, "name": row.name, "slug": row.slug, "is_active": row.is_active,
         "description": row.description, "contact_email": row.email or None, "settings": {},
         "user_count": users.get(row.pk, 0), "site_count": sites.get(row.pk, 0),
         "device_count": devices.get(row.pk, 0),
         "created_at": row.created, "updated_at": row.modified}
        for row in found
    ]  # fmt: skip


def counted(model: Any, organizations: list[Organization]) -> dict[UUID, int]:
    """Return how many rows of a model each of these organizations has."""
    rows = model.objects.filter(organization__in=organizations).order_by()
    return dict(rows.values_list("organization").annotate(Count("pk")))


class DoorView(SignedIn):
    @extend_schema(request=None, responses={501: OpenApiTypes.OBJECT})
    def post(self, request: Request, rest: str) -> Response:
        """Not available: the portal opens no doors."""
        return unavailable("Doors are not available in this release.")


class UserViewSet(RuleViewSet):
    """Users of the organizations that the caller manages."""

    queryset = User.objects.order_by("-date_joined", "id")
    resource = "user"
    permission_classes = [MayManage]
    serializer_class = shapes.UserShape
    lookup_value_converter = "uuid"
    http_method_names = ["get", "post", "patch", "delete", "options"]

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset()
        return rows.prefetch_related("memberships__organization")

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if getattr(self, "swagger_fake_view", False):
            return context
        user = require_user(self.request)
        return context | {
            "organizations": None if user.is_superuser else set(user.access_by_organization),
            "with_mfa": roles.users_with_mfa(self.get_queryset()),
        }

    @extend_schema(request=shapes.NewUser, responses={201: shapes.UserShape})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Create a user with a role in one organization, the caller's own if none is named."""
        given = shapes.NewUser(data=request.data, context={"request": request})
        given.is_valid(raise_exception=True)
        row = roles.create_user(by=require_user(request), **given.validated_data)
        return Response(self.get_serializer(row).data, status=201)

    @extend_schema(request=shapes.UserChange, responses=shapes.UserShape)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a user; the role is that in their only organization."""
        row = self.get_object()
        given = shapes.UserChange(data=request.data)
        given.is_valid(raise_exception=True)
        roles.update_user(row, by=require_user(request), **given.validated_data)
        return Response(self.get_serializer(self.get_queryset().get(pk=row.pk)).data)

    def perform_destroy(self, instance: Any) -> None:
        users.delete_user(instance, by=require_user(self.request))


class RolesView(SignedIn):
    permission_classes = [HasResourcePermission]
    resource = "usergroup"

    @extend_schema(
        responses=inline_serializer(
            "RoleShapeList",
            {"items": shapes.RoleShape(many=True), "total": serializers.IntegerField()},
        )
    )
    def get(self, request: Request) -> Response:
        """Return the portal's roles, their permissions, and how many users have each."""
        user = require_user(request)
        rows = [role_row(name, count) for name, count in roles.users_by_role(user).items()]
        return Response({"items": rows, "total": len(rows)})


def role_row(name: str, count: int) -> dict[str, Any]:
    return {
        "id": name,
        "name": "Superuser" if name == roles.SUPERUSER else Membership.Role(name).label,
        "slug": name,
        "description": "",
        "level": RANKS[name],
        "is_system": True,
        "is_default": name == Membership.Role.VIEWER,
        "organization_id": None,
        "permissions": roles.permissions_of(name),
        "user_count": count,
    }
