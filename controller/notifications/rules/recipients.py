"""Resolve recipients of new notices and create notifications and deliveries."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from controller.accounts.engine.scopes import NO_SITE, SiteScope
from controller.accounts.models import Membership, User
from controller.base.events import Event, publish_on_commit
from controller.celery import enqueue_on_commit
from controller.notifications.models import (
    Delivery,
    Notice,
    Notification,
    Webhook,
    emails_are_sent,
)
from controller.notifications.rules.mutes import all_muted
from controller.notifications.rules.preferences import PreferenceLookup

BATCH = 200
MAIL = "controller.notifications.tasks.mail"
DELIVER = "controller.notifications.tasks.deliver"


def dispatch_notices() -> int:
    """Dispatch all pending notices. Returns their number."""
    done = 0
    while count := _spread():
        done += count
    return done


@transaction.atomic
def _spread() -> int:
    waiting = Notice.objects.filter(is_spread=False).order_by("created")
    notices = list(waiting.select_for_update(skip_locked=True, of=("self",))[:BATCH])
    if not notices:
        return 0
    rows = list(recipients(notices))
    Notification.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    deliveries = list(_deliveries(notices))
    Delivery.objects.bulk_create(deliveries, batch_size=500, ignore_conflicts=True)
    Notice.objects.filter(pk__in=[one.pk for one in notices]).update(is_spread=True)
    shown = frozenset(row.recipient_id for row in rows if row.is_shown)
    publish_on_commit(lambda: [publish_unread(pk) for pk in shown])
    if any(row.wants_email for row in rows):
        enqueue_on_commit(MAIL)
    if deliveries:
        enqueue_on_commit(DELIVER)
    return len(notices)


def publish_unread(recipient: UUID) -> Event:
    """Return an event that the user has new notifications, without their content."""
    return Event(
        "notification",
        "notification:read",
        None,
        recipient,
        has_site=False,
        recipients=frozenset({recipient}),
    )


def recipients(notices: list[Notice]) -> Iterable[Notification]:
    people = candidates({one.organization_id for one in notices})
    muted = all_muted(people, {one.object_id for one in notices})
    choices = PreferenceLookup(people)
    sends = emails_are_sent()
    for notice in notices:
        place: SiteScope = notice.site_id if notice.has_site else NO_SITE
        for user in people:
            if not user.has_perm_in(notice.permission, notice.organization_id, place):
                continue
            if (user.pk, notice.object_type, notice.object_id) in muted:
                continue
            web, email = (
                choices.enabled(way, user.pk, notice.organization_id, notice.kind)
                for way in ("web", "email")
            )
            if web or (email and sends):
                yield Notification(
                    notice=notice, recipient=user, is_shown=web, wants_email=email and sends
                )


def candidates(organizations: set[UUID | None]) -> list[User]:
    """Return active members of these organizations, and superusers."""
    members = Membership.objects.filter(
        organization__in=organizations - {None}, organization__is_active=True
    )
    active = User.objects.filter(is_active=True)
    found = active.filter(pk__in=members.values("user")) | active.filter(is_superuser=True)
    return [user for user in found.distinct() if user.may_sign_in]


def _deliveries(notices: list[Notice]) -> Iterable[Delivery]:
    owners = {one.organization_id for one in notices}
    hooks = list(Webhook.objects.filter(is_active=True, organization__in=owners - {None}))
    for notice in notices:
        for hook in hooks:
            wanted = not hook.kinds or notice.kind in hook.kinds
            if hook.organization_id == notice.organization_id and wanted:
                yield Delivery(webhook=hook, notice=notice)


# --- actions of recipients


def mark_all_read(rows: Any) -> int:
    count: int = rows.filter(unread=True).update(unread=False)
    return count


def set_unread(row: Notification, *, unread: bool) -> Notification:
    row.unread = unread
    row.save(update_fields=["unread"])
    return row


def delete(row: Notification) -> None:
    row.delete()


def delete_many(rows: Iterable[Notification]) -> None:
    Notification.objects.filter(pk__in=[row.pk for row in rows]).delete()


def prune() -> int:
    """Delete old notices, notifications and deliveries. Returns the number of notices."""
    if not settings.MUSTER_HISTORY_DAYS:
        return 0
    limit = timezone.now() - timedelta(days=settings.MUSTER_HISTORY_DAYS)
    gone = Notice.objects.filter(created__lt=limit, is_latest=False)
    count, _ = gone.delete()
    Notification.objects.filter(created__lt=limit).delete()
    Delivery.objects.filter(created__lt=limit).delete()
    return count
