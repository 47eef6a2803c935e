"""Expiring CAs and certificates: automatic renewal and notices."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import Refused
from controller.base.events import Event, event_for
from controller.notifications.rules.notices import record_notices
from pki.models import Ca, Cert
from pki.rules.authorities import renew_ca
from pki.rules.certificates import renew

log = logging.getLogger(__name__)

# Notice thresholds, most urgent first.
NOTICES = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
RENEW_BEFORE = timedelta(days=30)
# Short-lived certificates are renewed in the last third of their lifetime.
SHARE_LEFT = 3


def tell_expiring() -> int:
    """Record notices of rows ending within 30, 7 and 1 days. Returns their number."""
    return record_notices(event for model in (Ca, Cert) for event in _ending(model))


def _ending(model: type[Ca] | type[Cert]) -> Iterator[Event]:
    now = timezone.now()
    for row in model.objects.expiring(max(NOTICES), now=now):
        days = next(span.days for span in NOTICES if row.validity_end <= now + span)
        if row.auto_renew and days == max(NOTICES).days:
            # Due for automatic renewal; worth a notice only if that fails.
            continue
        yield event_for(
            row, "certificate.expiring", f"{model._meta.model_name}:update", name=row.name,
            object_type=model._meta.label_lower, days=days, until=f"{row.validity_end:%Y-%m-%d}",
        )  # fmt: skip


@dataclass(frozen=True)
class Notice:
    """Rows that end within this span, but not within a shorter one."""

    days: int
    rows: list[Ca | Cert]


def notices(user: User) -> list[Notice]:
    """Return the rows visible to the user that end within 1, 7 and 30 days."""
    found: list[Notice] = []
    now, start = timezone.now(), timedelta()
    for span in NOTICES:
        ending: list[Ca | Cert] = []
        for model in (Ca, Cert):
            visible = model.objects.visible_to(user).filter(revoked=False)
            ending += visible.filter(validity_end__gt=now + start, validity_end__lte=now + span)
        found.append(Notice(span.days, sorted(ending, key=lambda row: row.validity_end)))
        start = span
    return found


def renew_due() -> list[Ca | Cert]:
    """Renew due rows with automatic renewal; CAs keep their key. Returns them.

    A failure is logged; the row stays on the dashboard for a user to handle.
    """
    due: list[Ca | Cert] = []
    for model in (Ca, Cert):
        due += filter(is_due, model.objects.filter(auto_renew=True).expiring(RENEW_BEFORE))
    renewed: list[Ca | Cert] = []
    for row in due:
        try:
            renewed.append(renew_ca(row, keep_key=True) if isinstance(row, Ca) else renew(row))
        except Refused as refused:
            log.warning("%s %s was not renewed: %s", row._meta.label, row.pk, refused)
    return renewed


def is_due(row: Ca | Cert) -> bool:
    left = row.validity_end - timezone.now()
    return left <= min(RENEW_BEFORE, row.lifetime / SHARE_LEFT)
