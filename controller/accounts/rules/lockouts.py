"""Lockouts: after five failures in a row a name is locked for half an hour.

Each kind of secret that is tried has a namespace of its own, so that a name which is typed in one
place locks nothing in another. Failures to sign in are counted by name and address, so that
strangers cannot lock an account for its owner; the name counts as typed, so that the response does
not reveal whether an account exists.
"""

from datetime import timedelta
from enum import StrEnum

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.engine.email_addresses import canonical_email
from controller.accounts.models import Lockout
from controller.base.errors import Locked
from controller.base.request_context import current_context
from controller.base.secrets import digest

MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=30)


class Kind(StrEnum):
    """What is tried under a name."""

    SIGN_IN = "sign-in"
    PASSWORD = "password"  # noqa: S105 - of somebody who is signed in
    MFA = "mfa"


# Tried by anybody; the others take a session or the password first.
PUBLIC = frozenset({Kind.SIGN_IN})


def _digest(kind: Kind, name: str) -> str:
    address = current_context().address if kind in PUBLIC else ""
    return digest("\0".join(["lockout", kind, address, canonical_email(name)]))


def raise_if_locked(kind: Kind, name: str) -> None:
    """Raise :class:`Locked` while the name is locked."""
    until = (
        Lockout.objects.filter(name_digest=_digest(kind, name))
        .values_list("locked_until", flat=True)
        .first()
    )
    left = (until - timezone.now()).total_seconds() if until else 0
    if left > 0:
        raise Locked(
            gettext("Too many failed attempts to sign in. Try again later."),
            retry_after=int(left) + 1,
        )


@transaction.atomic
def record_failure(kind: Kind, name: str) -> None:
    """Record a failure. The counter restarts after LOCKED_FOR or after a lockout."""
    now = timezone.now()
    row, _ = Lockout.objects.select_for_update().get_or_create(name_digest=_digest(kind, name))
    if row.locked_until is not None or row.last_failure < now - LOCKED_FOR:
        row.failures, row.locked_until = 0, None
    row.failures, row.last_failure = row.failures + 1, now
    if row.failures >= MOST_FAILURES:
        row.locked_until = now + LOCKED_FOR
    row.save()


def reset_failures(kind: Kind, name: str) -> None:
    Lockout.objects.filter(name_digest=_digest(kind, name)).delete()


def prune() -> int:
    """Delete expired lockouts. Returns their number."""
    return Lockout.objects.filter(last_failure__lt=timezone.now() - LOCKED_FOR * 2).delete()[0]
