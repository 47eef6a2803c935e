"""Notifications by e-mail: one message per recipient for all that are due."""

import logging
from collections.abc import Iterator
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.rules.preferences import locale_of
from controller.base.leases import FREE, LeaseHolder
from controller.notifications.models import EMAILS, Notification, emails_are_sent

log = logging.getLogger(__name__)
MOST = 500
MOST_LINES = 30
MOST_ATTEMPTS = 50
SUBJECT_LENGTH = 120


def mail() -> int:
    """Send the e-mails that are due, one for each recipient. Returns the number of e-mails.

    An e-mail that cannot be sent is tried again after a growing pause.
    """
    if not emails_are_sent():
        return 0
    _settle_lost()
    if not EMAILS.due().exists():
        return 0
    try:
        # One connection for all messages.
        with get_connection() as connection:
            return sum(_mail(holder, rows, connection) for holder, rows in _by_recipient())
    except (SMTPException, OSError) as error:
        log.warning("The mail server is away: %s", error)
        return 0


def _settle_lost() -> None:
    """Count e-mails of lost workers as sent: a duplicate is worse than a lost one."""
    EMAILS.put_back()
    holder = LeaseHolder(EMAILS)
    for row in holder.adopt(MOST):
        holder.end(row, emailed=True)


def _by_recipient() -> Iterator[tuple[LeaseHolder[Notification], list[Notification]]]:
    """Lease due notifications, one recipient after the other."""
    for _ in range(MOST):
        first = EMAILS.due().order_by("not_before").values_list("recipient", flat=True).first()
        if first is None:
            return
        holder = LeaseHolder(EMAILS)
        rows = Notification.objects.filter(recipient=first).select_related(
            "notice__organization", "recipient"
        )
        if taken := holder.lease(MOST, rows):
            yield holder, sorted(taken, key=lambda row: row.created)


def _mail(holder: LeaseHolder[Notification], rows: list[Notification], connection: Any) -> int:
    message = written(rows, connection)
    if holder.mark_sent(*(row.pk for row in rows)) < len(rows):
        return 0
    try:
        message.send()
    except (SMTPException, OSError) as error:
        log.warning("E-mail to %s was not sent: %s", rows[0].recipient_id, error)
        for row in rows:
            holder.retry(row, wants_email=row.attempts < MOST_ATTEMPTS)
        return 0
    holder.mine.filter(pk__in=[row.pk for row in rows]).update(emailed=True, **FREE)
    return 1


def written(rows: list[Notification], connection: Any = None) -> EmailMessage:
    """Return the message in the language and the time zone of its recipient."""
    with locale_of(rows[0].recipient):
        return _written(rows, connection)


def _written(rows: list[Notification], connection: Any) -> EmailMessage:
    everyone = gettext("All")
    lines = [
        f"{timezone.localtime(row.created):%Y-%m-%d %H:%M %Z}  "
        f"{row.notice.organization or everyone}: {row.notice.translated_text}"
        for row in rows[:MOST_LINES]
    ]
    if len(rows) > MOST_LINES:
        lines.append(gettext("… and %(count)s more.") % {"count": len(rows) - MOST_LINES})
    base = settings.MUSTER_PUBLIC_URL
    lines += [
        "",
        gettext("All of them: %(url)s")
        % {"url": f"{base}{reverse('admin:notifications_notification_changelist')}"},
        gettext("Notification settings: %(url)s")
        % {"url": f"{base}{reverse('admin:notification_preferences')}"},
    ]
    return EmailMessage(
        subject_of(rows), "\n".join(lines), to=[rows[0].recipient.email], connection=connection
    )


def subject_of(rows: list[Notification]) -> str:
    first = " ".join(rows[0].notice.translated_text.split())[:SUBJECT_LENGTH]
    if len(rows) == 1:
        return f"[Muster] {first}"
    text = gettext("%(count)s notifications: %(first)s")
    return f"[Muster] {text % {'count': len(rows), 'first': first}}"
