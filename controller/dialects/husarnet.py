"""Husarnet Dashboard dialect: JSON objects, with errors as a ``status``.

``detail`` explains the status, as in the original's framework (DRF).
"""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.http import HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from controller.base.errors import (
    CONCURRENT_WRITE_MESSAGE,
    Conflict,
    Locked,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Refused,
    Unreachable,
)

STATUSES: dict[type[Refused], int] = {
    NotFound: status.HTTP_404_NOT_FOUND,
    NotPermitted: status.HTTP_403_FORBIDDEN,
    NotAuthenticated: status.HTTP_401_UNAUTHORIZED,
    Conflict: status.HTTP_409_CONFLICT,
    Locked: status.HTTP_423_LOCKED,
    Unreachable: status.HTTP_502_BAD_GATEWAY,
}
WORDS = {
    400: "bad-request", 401: "unauthorized", 403: "forbidden", 404: "not-found",
    405: "method-not-allowed", 409: "conflict", 413: "too-large", 415: "unsupported-media-type",
    423: "locked", 429: "too-many-requests", 500: "error", 502: "connect",
}  # fmt: skip
# Outcomes that the original returns with HTTP status 200.
OUTCOMES = {"invalid-hostname", "connect"}
# Refusals that devices recognize by their own code.
NAMED = {"invalid-code"}


def shape(code: int, detail: Any) -> dict[str, Any]:
    return {"status": WORDS.get(code, "error"), "detail": detail}


def plain_error(request: HttpRequest, code: int, message: str) -> JsonResponse:
    return JsonResponse(shape(code, message), status=code)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Convert a refusal or a DRF error to this dialect."""
    if isinstance(error, IntegrityError):
        error = Conflict(CONCURRENT_WRITE_MESSAGE)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    if not isinstance(error, Refused):
        return None
    set_rollback()
    if error.code in OUTCOMES:
        return Response({"status": error.code})
    code = next(
        (STATUSES[kind] for kind in STATUSES if isinstance(error, kind)),
        status.HTTP_400_BAD_REQUEST,
    )
    told = shape(code, str(error))
    if error.code in NAMED:
        told["status"] = error.code
    return Response(told, status=code)


def _of_framework(error: exceptions.APIException) -> Response:
    set_rollback()
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return Response(
        shape(error.status_code, error.detail), status=error.status_code, headers=headers
    )


class View(APIView):
    permission_classes = [IsAuthenticated]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler
