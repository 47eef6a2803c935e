"""Requests that carry an ``Idempotency-Key``: made once, answered alike when repeated."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import Conflict, Refused
from controller.base.secrets import digest
from supervisor_proxy.models import RememberedAnswer

REMEMBERED = timedelta(hours=24)
LONGEST_KEY = 255


@transaction.atomic
def begin(user: User, key: str, request: str) -> RememberedAnswer:
    """The row of this key. One with a status has been answered before, with just that."""
    if not 1 <= len(key) <= LONGEST_KEY:
        raise Refused(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.")
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
            "This Idempotency-Key was used for another request. Take a new one for a new request.",
            code="other_request",
        )
    if row.status is None:
        raise Conflict("The request with this Idempotency-Key is still running.", code="busy")
    return row


def end(row: RememberedAnswer, *, status: int, content_type: str, body: str) -> None:
    row.status, row.content_type, row.body = status, content_type, body
    row.save()


def give_up(row: RememberedAnswer) -> None:
    """Nothing was answered, so the key is free again."""
    row.delete()
