"""OpenWISP dialect: DRF's own error and list formats.

Errors are ``{"detail": …}`` or field → list of sentences; lists are pages of
``count, next, previous, results``; a row outside the caller's organizations is a 404.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, JsonResponse, QueryDict
from django.utils.functional import cached_property
from rest_framework import exceptions, status
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView, set_rollback
from rest_framework.views import exception_handler as drf_exception_handler
from rest_framework.viewsets import GenericViewSet, ModelViewSet

import controller.dialects.openapi.authentication  # noqa: F401 - registers itself
from controller.accounts.engine.scopes import NO_SITE, SiteScope
from controller.accounts.models import OrganizationScoped, User
from controller.accounts.models.tenancy import site_path
from controller.accounts.rules import audit, authorize
from controller.base.errors import (
    CONCURRENT_WRITE_MESSAGE,
    Conflict,
    Locked,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    Refused,
    Unreachable,
)

ACTIONS = {"GET": "read", "HEAD": "read", "OPTIONS": "read", "POST": "create", "PUT": "update",
           "PATCH": "update", "DELETE": "delete"}  # fmt: skip


# The count of a list may be as many seconds old as it has thousands of rows, but not older.
MANY = 1000
COUNT_SECONDS = 10
MOST_COUNTED = 1000
# Query parameters common to all lists, which do not filter rows.
NOT_FILTERS = frozenset({"page", "page_size", "per_page", "format"})


# By list: expiry (monotonic) and count.
known_counts: dict[Any, tuple[float, int]] = {}


def cached_count(name: Any, count: Callable[[], int]) -> int:
    """Count the rows of a list, but those of a long list only now and then.

    Counting dominates the cost of their pages.
    """
    until, known = known_counts.get(name, (0.0, 0))
    if until > time.monotonic():
        return known
    found = count()
    if found >= MANY:
        if len(known_counts) > MOST_COUNTED:
            known_counts.clear()
        known_counts[name] = time.monotonic() + min(found / MANY, COUNT_SECONDS), found
    return found


class CachedCountPaginator(Paginator):  # type: ignore[type-arg]
    """Paginator that caches counts of long lists."""

    def __init__(self, *args: Any, name: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name

    @cached_property
    def count(self) -> int:
        return cached_count(self.name, lambda: super(CachedCountPaginator, self).count)


class Pagination(PageNumberPagination):
    page_size = 10
    max_page_size = 100
    page_size_query_param = "page_size"

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any] | None:
        name = list_name(require_user(request), request.path, request.query_params)
        self.django_paginator_class = partial(CachedCountPaginator, name=name)  # type: ignore[assignment]
        return super().paginate_queryset(queryset, request, view)


def list_name(user: User, path: str, query: QueryDict) -> Any:
    """Return a key that is equal for requests for pages of the same list."""
    filters = [(name, one) for name, one in query.lists() if name != "page"]
    return user.pk, user.scopes, path, repr(sorted(filters))


# HTTP status by refusal; all others are a 400 with field errors.
STATUSES: dict[type[Refused], int] = {
    NotFound: status.HTTP_404_NOT_FOUND,
    NotPermitted: status.HTTP_403_FORBIDDEN,
    Conflict: status.HTTP_409_CONFLICT,
    Locked: status.HTTP_423_LOCKED,
    Unreachable: status.HTTP_502_BAD_GATEWAY,
    OutcomeUnknown: status.HTTP_504_GATEWAY_TIMEOUT,
}


def plain_error(request: HttpRequest, code: int, message: str) -> JsonResponse:
    """Return an error raised outside the views of this dialect: 404, 413, 429, 500."""
    return JsonResponse({"detail": message}, status=code)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Convert a rule's refusal to this dialect."""
    if isinstance(error, IntegrityError):
        error = Conflict(CONCURRENT_WRITE_MESSAGE)
    if isinstance(error, RecursionError):
        # JSON in a form field; for bodies, the parser reports it.
        error = exceptions.ParseError("JSON is nested too deeply.")
    if isinstance(error, NotAuthenticated):
        error = exceptions.NotAuthenticated(str(error))
    note_refusal(error, context)
    if not isinstance(error, Refused):
        return drf_exception_handler(error, context)
    set_rollback()
    code = next((STATUSES[kind] for kind in STATUSES if isinstance(error, kind)), None)
    if code is None:
        return Response(error.by_field, status=status.HTTP_400_BAD_REQUEST)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Locked) else None
    return Response({"detail": str(error)}, status=code, headers=headers)


