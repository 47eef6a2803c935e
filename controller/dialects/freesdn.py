"""FreeSDN dialect: error envelope, paginated lists, messages per missing permission.

Errors are ``{"error": {code, message, request_id}}``, with ``details`` for a 422; lists are
``items, total, page, per_page, pages``. A row outside the caller's tenancy is a 404.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.views import exception_handler as drf_exception_handler

from controller.accounts.models import User
from controller.base.errors import (
    ALL_FIELDS,
    Conflict,
    Locked,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    Refused,
    TimedOut,
    Unreachable,
)
from controller.base.request_context import current_context
from controller.dialects import openwisp
from controller.dialects.openwisp import permission_of

# The first matching class applies.
STATUSES: tuple[tuple[type[Refused], int], ...] = (
    (NotFound, 404),
    (NotAuthenticated, 401),
    (NotPermitted, 403),
    (Conflict, 409),
    (Locked, 423),
    (TimedOut, 504),
    (Unreachable, 502),
    (OutcomeUnknown, 504),
    (Refused, 400),
)
UNPROCESSABLE = 422


def envelope(
    code: int, message: str, details: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "request_id": current_context().request_id,
    }
    if details:
        error["details"] = details
    # Its own web client reads the sentence beside the error in most places.
    sentence = " ".join(one["message"] for one in details) if details else message
    return {"error": error, "detail": sentence}


def plain_error(request: HttpRequest, code: int, message: str) -> JsonResponse:
    """Return an error raised outside the views of this dialect: 404, 413, 429, 500."""
    return JsonResponse(envelope(code, message), status=code)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    openwisp.note_refusal(error, context)
    if isinstance(error, exceptions.ValidationError | exceptions.ParseError):
        # Called for its side effect: DRF marks the transaction for rollback.
        drf_exception_handler(error, context)
        request = context.get("request")
        reads = request is not None and request.method in {"GET", "HEAD"}
        # Where there is no body, a parameter is what was wrong.
        return unprocessable(list(details_of(error.detail, "query" if reads else "body")))
    if isinstance(error, Refused):
        return refusal(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound("Resource not found")
    response = drf_exception_handler(error, context)
    if response is not None:
        response.data = envelope(
            response.status_code, sentence_of(getattr(error, "detail", str(error)))
        )
    return response


def refusal(error: Refused) -> Response:
    code = next(code for kind, code in STATUSES if isinstance(error, kind))
    if code == status.HTTP_400_BAD_REQUEST and not isinstance(error.detail, str):
        return unprocessable(list(details_of(error.by_field)))
    response = Response(envelope(code, str(error)), status=code)
    if isinstance(error, Locked):
        response["Retry-After"] = str(error.retry_after)
    if isinstance(error, NotAuthenticated):
        response["WWW-Authenticate"] = "Bearer"
    return response


def unavailable(sentence: str) -> Response:
    """Return the answer of what this release does not have."""
    return Response(
        envelope(status.HTTP_501_NOT_IMPLEMENTED, sentence),
        status=status.HTTP_501_NOT_IMPLEMENTED,
    )


def unprocessable(details: list[dict[str, str]]) -> Response:
    return Response(envelope(UNPROCESSABLE, "Validation error", details), status=UNPROCESSABLE)


def details_of(errors: Any, path: str = "body") -> Iterator[dict[str, str]]:
    """Yield DRF's errors, however nested, as field, message and type."""
    if isinstance(errors, dict):
        for name, inner in errors.items():
            here = path if name in {"non_field_errors", ALL_FIELDS} else f"{path}.{name}"
            yield from details_of(inner, name if "." in str(name) else here)
    elif isinstance(errors, list):
        for at, inner in enumerate(errors):
            nested = isinstance(inner, dict | list)
            yield from details_of(inner, f"{path}.{at}" if nested else path)
    else:
        kind = getattr(errors, "code", "value_error")
        yield {"field": path, "message": str(errors), "type": str(kind)}


def sentence_of(detail: Any) -> str:
    return " ".join(one["message"] for one in details_of(detail))


class Pagination(BasePagination):
    """Pagination by ``page`` and ``per_page``; adds total, page, per_page and pages."""

    per_page = 25
    max_per_page = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.page = number(request, "page", 1, 1_000_000_000)
        limit = getattr(view, "max_per_page", self.max_per_page)
        self.size = number(request, "per_page", getattr(view, "per_page", self.per_page), limit)
        self.total = queryset.count()
        start = (self.page - 1) * self.size
        return list(queryset[start : start + self.size]) if start < self.total else []

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "items": data,
                "total": self.total,
                "page": self.page,
                "per_page": self.size,
                "pages": -(-self.total // self.size),
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        numbers = {
            name: {"type": "integer", "example": example}
            for name, example in (("total", 1), ("page", 1), ("per_page", 25), ("pages", 1))
        }
        return {
            "type": "object",
            "required": ["items", *numbers],
            "properties": {"items": schema, **numbers},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = getattr(view, "max_per_page", self.max_per_page)
        default = getattr(view, "per_page", self.per_page)
        return [
            {"name": "page", "in": "query",
             "schema": {"type": "integer", "minimum": 1, "default": 1}},
            {"name": "per_page", "in": "query", "schema": {
                "type": "integer", "minimum": 1, "maximum": limit, "default": default}},
        ]  # fmt: skip


def number(request: Request, name: str, default: int, most: int, *, least: int = 1) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and least <= int(text[:12]) <= most:
        return int(text)
    raise exceptions.ValidationError(
        {f"query.{name}": [f"Input should be a whole number from {least} to {most}."]}
    )


class HasResourcePermission(openwisp.HasResourcePermission):
    """Permission check with a message that names the missing permission."""

    message = ""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.user, User):
            return False
        self.message = f"Permission denied: requires '{permission_of(view, request)}'"
        return super().has_permission(request, view)

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        self.message = f"Permission denied: requires '{permission_of(view, request)}'"
        return super().has_object_permission(request, view, obj)


class View(APIView):
    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler


class OwnedViewSet(openwisp.OwnedViewSet):
    """Viewset as in the OpenWISP dialect, with this dialect's errors and pages."""

    permission_classes = [HasResourcePermission]
    pagination_class = Pagination  # type: ignore[assignment]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler


class RuleViewSet(openwisp.RuleViewSet):
    """Viewset as in the OpenWISP dialect, with this dialect's errors and pages."""

    permission_classes = [HasResourcePermission]
    pagination_class = Pagination  # type: ignore[assignment]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler
