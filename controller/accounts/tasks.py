"""Celery tasks of accounts. All are idempotent."""

import logging

from celery import shared_task

from controller.accounts.rules import (
    audit,
    emails,
    invitations,
    passwords,
    table_imports,
    user_onboarding,
)
from controller.base import health

log = logging.getLogger(__name__)


@shared_task
def mail_reset(user_id: str) -> bool:
    return passwords.send_reset_link(user_id)


@shared_task
def log_audit_heads() -> int:
    """Log where each chain of the audit ends, for logs that are kept elsewhere."""
    found = audit.heads()
    for head in found:
        log.info("audit head %s", head)
    return len(found)


@shared_task
def mail_confirmation(email_id: int, primary: bool) -> bool:  # noqa: FBT001 - a task's arguments
    return emails.mail_link(email_id, primary=primary)


@shared_task
def mail_invitation(invitation_id: str) -> bool:
    return invitations.mail(invitation_id)


@shared_task
def mail_welcome(user_id: str, organization_id: str, inviter_id: str) -> bool:
    return user_onboarding.mail_welcome(user_id, organization_id, inviter_id)


@shared_task
def seal_audit() -> int:
    """Chain the audit entries written since the last run."""
    return audit.seal_entries()


@shared_task
def beat() -> None:
    """Record that beat is alive, which /health/ready checks."""
    health.record_beat()


@shared_task
def run_imports() -> int:
    """Read or write the tables that people uploaded."""
    return table_imports.run_due()
