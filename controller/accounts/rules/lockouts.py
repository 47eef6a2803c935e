"""Lockouts: after five failures in a row a name is locked for half an hour.

Failures are counted by the name as typed, so that the response does not reveal whether an
account exists.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from controller.accounts.models import Lockout
from controller.base.errors import Locked
from controller.base.secrets import digest

MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=30)


def _digest(name: str) -> str:
    return digest(f"lockout {name.strip().casefold()}")


def raise_if_locked(name: str) -> None:
    """Raise :class:`Locked` while the name is locked."""
    until = (
        Lockout.objects.filter(name_digest=_digest(name))
        .values_list("locked_until", flat=True)
        .first()
    )
    left = (until - timezone.now()).total_seconds() if until else 0
    if left > 0:
        raise Locked(
            "Too many failed attempts to sign in. Try again later.", retry_after=int(left) + 1
        )


@transaction.atomic
def record_failure(name: str) -> None:
    """Record a failure. The counter restarts after LOCKED_FOR or after a lockout."""
    now = timezone.now()
    row, _ = Lockout.objects.select_for_update().get_or_create(name_digest=_digest(name))
    if row.locked_until is not None or row.last_failure < now - LOCKED_FOR:
        row.failures, row.locked_until = 0, None
    row.failures, row.last_failure = row.failures + 1, now
    if row.failures >= MOST_FAILURES:
        row.locked_until = now + LOCKED_FOR
    row.save()


def reset_failures(name: str) -> None:
    Lockout.objects.filter(name_digest=_digest(name)).delete()


def prune() -> int:
    """Delete expired lockouts. Returns their number."""
    return Lockout.objects.filter(last_failure__lt=timezone.now() - LOCKED_FOR * 2).delete()[0]