def note_refusal(error: Exception, context: dict[str, Any]) -> None:
    """Record in the audit log that a signed-in user was denied an action."""
    request, view = context.get("request"), context.get("view")
    if not isinstance(error, NotPermitted | exceptions.PermissionDenied) or request is None:
        return
    user = getattr(request, "_user", None)
    if not isinstance(user, User) or request.method not in ACTIONS:
        return
    model = getattr(getattr(view, "queryset", None), "model", None)
    resource = getattr(view, "resource", "")
    audit.record_audit(
        permission_of(view, request) if resource else f"{request.method} {request.path}"[:64],
        organization_id=user.audit_organization_id,
        outcome="refused",
        detail=f"{request.method} {request.path}: {getattr(error, 'detail', error)}",
        object_type=model._meta.label_lower if model else resource,
        object_id=str(next(iter(context.get("kwargs", {}).values()), ""))[:64],
    )


class HasResourcePermission(BasePermission):
    """Permission check for ``resource:action``, first anywhere, then on the row."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.user, User):
            return False
        # What may be done somewhere is told to anybody who is signed in.
        return request.method == "OPTIONS" or request.user.has_perm_anywhere(
            permission_of(view, request)
        )

    def has_object_permission(
        self, request: Request, view: Any, obj: OrganizationScoped
    ) -> bool:
        return isinstance(request.user, User) and request.user.has_perm_on(
            permission_of(view, request), obj
        )


def permission_of(view: Any, request: Request) -> str:
    """Return the ``resource:action`` this request needs, e.g. ``device:update``.

    A view declares its ``resource``; ``permissions`` overrides it per view action.
    Raise ``MethodNotAllowed`` for methods that no view has, such as TRACE.
    """
    method = request.method or "GET"
    if method not in ACTIONS:
        raise exceptions.MethodNotAllowed(method)
    special: dict[str, str] = getattr(view, "permissions", {})
    return special.get(
        getattr(view, "action", None) or "",
        f"{view.resource}:{ACTIONS[method]}",
    )


def require_user(request: Request) -> User:
    """Return the authenticated user; raise NotAuthenticated otherwise."""
    if not isinstance(request.user, User):
        raise exceptions.NotAuthenticated
    return request.user


def site_scope_of(model: type[OrganizationScoped], values: dict[str, Any]) -> SiteScope:
    """Return the site scope of a row with these values."""
    if site_path(model) != "site":
        return NO_SITE
    site = values.get("site")
    return site.pk if site else None


class View(APIView):
    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler


class OwnedViewSet(View, GenericViewSet[Any]):
    """Viewset of the rows of the caller's organizations; other rows are a 404."""

    resource: str
    permissions: dict[str, str] = {}
    permission_classes = [HasResourcePermission]
    pagination_class = Pagination

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset().none()
        rows: QuerySet[Any] = (
            super()
            .get_queryset()
            .visible_to(  # type: ignore[attr-defined]
                self.request.user, f"{self.resource}:read"
            )
        )
        return rows

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply filters to lists only; a row requested by id is never filtered."""
        if self.detail or self.request.query_params.keys() <= NOT_FILTERS:
            return queryset
        return super().filter_queryset(queryset)


class RuleViewSet(OwnedViewSet, ModelViewSet[Any]):
    """Viewset for create, read, update and delete; each write calls a rule.

    ``create_rule(**values) -> row``, ``update_rule(row, **values) -> row``,
    ``delete_rule(row)``; declared with ``staticmethod``.
    """

    create_rule: Callable[..., Model]
    update_rule: Callable[..., Model]
    delete_rule: Callable[..., None]

    def authorize_owner(self, values: dict[str, Any]) -> None:
        """Raise unless the caller has the permission in the row's future organization."""
        if "organization" in values and isinstance(self.request.user, User):
            organization = values["organization"]
            owner: UUID | None = organization.pk if organization else None
            place = site_scope_of(self.get_queryset().model, values)
            authorize(self.request.user, permission_of(self, self.request), owner, place)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        self.authorize_owner(serializer.validated_data)
        serializer.instance = self.create_rule(**serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        self.authorize_owner(serializer.validated_data)
        serializer.instance = self.update_rule(serializer.instance, **serializer.validated_data)

    def perform_destroy(self, instance: Any) -> None:
        self.delete_rule(instance)
