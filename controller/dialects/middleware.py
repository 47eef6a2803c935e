"""Middleware common to all APIs: request ids, rate and body limits, slashes, errors."""

import re
import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from controller.accounts.models import User
from controller.accounts.rules import audit, sessions
from controller.base.database import outage
from controller.base.request_context import (
    RequestContext,
    current_context,
    id_for,
    new_id,
    use_context,
)
from controller.base.secrets import digest
from controller.dialects import agent, balena, freesdn, husarnet, openwisp, rate_limit
from controller.dialects.rate_limit import RateLimitResult
from controller.dialects.request_metrics import TIMES
from controller.error_pages import error_page, server_error_page

Respond = Callable[[HttpRequest], HttpResponse]

# The first matching prefix determines the dialect of errors.
DIALECTS: tuple[tuple[str, str, Callable[[HttpRequest, int, str], HttpResponse]], ...] = (
    ("/api/v1/controller/", "openwisp", openwisp.plain_error),
    ("/api/v1/users/", "openwisp", openwisp.plain_error),
    ("/api/v1/ipam/", "openwisp", openwisp.plain_error),
    ("/api/v1/firmware-upgrader/", "openwisp", openwisp.plain_error),
    ("/api/v1/networks/", "openwisp", openwisp.plain_error),
    ("/api/networks", "husarnet", husarnet.plain_error),
    ("/api/network/", "husarnet", husarnet.plain_error),
    ("/api/status/", "husarnet", husarnet.plain_error),
    ("/api/join", "husarnet", husarnet.plain_error),
    ("/api/", "freesdn", freesdn.plain_error),
    ("/controller/", "agent", agent.plain_error),
    ("/supervisor/", "balena", balena.plain_error),
    *(
        (f"/{prefix}", "balena", balena.plain_error)
        for prefix in ("device/", "application/", "actor/", "user/", "device-types/")
    ),
    *((f"/v{version}/", "balena", balena.plain_error) for version in range(1, 10)),
)
# Paths that work with and without a trailing slash.
EITHER_SLASH = ("/api/", "/supervisor/", "/controller/")
LIMITED = ("/api/", "/supervisor/")
NEVER_LIMITED = ("/api/v1/health",)
SMALL = EITHER_SLASH
BACKUPS = re.compile(r"/api/v1/controller/device/[^/]+/hassio/(snapshots|backups)/new/upload/?")
FIRMWARE = re.compile(
    r"/api/v1/firmware-upgrader/build/[^/]+/image/?|/admin/firmware/image/add/"
)
# Of a form around the file that is uploaded.
FORM_BYTES = 64 * 1024
UPLOADS = re.compile(r"/api/v1/.*(floorplan|location|import)")
# Endpoints where passwords and codes are tried: strict limit per address.
SIGN_INS = {
    f"/api/v1/auth/{name}"
    for name in (
        "login", "login/mfa", "token", "register", "password", "password/reset-request",
        "password/reset", "mfa/setup", "mfa/enable", "mfa/disable",
    )
}  # fmt: skip
TOKENS = {
    "/api/v1/users/token", "/api/v1/users/password/reset", "/api/v1/users/password/reset/confirm",
}  # fmt: skip
# Other doors where a secret is tried, each counted by address and by itself.
AGENT_DOORS = ("/controller/register/", "/.well-known/est/")
RENEWALS = ("/api/join/renewal/", "/network-device/")
PAGES = ("/admin/", "/account/", "/invitation/", "/husarnet/")
SEEN_GRAIN = 300
TOO_MANY = 429
TOO_LARGE = 413
UNAVAILABLE = 503
RETRY_SECONDS = 5
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class RequestMiddleware:
    """Outermost middleware: request ids, limits and headers of every answer."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        path, meta = request.path_info, request.META
        given = meta.get("HTTP_X_REQUEST_ID")
        trace = RequestContext(
            id_for(given) if given else new_id(), meta.get("REMOTE_ADDR", "")
        )
        with use_context(trace):
            verdict = check_rate_limit(request)
            response = early_rejection(request, verdict) or self.get_response(request)
        response["X-Request-ID"] = trace.request_id
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        if verdict is not None:
            response["X-RateLimit-Limit"] = str(verdict.limit)
            response["X-RateLimit-Remaining"] = str(verdict.remaining)
        if path.startswith(LIMITED) and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        labels = (
            dialect_of(path), request.method or "", f"{response.status_code // 100}xx"
        )  # fmt: skip
        TIMES.observe(labels, time.perf_counter() - began)
        return response


def check_rate_limit(request: HttpRequest) -> RateLimitResult | None:
    """Count the request if it is limited; return the result of the strictest limit."""
    path = request.path_info
    ask = rate_limit.limiter().hit
    address = request.META.get("REMOTE_ADDR", "")
    if not path.startswith(LIMITED):
        door, limit = sensitive_endpoint_limit(request) or ("", 0)
        return ask(f"{door}:{address}", limit) if limit else None
    if path.startswith(NEVER_LIMITED):
        return None
    general = ask(
        rate_limit.caller_of(request),
        settings.MUSTER_REQUESTS_PER_MINUTE,
        burst=settings.MUSTER_REQUESTS_PER_SECOND,
    )
    few = sensitive_endpoint_limit(request)
    if few and (general is None or general.allowed):
        door, limit = few
        return (ask(f"{door}:{address}", limit) if limit else None) or general
    return general


def sensitive_endpoint_limit(request: HttpRequest) -> tuple[str, int] | None:
    """Return which door it is and the limit per minute and address, where secrets are tried."""
    if request.method != "POST":
        return None
    path = request.path_info.rstrip("/")
    if path in {"/api/join", "/api/join/register"} or path.startswith(RENEWALS):
        return "join", int(settings.MUSTER_JOINS_PER_MINUTE)
    if path == "/admin/login":
        return "pages", int(settings.MUSTER_PAGE_SIGN_INS_PER_MINUTE)
    if f"{path}/".startswith(AGENT_DOORS):
        return f"agents {path[:16]}", int(settings.MUSTER_REGISTRATIONS_PER_MINUTE)
    if path in SIGN_INS:
        return "sign-in", int(settings.MUSTER_SIGN_INS_PER_MINUTE)
    return ("token", int(settings.MUSTER_TOKENS_PER_MINUTE)) if path in TOKENS else None


def early_rejection(
    request: HttpRequest, verdict: RateLimitResult | None
) -> HttpResponse | None:
    """Return 429 or 413 for an excessive request before reading it; None if acceptable."""
    if verdict is not None and not verdict.allowed:
        response = plain_error(request, TOO_MANY, "Rate limit exceeded")
        response["Retry-After"] = str(max(1, verdict.retry_after))
        return response
    limit = body_limit(request.path_info)
    if int(request.headers.get("content-length") or 0) <= limit:
        return None
    sentence = f"request body exceeds {limit}-byte limit"
    if request.path_info.startswith("/api/"):
        # Both forms: the path does not tell which dialect's client is asking.
        shown = freesdn.envelope(TOO_LARGE, sentence) | {"detail": sentence}
        return JsonResponse(shown, status=TOO_LARGE)
    return plain_error(request, TOO_LARGE, sentence)


def body_limit(path: str) -> int:
    """Return the maximum size in bytes of a request body for this path."""
    if BACKUPS.fullmatch(path):
        return int(settings.MUSTER_BACKUP_LIMIT)
    if FIRMWARE.fullmatch(path):
        return int(settings.MUSTER_FIRMWARE_LIMIT) + FORM_BYTES
    small = path.startswith(SMALL) and not UPLOADS.match(path)
    limit: int = settings.MUSTER_BODY_LIMIT if small else settings.MUSTER_UPLOAD_LIMIT
    return limit


def dialect_of(path: str) -> str:
    return next((name for prefix, name, _ in DIALECTS if path.startswith(prefix)), "pages")


def plain_error(request: HttpRequest, code: int, message: str) -> HttpResponse:
    """Return an error raised outside any view, in the dialect of the path."""
    for prefix, _, error in DIALECTS:
        if request.path_info.startswith(prefix):
            return error(request, code, message)
    return HttpResponse(f"{message}\n", status=code, content_type="text/plain")


class AuditActorMiddleware:
    """Middleware that records the user of admin pages as the audit actor."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PAGES):
            return self.get_response(request)
        before = request.session.get(sessions.BROWSER, {}).get("row")
        if isinstance(request.user, User):
            current_context().name(request.user, "browser")
        response = self.get_response(request)
        if isinstance(request.user, User) and request.session.session_key:
            track_browser(request, request.user)
        elif before:
            sessions.end_browser(before)
        return response


