"""Dialect of device agents: plain text, with a marker header on every answer.

Agents parse the whole answer with grep, so no header may look like a line of the body; an
answer without the header is taken for the one of a captive portal.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from controller.base.errors import CONCURRENT_WRITE_MESSAGE, NotFound, NotPermitted, Refused

HEADER = "X-Openwisp-Controller"


def text(body: str, status: int = 200) -> HttpResponse:
    return HttpResponse(
        body, status=status, content_type="text/plain", headers={HEADER: "true"}
    )


def plain_error(request: HttpRequest, code: int, message: str) -> HttpResponse:
    """Return an error raised outside the views of this dialect."""
    return text(f"error: {message}\n", code)


def refusal(error: Refused) -> HttpResponse:
    match error:
        case NotFound():
            return text(f"{error}\n", 404)
        case NotPermitted():
            return text(f"{error}\n", 403)
    return text(f"{error}\n", 400)


def parameter(values: Any, name: str) -> str:
    """Return a required parameter; raise Refused if it is missing."""
    value: str | None = values.get(name)
    if not value:
        raise Refused(f'error: missing required parameter "{name}"')
    return value


def agent_view(method: str) -> Callable[..., Callable[..., HttpResponse]]:
    """Decorate a view for agents: restrict the method, render refusals as plain text.

    GET views accept HEAD as well.
    """
    allowed = ("GET", "HEAD") if method == "GET" else (method,)

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method not in allowed:
                response = text(f"error: use {method}\n", 405)
                response["Allow"] = ", ".join(allowed)
                return response
            try:
                return view(request, *args, **kwargs)
            except Refused as error:
                return refusal(error)
            except IntegrityError:
                return text(f"error: {CONCURRENT_WRITE_MESSAGE}\n", 409)

        return answer

    return decorate


class AgentHeader:
    """Middleware that adds the agents' marker header to every answer, also 404 and 500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith("/controller/"):
            response[HEADER] = "true"
        return response
