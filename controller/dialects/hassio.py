"""Hass.io dialect: result envelope.

Answers are ``{"result": "ok", "data": …}`` or ``{"result": "error", "message"}``.

``X-Proxy-Origin`` names the origin of the answer: the device or the portal. Scripts written
for
a device send the portal's token as they sent the supervisor's, in ``X-HASSIO-KEY``.
"""

from typing import Any

from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback
from rest_framework.views import exception_handler as drf_exception_handler

from controller.accounts.models import User
from controller.base.errors import Refused
from controller.dialects.authentication import (
    Credential,
    TokenAuthentication,
    accept,
    user_of_bearer,
)
from controller.dialects.balena import TRY_AGAIN_SECONDS, sentence_of, status_of, text_of

ORIGIN_HEADER = "X-Proxy-Origin"


class LegacyKeyAuthentication(BaseAuthentication):
    """Authentication by the ``X-HASSIO-KEY`` header, as supervisors of 2020 read it."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        key = request.headers.get("x-supervisor-token") or request.headers.get(
            "x-hassio-key", ""
        )
        if not key or "authorization" in request.headers:
            return None
        found = user_of_bearer(key)
        if found is None:
            raise exceptions.AuthenticationFailed("Invalid token.")
        accept(request._request, *found)
        return found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def error(status: int, message: str, code: str = "") -> Response:
    shown = {"result": "error", "message": message} | ({"error_key": code} if code else {})
    response = Response(shown, status=status, headers={ORIGIN_HEADER: "portal"})
    if status in TRY_AGAIN_SECONDS:
        response["Retry-After"] = str(TRY_AGAIN_SECONDS[status])
    return response


def exception_handler(problem: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(problem, Refused):
        set_rollback()
        return error(status_of(problem), sentence_of(problem), problem.code)
    if isinstance(problem, Http404):
        problem = exceptions.NotFound()
    response = drf_exception_handler(problem, context)
    if response is not None:
        detail = getattr(problem, "detail", str(problem))
        response.data = {"result": "error", "message": text_of(detail)}
        response[ORIGIN_HEADER] = "portal"
    return response


def relay_response(status: int, content_type: str, body: bytes) -> HttpResponse:
    response = HttpResponse(body, status=status, content_type=content_type or None)
    if not body:
        del response["Content-Type"]
    response[ORIGIN_HEADER] = "device"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


class View(APIView):
    authentication_classes = [LegacyKeyAuthentication, TokenAuthentication]

    def get_exception_handler(self) -> Any:
        return exception_handler
