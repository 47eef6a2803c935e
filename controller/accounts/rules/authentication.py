"""Authentication by password or token, and the authorization check."""

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import DEFAULT_DB_ALIAS
from django.db.models import CharField, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.engine.email_addresses import is_same_email
from controller.accounts.engine.scopes import NO_SITE, SiteScope
from controller.accounts.models import ApiToken, Membership, User
from controller.accounts.rules import lockouts
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.emails import account_of, candidates
from controller.accounts.rules.lockouts import Kind
from controller.base.compiled_queries import CompiledQuery
from controller.base.errors import Locked, NotAuthenticated, NotPermitted
from controller.base.secrets import digest

# Minimum interval between updates, so that token reads do not cost a write each.
LAST_USED_GRAIN = timedelta(minutes=1)
# Compiled: runs on every request of every API client.
USER_COLUMNS = [field.attname for field in User._meta.concrete_fields]
OF_TOKEN = CompiledQuery(
    lambda digest: User.objects.filter(api_tokens__digest=digest).values_list(
        "api_tokens__last_used", *USER_COLUMNS
    ),
    digest=CharField(),
)
WRONG = "Incorrect email/username or password"


class EmailOrUsernameBackend(ModelBackend):
    """Authentication backend that accepts a user name or an e-mail address."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if not username or password is None:
            return None
        try:
            lockouts.raise_if_locked(Kind.SIGN_IN, username)
        except Locked as locked:
            _note_refusal(username, str(locked))
            raise PermissionDenied from locked
        named = User.normalize_username(username)
        if "@" in username:
            # An unknown e-mail is passed on as it is: Django then hashes the password anyway,
            # so the
            # response time does not reveal whether the user exists.
            user = account_of(username)
            named = user.username if user else username
        found = super().authenticate(request, username=named, password=password, **kwargs)
        if not isinstance(found, User):
            lockouts.record_failure(Kind.SIGN_IN, username)
            _note_refusal(username, WRONG)
            return None
        lockouts.reset_failures(Kind.SIGN_IN, username)
        return found

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(user.may_sign_in)


def _note_refusal(name: str, why: str) -> None:
    """Record a refused sign-in, with one query in any case (constant time)."""
    named = candidates(name, "user__email") if "@" in name else Q(user__username=name)
    rows = Membership.objects.filter(named).values_list(
        "organization", "user", "user__email", "user__username"
    )
    mine = [one for one in rows[:10] if name == one[3] or is_same_email(one[2], name)]
    record_audit(
        "sign_in",
        organization_id=mine[0][0] if len(mine) == 1 else None,
        outcome="refused",
        detail=why,
        object_type="accounts.user",
        object_id=str(mine[0][1]) if mine else "",
        object_name=name[:150],
    )


def authenticate_password(name: str, password: str, request: HttpRequest | None = None) -> User:
    """Authenticate by user name or e-mail and password.

    Raises :class:`NotAuthenticated` if wrong, and :class:`Locked` after too many failures,
    whether
    or not such a user exists.
    """
    try:
        lockouts.raise_if_locked(Kind.SIGN_IN, name)
    except Locked as locked:
        _note_refusal(name, str(locked))
        raise
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        raise NotAuthenticated(WRONG)
    return user


def authorize(
    user: User, permission: str, organization_id: UUID | None, place: SiteScope = NO_SITE
) -> None:
    """Raise :class:`NotPermitted` unless the user has the permission there."""
    if not user.has_perm_in(permission, organization_id, place):
        raise NotPermitted(gettext("You do not have permission to perform this action."))


def issue_token(user: User, *, name: str) -> str:
    """Create an API token (40 hex digits); it can be read only now."""
    token = secrets.token_hex(20)
    ApiToken.objects.create(user=user, name=name, digest=digest(token))
    return token


def authenticate_token(token: str) -> User | None:
    """Authenticate an API token. Returns None if unknown or its user is inactive.

    Updates `last_used`.
    """
    for last_used, *values in OF_TOKEN(digest=digest(token)):
        user = User.from_db(DEFAULT_DB_ALIAS, USER_COLUMNS, values)
        if user.may_sign_in:
            _note_use(digest(token), last_used)
            return user
    return None


def _note_use(token_digest: str, last_used: datetime | None) -> None:
    now = timezone.now()
    if last_used is None or last_used < now - LAST_USED_GRAIN:
        stale = Q(last_used=None) | Q(last_used__lt=now - LAST_USED_GRAIN)
        ApiToken.objects.filter(stale, digest=token_digest).update(last_used=now)


def revoke_token(token: ApiToken) -> None:
    token.delete()
