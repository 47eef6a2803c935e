"""Idempotency keys: a repeated request returns the first response."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, Refused
from controller.base.secrets import digest
from supervisor_proxy.models import RememberedAnswer

REMEMBERED = timedelta(hours=24)
LONGEST_KEY = 255


@contextmanager
def claimed(user: User, key: str, request: str) -> Iterator[RememberedAnswer]:
    """Yield the row of this key. If it has a status, its response must be repeated.

    The key is released if the request is refused.
    """
    row = begin(user, key, request)
    try:
        yield row
    except Refused:
        if row.status is None:
            row.delete()
        raise


@transaction.atomic
def begin(user: User, key: str, request: str) -> RememberedAnswer:
    """Return the row of this key. If it has a status, its response must be repeated."""
    if not 1 <= len(key) <= LONGEST_KEY:
        raise Refused(
            gettext("An Idempotency-Key has 1 to %(longest_key)s characters.")
            % {"longest_key": LONGEST_KEY}
        )
    now = timezone.now()
    RememberedAnswer.objects.filter(user=user, expires__lt=now).delete()
    row, is_new = RememberedAnswer.objects.get_or_create(
        user=user,
        key_digest=digest(key),
        defaults={"request_digest": digest(request), "expires": now + REMEMBERED},
    )
    if is_new:
        return row
    if row.request_digest != digest(request):
        raise Refused(
            gettext(
                "This Idempotency-Key was used for another request. Take a new one for a new request."
            ),
            code="other_request",
        )
    if row.status is None:
        raise Conflict(
            gettext("The request with this Idempotency-Key is still running."), code="busy"
        )
    return row


def end(row: RememberedAnswer, *, status: int, content_type: str, body: str) -> None:
    row.status, row.content_type, row.body = status, content_type, body
    row.save()
