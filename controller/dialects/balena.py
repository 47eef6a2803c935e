"""balena dialect: relayed device answers, and errors in balena's format.

Clients show ``message``, or a body that is a string; ``detail`` is for other clients of the
portal. ``X-Supervisor-Proxy`` names the origin of the answer: the device or the portal.
"""

import io
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback
from rest_framework.views import exception_handler as drf_exception_handler

from controller.accounts.models import User
from controller.base.errors import (
    Conflict,
    Locked,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    Refused,
    Unreachable,
)
from controller.base.request_context import current_context
from controller.dialects.authentication import TokenAuthentication
from controller.dialects.parsers import JSONParser

ORIGIN_HEADER = "X-Supervisor-Proxy"
# Status by error code, where the code is more specific than the exception's class.
BY_CODE = {
    "method": 405,
    "unsupported_by_device": 501,
    "offline": 503,
    "no_address": 503,
    "not_ready": 503,
    "too_busy": 503,
    "timeout": 504,
    "no_answer": 502,
    "bad_answer": 502,
    "too_large": 502,
    "device_unauthorized": 502,
    "device_scope": 502,
    "confirm": 428,
    "other_request": 422,
    "unknown_key": 401,
    "ambiguous": 409,
}
BY_KIND: tuple[tuple[type[Refused], int], ...] = (
    (NotFound, 404),
    (NotAuthenticated, 401),
    (NotPermitted, 403),
    (Conflict, 409),
    (Locked, 423),
    (Unreachable, 503),
    (OutcomeUnknown, 504),
    (Refused, 400),
)
TRY_AGAIN_SECONDS = {409: 2, 503: 30}


def status_of(refusal: Refused) -> int:
    found = BY_CODE.get(refusal.code)
    return found or next(status for kind, status in BY_KIND if isinstance(refusal, kind))


def sentence_of(refusal: Refused) -> str:
    if isinstance(refusal.detail, str):
        return refusal.detail
    return " ".join(
        f"{name}: {text}" for name, texts in refusal.by_field.items() for text in texts
    )


def text_of(detail: Any) -> str:
    """Return the sentences of a framework's error, each after the name of its field."""
    if isinstance(detail, dict):
        parts = [
            text if name == "non_field_errors" else f"{name}: {text}"
            for name, inner in detail.items()
            if (text := text_of(inner))
        ]
        return " ".join(parts)
    if isinstance(detail, list | tuple):
        return " ".join(filter(None, map(text_of, detail)))
    return str(detail)


def envelope(status: int, message: str, code: str = "") -> dict[str, Any]:
    return {
        "message": message,
        "detail": message,
        "code": code or str(status),
        "request_id": current_context().request_id,
    }


def plain_error(request: HttpRequest, code: int, message: str) -> JsonResponse:
    """Return an error raised outside the views of this dialect: 404, 413, 429, 500."""
    response = JsonResponse(envelope(code, message), status=code)
    response[ORIGIN_HEADER] = "portal"
    return response


def refused(refusal: Refused) -> Response:
    status = status_of(refusal)
    response = Response(
        envelope(status, sentence_of(refusal), refusal.code),
        status=status,
        headers={ORIGIN_HEADER: "portal"},
    )
    if status in TRY_AGAIN_SECONDS:
        response["Retry-After"] = str(TRY_AGAIN_SECONDS[status])
    return response


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, Refused):
        set_rollback()
        return refused(error)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    response = drf_exception_handler(error, context)
    if response is not None:
        detail = getattr(error, "detail", str(error))
        response.data = envelope(
            response.status_code, text_of(detail), str(getattr(detail, "code", "") or "")
        )
        response[ORIGIN_HEADER] = "portal"
    return response


def relay_response(
    status: int, content_type: str, body: bytes, *, speaker: str = "device"
) -> HttpResponse:
    """Return a device's answer. Empty bodies get no type, or clients would parse them."""
    response = HttpResponse(body, status=status, content_type=content_type or None)
    if not body:
        del response["Content-Type"]
    response[ORIGIN_HEADER] = speaker
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


class LenientJSONParser(JSONParser):
    """JSON parser that tolerates the trailing quotation mark of balena's documentation."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        body = stream.read().rstrip()
        if body.startswith(b"{") and body.endswith(b'}"'):
            body = body[:-1]
        return super().parse(io.BytesIO(body), media_type, parser_context)


class View(APIView):
    """API view that requires a token: an admin session alone must not act cross-site."""

    authentication_classes = [TokenAuthentication]

    def get_exception_handler(self) -> Any:
        return exception_handler


def require_user(request: Request) -> User:
    if not isinstance(request.user, User):
        raise exceptions.NotAuthenticated
    return request.user
