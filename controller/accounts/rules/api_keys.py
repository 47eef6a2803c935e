"""API keys: shown once, optionally restricted by scopes, with optional expiry."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.engine.scopes import allows, every_permission, unknown
from controller.accounts.models import ApiKey, User
from controller.accounts.rules.ranks import (
    By,
    check_can_manage_user,
    is_administrator,
    refuse_keys,
)
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.secrets import digest

KEY_BYTES = 32
PREFIX = "mst_"
PREFIX_LENGTH = 12
MOST_SCOPES = 32
LAST_USED_GRAIN = timedelta(minutes=1)


@transaction.atomic
def create_key(
    by: User,
    *,
    name: str,
    description: str = "",
    scopes: Sequence[str] = (),
    expires_in_days: int | None = None,
) -> tuple[ApiKey, str]:
    """Create a key of the caller and return it with its secret, which can only be read now."""
    refuse_keys(by)
    return _create(
        by, name=name, description=description, scopes=scopes, expires_in_days=expires_in_days
    )


@transaction.atomic
def create_key_for(
    user: User,
    *,
    by: By,
    name: str,
    scopes: Sequence[str] = (),
    expires_in_days: int | None = None,
) -> tuple[ApiKey, str]:
    """Create a key for somebody who has never signed in, as who invites them may."""
    refuse_keys(by)
    check_can_manage_user(by, user)
    if user.last_login is not None or user.has_usable_password():
        raise NotPermitted(gettext("Only the owner of an account creates its API keys."))
    return _create(user, name=name, scopes=scopes, expires_in_days=expires_in_days)


def _create(
    by: User,
    *,
    name: str,
    description: str = "",
    scopes: Sequence[str] = (),
    expires_in_days: int | None = None,
) -> tuple[ApiKey, str]:
    _check_scopes(by, scopes)
    # Row lock: two concurrent requests must not both pass the limit.
    User.objects.select_for_update().get(pk=by.pk)
    if (
        _normalized_scopes(ApiKey.objects.filter(user=by)).count()
        >= settings.MUSTER_KEYS_PER_USER
    ):
        raise Conflict(
            gettext(
                "You have %(muster_keys_per_user)s API keys, which is the most. Delete one "
                "that is no longer used."
            )
            % {"muster_keys_per_user": settings.MUSTER_KEYS_PER_USER}
        )
    secret = PREFIX + secrets.token_hex(KEY_BYTES)
    days = timedelta(days=expires_in_days) if expires_in_days else None
    key = ApiKey(
        user=by,
        name=name,
        description=description,
        scopes=list(dict.fromkeys(scopes)),
        prefix=secret[:PREFIX_LENGTH],
        digest=digest(secret),
        expires_at=timezone.now() + days if days else None,
    )
    key.checked().save(force_insert=True)
    return key, secret


def _check_scopes(user: User, scopes: Sequence[str]) -> None:
    if len(scopes) > MOST_SCOPES:
        raise Refused(
            {
                "scopes": [
                    gettext("A key has at most %(most_scopes)s scopes.")
                    % {"most_scopes": MOST_SCOPES}
                ]
            }
        )
    if strange := list(unknown(scopes)):
        raise Refused({"scopes": [f"There is no permission {one}." for one in strange]})
    if user.scopes is not None and not scopes:
        raise NotPermitted(gettext("A key with scopes cannot make one without."))
    held = set(user.permissions)
    for scope in scopes:
        covered = [one for one in every_permission() if allows({scope}, one)]
        if not held.issuperset(covered):
            raise NotPermitted(
                gettext("Permission denied: you do not hold '%(scope)s' yourself")
                % {"scope": scope}
            )


def _normalized_scopes(keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    return keys.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), is_active=True)


def delete_key(key: ApiKey, *, by: By) -> None:
    """Delete a key of one's own; superusers delete those of others."""
    refuse_keys(by)
    if not is_administrator(by) and getattr(by, "pk", None) != key.user_id:
        raise NotPermitted(gettext("This key is somebody else's."))
    key.delete()


def authenticate_key(secret: str) -> User | None:
    """Return the key's owner restricted to its scopes, or None. Updates `last_used`."""
    found = (
        _normalized_scopes(ApiKey.objects.select_related("user"))
        .filter(digest=digest(secret))
        .first()
    )
    if found is None or not found.user.may_sign_in:
        return None
    now = timezone.now()
    if found.last_used is None or found.last_used < now - LAST_USED_GRAIN:
        ApiKey.objects.filter(pk=found.pk).update(last_used=now)
    user: User = found.user
    user.scopes = frozenset(found.scopes) if found.scopes else None
    user.is_api_key = True
    return user
