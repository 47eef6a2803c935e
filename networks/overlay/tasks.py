"""Periodic tasks of overlay networks."""

from celery import shared_task

from networks.overlay.rules import presence


@shared_task(name="networks.tasks.look")
def refresh_presence() -> int:
    """Expire members and refresh the presence of all others."""
    return presence.refresh_all()
