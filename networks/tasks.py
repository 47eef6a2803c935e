"""What workers do for overlay networks and gateways; each may run twice, and finds its work on rows."""

from uuid import UUID

from celery import shared_task

from networks.models import Change, ChangeSet
from networks.rules import applying, gateways, reconciling, scheduling, sets, watching


@shared_task
def look() -> int:
    return watching.refresh_all()


@shared_task
def apply_change(pk: str) -> bool:
    rows = Change.objects.select_related("gateway__organization", "gateway__site", "applier")
    change = rows.filter(pk=UUID(pk)).first()
    return change is not None and applying.work(change)


@shared_task
def apply_due() -> int:
    return scheduling.wake_due() + sets.advance_all()


@shared_task
def advance_set(pk: str) -> None:
    row = ChangeSet.objects.filter(pk=UUID(pk)).first()
    if row is not None:
        sets.advance(row)


@shared_task
def reconcile_changes() -> int:
    return reconciling.reconcile()


@shared_task
def expire_changes() -> int:
    return scheduling.expire()


@shared_task
def poll_gateways() -> int:
    return gateways.poll()
