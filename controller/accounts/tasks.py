"""Celery tasks of accounts. All are idempotent."""

from celery import shared_task

from controller.accounts.rules import audit, passwords
from controller.base import health


@shared_task
def mail_reset(user_id: str) -> bool:
    return passwords.send_reset_link(user_id)


@shared_task
def seal_audit() -> int:
    """Chain the audit entries written since the last run."""
    return audit.seal_entries()


@shared_task
def beat() -> None:
    """Record that beat is alive, which /health/ready checks."""
    health.record_beat()
