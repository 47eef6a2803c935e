"""What workers do for accounts; each may run twice."""

from celery import shared_task

from controller.accounts.rules import audit, passwords
from controller.base import health


@shared_task
def mail_reset(user_id: str) -> bool:
    return passwords.send_reset_link(user_id)


@shared_task
def seal_audit() -> int:
    """Chain what was noted since the last time."""
    return audit.seal_entries()


@shared_task
def beat() -> None:
    """Tell that a worker is at work; /health/ready asks for it."""
    health.record_heartbeat()
