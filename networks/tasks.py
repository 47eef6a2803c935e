"""What workers do for overlay networks; each may run twice, and finds its work on rows."""

from celery import shared_task

from networks.rules import watching


@shared_task
def look() -> int:
    return watching.look()
