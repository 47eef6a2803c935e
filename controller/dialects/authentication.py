"""How a request says who it is from: one place for all dialects."""

import hmac
from dataclasses import dataclass

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
# Every JWT has two dots, and no opaque token has any.
DOTS = 2


@dataclass(frozen=True)
class Credential:
    """What a request was signed in with: a session, a token or a key."""

    kind: str
    session: Session | None = None
    secret: str = ""

    def __repr__(self) -> str:
        return f"Credential by {self.kind}"


class TokenAuthentication(BaseAuthentication):
    """A Bearer or Token header, an ``X-API-Key`` header, or the cookie of a session.

    Pages that sign in by cookie send the CSRF token back in ``X-CSRF-Token`` with everything
    that may change something, also where a header names a credential beside the cookie.
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
            accept(request, *found)
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


def accept(request: Request, user: User, credential: Credential) -> None:
    """Who it is from is known: for the audit, for logs, and for the limits."""
    current_context().name(user, credential.kind)
    remember_caller(request._request, user.pk)


def user_of_bearer(token: str) -> tuple[User, Credential] | None:
    """Whose access token of a session, or token of a program, this is."""
    if token.count(".") == DOTS:
        session = authenticate_access_token(token)
        return (session.user, Credential("session", session)) if session else None
    user = authenticate_token(token)
    return (user, Credential("token", secret=token)) if user else None


def check_csrf(request: Request) -> None:
    """The double submit: a page that can read its cookie proves that it is ours."""
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
    """A browser that is signed in to the admin."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user: User = found[0]
        if not user.may_sign_in:
            return None
        credential = Credential("browser")
        accept(request, user, credential)
        return user, credential
