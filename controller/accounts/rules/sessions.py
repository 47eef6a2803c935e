"""Sessions of the API: access tokens for half an hour, single-use refresh tokens.

Both are signed and name their session; revoking the session invalidates all its tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import jwt
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import ApiToken, Session, User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import NotAuthenticated
from controller.base.secrets import digest

ACCESS_FOR = timedelta(minutes=30)
REFRESH_FOR = timedelta(days=14)
REMEMBERED_FOR = timedelta(days=30)
SECOND_FACTOR_FOR = timedelta(minutes=5)
LAST_SEEN_GRAIN = timedelta(minutes=1)
ALGORITHM = "HS256"
ISSUER = "muster"
# The entry of a browser's own session that names its row here.
BROWSER = "muster_browser"


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str
    session: Session

    def __repr__(self) -> str:
        return f"Tokens of {self.session.pk}"


@lru_cache(maxsize=2)
def _key(secret: str) -> str:
    return digest(f"tokens of sessions, {secret}")


def _signed(kind: str, lifetime: timedelta, **claims: str) -> str:
    now = timezone.now()
    return jwt.encode(
        {"iss": ISSUER, "aud": kind, "iat": now, "exp": now + lifetime} | claims,
        _key(settings.SECRET_KEY),
        ALGORITHM,
    )


def _claims(token: str, kind: str, sentence: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token, _key(settings.SECRET_KEY), [ALGORITHM], audience=kind, issuer=ISSUER,
            options={"require": ["exp", "sub"]},
        )  # fmt: skip
    except jwt.InvalidTokenError:
        raise NotAuthenticated(sentence) from None
    return claims


def open_session(
    user: User, *, user_agent: str = "", address: str | None = None, remember: bool = False
) -> Tokens:
    """Open a session for an authenticated user and return its tokens."""
    session = Session(
        user=user,
        refresh_id=uuid4(),
        user_agent=user_agent[:255],
        address=address or None,
        is_remembered=remember,
        expires=timezone.now() + (REMEMBERED_FOR if remember else REFRESH_FOR),
    )
    session.save(force_insert=True)
    User.objects.filter(pk=user.pk).update(last_login=timezone.now())
    record_audit("sign_in", session, by=user)
    return _tokens(session)


def _tokens(session: Session) -> Tokens:
    names = {"sub": str(session.user_id), "sid": str(session.pk)}
    return Tokens(
        _signed("access", ACCESS_FOR, **names),
        _signed(
            "refresh",
            session.expires - timezone.now(),
            **names,
            jti=str(session.refresh_id),
        ),
        session,
    )


def refresh(token: str) -> Tokens:
    """Exchange a single-use refresh token for new tokens.

    A token that was used before has leaked, so the session is revoked.
    """
    claims = _claims(token, "refresh", "Invalid refresh token")
    row = _live().filter(pk=claims["sid"]).first()
    if row is None:
        raise NotAuthenticated(gettext("Session has been revoked"))
    now, old, new = timezone.now(), UUID(claims["jti"]), uuid4()
    expires = now + (REMEMBERED_FOR if row.is_remembered else REFRESH_FOR)
    taken = Session.objects.filter(pk=row.pk, refresh_id=old, revoked=None)
    if not taken.update(refresh_id=new, expires=expires, last_seen=now):
        revoke(row, because="a refresh token was used twice")
        raise NotAuthenticated(gettext("Refresh token has already been used"))
    row.refresh_id, row.expires = new, expires
    return _tokens(row)


def _live() -> Any:
    return Session.objects.select_related("user").filter(
        revoked=None, expires__gt=timezone.now()
    )


def authenticate_access_token(token: str) -> Session | None:
    """Return the session of a valid access token with an active user, or None."""
    try:
        claims = _claims(token, "access", "Invalid token.")
    except NotAuthenticated:
        return None
    row: Session | None = _live().filter(pk=claims.get("sid")).first()
    if row is None or not row.user.may_sign_in:
        return None
    now = timezone.now()
    if row.last_seen < now - LAST_SEEN_GRAIN:
        Session.objects.filter(pk=row.pk).update(last_seen=now)
    return row


def revoke(session: Session, *, because: str) -> None:
    if session.browser_key:
        SessionStore(session.browser_key).delete()
    ended = Session.objects.filter(pk=session.pk, revoked=None).update(
        revoked=timezone.now(), revoked_because=because
    )
    if ended:
        record_audit("end_session", session, detail=because)


@transaction.atomic
def revoke_all(user: User, *, because: str, but: Session | None = None) -> int:
    """End every session and browser session, and delete every API token of sign-ins.

    API keys stay. A browser that is to stay signed in takes the user's new session hash
    afterwards. Returns the number of sessions that ended.
    """
    ApiToken.objects.filter(user=user).delete()
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])
    rows = Session.objects.filter(user=user, revoked=None)
    if but is not None:
        rows = rows.exclude(pk=but.pk)
    ended = rows.update(revoked=timezone.now(), revoked_because=because)
    record_audit("end_sessions", user, after={"sessions": ended}, detail=because)
    return ended


def of_browser(user: User, known: Mapping[str, Any] | None) -> Session | None:
    """Return the row of the browser whose own session holds this entry."""
    pk = (known or {}).get("row")
    row: Session | None = Session.objects.filter(pk=pk, user=user).first() if pk else None
    return row


def track_browser(user: User, key: str, *, user_agent: str, address: str | None) -> Session:
    """Record a browser that has signed in to the pages, so that it can be ended by itself."""
    row = Session(
        user=user,
        refresh_id=uuid4(),
        browser_key=key,
        user_agent=user_agent[:255],
        address=address or None,
        expires=timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
    row.save(force_insert=True)
    return row


def touch_browser(pk: str, key: str) -> None:
    """Note that a browser was seen, under the key that its session has now."""
    now = timezone.now()
    expires = now + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    Session.objects.filter(pk=pk, revoked=None).update(
        browser_key=key, last_seen=now, expires=expires
    )


def end_browser(pk: str) -> None:
    """Record that a browser has signed out."""
    Session.objects.filter(pk=pk, revoked=None).update(
        revoked=timezone.now(), revoked_because="signed out"
    )


def second_factor_token(user: User, *, remember: bool) -> str:
    """Return a token that proves for five minutes that the password was correct."""
    return _signed(
        "mfa", SECOND_FACTOR_FOR, sub=str(user.pk), remember=str(remember), at=_password(user)
    )


def authenticate_second_factor_token(token: str) -> tuple[User, bool]:
    claims = _claims(token, "mfa", "Invalid or expired MFA token")
    user = User.objects.filter(pk=claims["sub"]).first()
    if user is None or not user.may_sign_in or claims.get("at") != _password(user):
        raise NotAuthenticated(gettext("Invalid or expired MFA token"))
    return user, claims.get("remember") == "True"


def _password(user: User) -> str:
    """Return a fingerprint that changes with the password and does not reveal it."""
    return digest(f"{_key(settings.SECRET_KEY)} {user.password}")[:16]


def csrf_token(session_id: UUID | str) -> str:
    """Return the CSRF token that belongs to this session's cookie."""
    return digest(f"{_key(settings.SECRET_KEY)} csrf {session_id}")


def prune(before: datetime) -> int:
    """Delete sessions that ended before this time. Returns their number."""
    return Session.objects.filter(Q(expires__lt=before) | Q(revoked__lt=before)).delete()[0]
