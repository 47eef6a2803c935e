"""Reads that programs repeat, answered without the framework's way from request to answer.

Sessions, routing, negotiation and serializers cost more than reading a device. A view
registers a function for what programs ask every minute. It returns the data of the answer, or
None for everything else: an unknown parameter, a page that does not exist, a missing
permission. Those go the plain way, as do pages for people. A test compares both ways for each
role and filter.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from csp.middleware import CSPMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.urls import resolve
from rest_framework.exceptions import APIException

from controller.accounts.models import User
from controller.accounts.rules.api_keys import authenticate_key
from controller.base.errors import Refused
from controller.dialects.authentication import Credential, accept, user_of_bearer
from controller.dialects.renderers import JSONRenderer

Respond = Callable[[HttpRequest], HttpResponse]
# Called with the user, the request and the named groups of the path.
Answer = Callable[..., Any]

BEARER = re.compile(r"(?:Bearer|Token) ([!-~]+)")
PROGRAMS_ACCEPT = frozenset({"", "*/*", "application/json"})

_reads: list[tuple[re.Pattern[str], Answer]] = []


def register_read(path: str, answer: Answer) -> None:
    """Answer reads of the paths that match by this function, unless it returns None."""
    _reads.append((re.compile(path), answer))


class RepeatedReads:
    """Middleware that answers repeated reads of programs and passes on the rest."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response
        self.renderer = JSONRenderer()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.answered(request) or self.get_response(request)

    def answered(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer, or None if the view has to give it."""
        if not is_by_program(request):
            return None
        for pattern, answer in _reads:
            if matched := pattern.fullmatch(request.path_info):
                data = data_of(answer, request, matched.groupdict())
                return None if data is None else self.response(data, pattern, request)
        return None

    def response(
        self, data: Any, pattern: re.Pattern[str], request: HttpRequest
    ) -> HttpResponse:
        body = self.renderer.render(data)
        headers = headers_of(pattern, request.path_info) | {"Content-Length": str(len(body))}
        return HttpResponse(body, content_type="application/json", headers=headers)


def data_of(answer: Answer, request: HttpRequest, parts: dict[str, str]) -> Any:
    """Return the data of the answer, or None if the view has to answer or to refuse."""
    try:
        user = user_of(request)
        return answer(user, request, **parts) if user else None
    except (APIException, Refused):
        return None


def is_by_program(request: HttpRequest) -> bool:
    """Return whether this is a read by credentials of a program that takes JSON."""
    meta = request.META
    if request.method != "GET" or meta.get("HTTP_COOKIE"):
        return False
    if not ("HTTP_AUTHORIZATION" in meta or "HTTP_X_API_KEY" in meta):
        return False
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return meta.get("HTTP_ACCEPT", "") in PROGRAMS_ACCEPT


def user_of(request: HttpRequest) -> User | None:
    """Return the user of the request's credentials, or None if they are not valid."""
    meta = request.META
    if "HTTP_AUTHORIZATION" in meta:
        bearer = BEARER.fullmatch(meta["HTTP_AUTHORIZATION"])
        found = user_of_bearer(bearer[1]) if bearer else None
    else:
        user = authenticate_key(meta["HTTP_X_API_KEY"])
        found = (user, Credential("key")) if user else None
    if found is None:
        return None
    accept(request, *found)
    return found[0]


_headers: dict[re.Pattern[str], dict[str, str]] = {}


def headers_of(pattern: re.Pattern[str], path: str) -> dict[str, str]:
    """Return the headers that the view of these paths and its middleware set."""
    if pattern not in _headers:
        _headers[pattern] = view_headers(path) | middleware_headers()
    return _headers[pattern]


def view_headers(path: str) -> dict[str, str]:
    view: Any = resolve(f"{path.rstrip('/')}/").func
    methods = {*getattr(view, "actions", vars(view.cls)), "options"}
    if "get" in methods:
        methods.add("head")
    allowed = [name.upper() for name in view.cls.http_method_names if name in methods]
    return {"Vary": "Accept", "Allow": ", ".join(allowed)}


@cache
def middleware_headers() -> dict[str, str]:
    response: Any = HttpResponse()
    for middleware in (CSPMiddleware, XFrameOptionsMiddleware):
        response = middleware(lambda _, inner=response: inner)(HttpRequest())
    return {name: value for name, value in response.items() if name != "Content-Type"}
