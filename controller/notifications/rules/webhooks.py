"""Webhooks: signed deliveries with backoff; disabled after repeated failures."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.address_secrets import drop_moved_secrets
from controller.base.errors import Refused
from controller.base.leases import LeaseHolder
from controller.celery import enqueue_on_commit
from controller.notifications.drivers import webhook as driver
from controller.notifications.engine.signing import new_secret, pause_after, signature
from controller.notifications.models import DELIVERIES, Delivery, Notice, Webhook
from controller.notifications.rules.links import link_to
from controller.notifications.rules.recipients import DELIVER

GONE = 410
OK = range(200, 300)
MOST = 100
# Disabled after this many failures in a row without a success for this long.
MOST_FAILURES = 20
PATIENCE = timedelta(hours=24)
TEST_KIND = "test"
LOST = "The worker that sent it is gone."


def create_webhook(**values: Any) -> Webhook:
    row = _checked(Webhook(**values))
    row.save()
    return row


def update_webhook(row: Webhook, **values: Any) -> Webhook:
    """Change a webhook. Another server gets another secret, unless one is given with it."""
    is_new_start = values.get("is_active") and not row.is_active
    for name, value in values.items():
        setattr(row, name, value)
    if is_new_start:
        row.failures, row.trouble = 0, ""
    drop_moved_secrets(row, values)
    _checked(row).save()
    return row


def delete_webhook(row: Webhook) -> None:
    row.delete()


def rotate_secret(row: Webhook) -> Webhook:
    return update_webhook(row, secret=new_secret())


def _checked(row: Webhook) -> Webhook:
    parts = urlsplit(row.url)
    if parts.username or parts.password:
        raise Refused(
            {"url": [gettext("No user and password in it: messages are signed instead.")]}
        )
    row.checked()
    return row


def test(row: Webhook) -> str:
    """Send a test message now; return a sentence with the result."""
    status = _send(row, f"msg_{row.pk.hex}", {"type": TEST_KIND, "message": "This is a test."})
    return f"It answered with status {status}."


def deliver() -> int:
    """Send the deliveries that are due. Returns the number that was accepted."""
    DELIVERIES.put_back()
    holder = LeaseHolder(DELIVERIES)
    for row in holder.adopt(MOST):
        # Retried under the same id, by which receivers detect repetitions.
        holder.retry(row, answer=LOST)
    rows = Delivery.objects.select_related("webhook", "notice__organization")
    done, silent = 0, set[UUID]()
    # One at a time, so that no lease expires while slow receivers respond; a receiver that does
    # not
    # answer is skipped until the next call.
    for _ in range(MOST):
        taken = holder.lease(1, rows.exclude(webhook__in=silent))
        if not taken:
            break
        if _deliver(holder, taken[0]):
            done += 1
        else:
            silent.add(taken[0].webhook_id)
    return done


def _deliver(holder: LeaseHolder[Delivery], delivery: Delivery) -> bool:
    hook, notice = delivery.webhook, delivery.notice
    body = payload(notice)
    if not holder.mark_sent(delivery.pk):
        return False
    try:
        status = _send(hook, f"msg_{delivery.pk.hex}", body)
        answer, is_done = f"status {status}", status in OK
    except Refused as error:
        status, answer, is_done = 0, str(error)[:255], False
    pause = pause_after(delivery.attempts)
    if is_done:
        holder.end(delivery, state=Delivery.State.DONE, answer=answer)
    elif pause is None:
        holder.end(delivery, state=Delivery.State.FAILED, answer=answer)
    else:
        again = timezone.now() + timedelta(seconds=pause)
        holder.retry(delivery, answer=answer, not_before=again)
    _note(hook, answer, is_done=is_done, is_gone=status == GONE)
    return is_done


def _note(hook: Webhook, answer: str, *, is_done: bool, is_gone: bool) -> None:
    row = Webhook.objects.filter(pk=hook.pk)
    now = timezone.now()
    if is_done:
        row.update(failures=0, trouble="", last_success=now)
        return
    row.update(failures=F("failures") + 1, trouble=answer)
    since = hook.last_success or hook.created
    if is_gone or (hook.failures + 1 >= MOST_FAILURES and since < now - PATIENCE):
        reason = "It said that it is gone" if is_gone else "It has failed for a day"
        row.update(is_active=False, trouble=f"Switched off: {reason} ({answer})."[:255])


def _send(hook: Webhook, message: str, body: dict[str, Any]) -> int:
    data = json.dumps(body).encode()
    at = int(timezone.now().timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Muster-Webhook",
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(hook.secret, message=message, at=at, body=data),
    }
    return driver.send(driver.Message(hook.url, headers, data))


def payload(notice: Notice) -> dict[str, Any]:
    organization = notice.organization
    return {
        "type": notice.kind,
        "timestamp": notice.created.isoformat(),
        "level": notice.level,
        "message": notice.text,
        "organization": organization
        and {"id": str(organization.pk), "slug": organization.slug},
        "object": {
            "type": notice.object_type,
            "id": notice.object_id,
            "name": notice.object_name,
            "url": link_to(notice),
        },
        "data": notice.data,
    }


def retry(delivery: Delivery) -> None:
    """Retry a delivery immediately, resetting its attempts."""
    Delivery.objects.filter(pk=delivery.pk, leased_until=None).update(
        state=Delivery.State.WAITING, attempts=0, sent=None, not_before=timezone.now()
    )
    enqueue_on_commit(DELIVER)
