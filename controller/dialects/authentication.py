"""Authentication of requests, for all dialects."""

import hmac
from dataclasses import dataclass

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.authentication import SessionAuthentication as DjangoSessions
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from controller.accounts.models import Session, User
from controller.accounts.rules import authenticate_token
from controller.accounts.rules.api_keys import authenticate_key
from controller.accounts.rules.sessions import authenticate_access_token, csrf_token
from controller.base.request_context import current_context
from controller.dialects.cookies import ACCESS_COOKIE, CSRF_COOKIE
from controller.dialects.rate_limit import remember_caller

CSRF_HEADER = "HTTP_X_CSRF_TOKEN"
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# A JWT contains two dots, an opaque token none.
DOTS = 2


@dataclass(frozen=True)
class Credential:
    """Credential of a request: a session, a token or an API key."""

    kind: str
    session: Session | None = None
    secret: str = ""

    def __repr__(self) -> str:
        return f"Credential by {self.kind}"


class TokenAuthentication(BaseAuthentication):
    """Authenticate by Bearer or Token header, ``X-API-Key``, or session cookie.

    Pages that sign in by cookie must repeat the CSRF token in ``X-CSRF-Token`` for unsafe
    methods,
    even if the request has another credential besides the cookie.
    """

    keywords = (b"bearer", b"token")

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        check_csrf(request)
        found = (
            self.by_header(request)
            or self.by_cookie(request)
            or self.by_key(request.headers.get("x-api-key", ""))
        )
        if found is not None:
            accept(request._request, *found)
        return found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def by_header(self, request: Request) -> tuple[User, Credential] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in self.keywords:
            return None
        try:
            (raw,) = parts[1:]
            token = raw.decode("ascii")
        except ValueError:
            raise AuthenticationFailed("Invalid token header.") from None
        found = user_of_bearer(token)
        if found is None:
            raise AuthenticationFailed("Invalid token.")
        return found

    def by_cookie(self, request: Request) -> tuple[User, Credential] | None:
        session = authenticate_access_token(request.COOKIES.get(ACCESS_COOKIE, ""))
        return (session.user, Credential("session", session)) if session else None

    def by_key(self, secret: str) -> tuple[User, Credential] | None:
        if not secret:
            return None
        user = authenticate_key(secret)
        if user is None:
            raise AuthenticationFailed("Invalid API key.")
        return user, Credential("key")


def accept(request: HttpRequest, user: User, credential: Credential) -> None:
    """Record the authenticated user for audit, logs and rate limits."""
    current_context().name(user, credential.kind)
    remember_caller(request, user.pk)


def user_of_bearer(token: str) -> tuple[User, Credential] | None:
    """Resolve a bearer token: a session's JWT or an API token. None if invalid."""
    if token.count(".") == DOTS:
        session = authenticate_access_token(token)
        return (session.user, Credential("session", session)) if session else None
    user = authenticate_token(token)
    return (user, Credential("token", secret=token)) if user else None


def check_csrf(request: Request) -> None:
    """Check the double-submit CSRF token; raise PermissionDenied if it is wrong."""
    access = request.COOKIES.get(ACCESS_COOKIE)
    if access is None or request.method in SAFE:
        return
    sent = request.META.get(CSRF_HEADER, "")
    if not sent:
        raise PermissionDenied("CSRF token missing")
    session = authenticate_access_token(access)
    wanted = [request.COOKIES.get(CSRF_COOKIE, "")]
    if session is not None:
        wanted.append(csrf_token(session.pk))
    if not all(hmac.compare_digest(sent.encode(), one.encode()) for one in wanted):
        raise PermissionDenied("CSRF token mismatch")


class SessionAuthentication(DjangoSessions):
    """Authentication by the session of a browser that is signed in to the admin."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user: User = found[0]
        if not user.may_sign_in:
            return None
        credential = Credential("browser")
        accept(request._request, user, credential)
        return user, credential
