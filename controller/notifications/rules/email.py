"""Notifications by e-mail: one message a person, of whatever has come together."""

import logging
from collections import defaultdict
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.urls import reverse

from controller.notifications.models import Notification, emails_are_sent

log = logging.getLogger(__name__)
MOST = 500
MOST_LINES = 30
SUBJECT_LENGTH = 120


def mail() -> int:
    """Send what is to be sent; how many messages. Who fails is tried again by the next call."""
    if not emails_are_sent():
        return 0
    due = _by_recipient()
    if not due:
        return 0
    try:
        # One connection for all of them.
        with get_connection() as connection:
            return sum(_mail(rows, connection) for rows in due.values())
    except (SMTPException, OSError) as error:
        log.warning("The mail server is away: %s", error)
        return 0


def _by_recipient() -> dict[Any, list[Notification]]:
    due = Notification.objects.filter(wants_email=True, emailed=False).order_by("created")
    found: dict[Any, list[Notification]] = defaultdict(list)
    for row in due.select_related("notice__organization", "recipient")[:MOST]:
        found[row.recipient_id].append(row)
    return found


def _mail(rows: list[Notification], connection: Any) -> int:
    pks = [row.pk for row in rows]
    with transaction.atomic():
        # Claimed first: an e-mail twice is worse than one that a dying worker takes along.
        mine = Notification.objects.filter(pk__in=pks, emailed=False).update(emailed=True)
    if not mine:
        return 0
    try:
        written(rows, connection).send()
    except (SMTPException, OSError) as error:
        log.warning("E-mail to %s was not sent: %s", rows[0].recipient_id, error)
        Notification.objects.filter(pk__in=pks).update(emailed=False)
        return 0
    return 1


def written(rows: list[Notification], connection: Any = None) -> EmailMessage:
    lines = [
        f"{row.created:%Y-%m-%d %H:%M} UTC  {row.notice.organization or 'All'}: {row.notice.text}"
        for row in rows[:MOST_LINES]
    ]
    if len(rows) > MOST_LINES:
        lines.append(f"… and {len(rows) - MOST_LINES} more.")
    base = settings.MUSTER_PUBLIC_URL
    lines += [
        "",
        f"All of them: {base}{reverse('admin:notifications_notification_changelist')}",
        f"What you are told, and how: {base}{reverse('admin:notification_preferences')}",
    ]
    return EmailMessage(
        subject_of(rows), "\n".join(lines), to=[rows[0].recipient.email], connection=connection
    )


def subject_of(rows: list[Notification]) -> str:
    first = " ".join(rows[0].notice.text.split())[:SUBJECT_LENGTH]
    return (
        f"[Muster] {first}"
        if len(rows) == 1
        else f"[Muster] {len(rows)} notifications: {first}"
    )
