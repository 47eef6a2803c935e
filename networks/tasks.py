"""What workers do for overlay networks and gateways; each may run twice, and finds its work on rows."""

from celery import shared_task

from networks.rules import reconciling, watching


@shared_task
def look() -> int:
    return watching.look()


@shared_task
def reconcile_changes() -> int:
    return reconciling.reconcile()