def track_browser(request: HttpRequest, user: User) -> None:
    """Keep the row of this browser in the user's list of sessions."""
    key, now = request.session.session_key or "", int(time.time())
    known = request.session.get(sessions.BROWSER)
    if known is None or known.get("user") != str(user.pk):
        row = sessions.track_browser(
            user,
            key,
            user_agent=request.headers.get("user-agent", ""),
            address=request.META.get("REMOTE_ADDR"),
        )
        request.session[sessions.BROWSER] = {
            "row": str(row.pk), "user": str(user.pk), "key": digest(key), "at": now,
        }  # fmt: skip
    elif known["key"] != digest(key) or now - known["at"] > SEEN_GRAIN:
        sessions.touch_browser(known["row"], key)
        request.session[sessions.BROWSER] = known | {"key": digest(key), "at": now}


class OptionalSlashMiddleware:
    """Innermost middleware: retries an unrouted path with or without the slash."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        unrouted = response.status_code == 404 and request.resolver_match is None  # noqa: PLR2004
        if not (unrouted and request.path_info.startswith(EITHER_SLASH)):
            return response
        given = request.path_info
        other = given[:-1] if given.endswith("/") else f"{given}/"
        request.path_info, request.path = other, request.path[: -len(given)] + other
        second = self.get_response(request)
        if request.resolver_match is None:
            request.path_info = given
        return second


# --- Django's handlers for errors outside of views


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if dialect_of(request.path_info) == "pages":
        return error_page(
            request,
            404,
            "Page not found",
            "The address is wrong, the entry was deleted, or your role does not show it to you.",
        )
    return plain_error(request, 404, "Not found.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if dialect_of(request.path_info) == "pages":
        return error_page(
            request,
            400,
            "The request is not valid",
            "The portal cannot read this request. Go back and try again.",
        )
    return plain_error(request, 400, "Bad request.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    user = getattr(request, "user", None)
    if isinstance(user, User):
        audit.record_audit(
            f"{request.method} {request.path}"[:64],
            organization_id=user.audit_organization_id,
            outcome="refused",
            detail=str(exception),
        )
    if dialect_of(request.path_info) == "pages":
        return error_page(
            request,
            403,
            "You may not open this page",
            str(exception) or "Your role does not permit it. Ask an administrator for access.",
        )
    return plain_error(request, 403, "Permission denied.")


def server_error(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer a request at which the portal failed; 503 if what it stands on is away."""
    if (sentence := outage(sys.exc_info()[1])) is not None:
        response = plain_error(request, UNAVAILABLE, sentence)
        response["Retry-After"] = str(RETRY_SECONDS)
        return response
    if dialect_of(request.path_info) == "pages":
        return server_error_page()
    return plain_error(
        request, 500, "Internal server error. The log has more under this request id."
    )
