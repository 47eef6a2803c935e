"""Tasks of gateways. Each may run twice and finds its work on rows."""

from uuid import UUID

from celery import shared_task

from networks.gateways.models import Change, ChangeSet
from networks.gateways.rules import (
    backup_queue,
    change_sets,
    execution,
    gateways,
    reconciliation,
    scheduling,
)


@shared_task(name="networks.tasks.apply_change")
def apply_change(pk: str) -> bool:
    """Apply one scheduled change to its gateway."""
    rows = Change.objects.select_related("gateway__organization", "gateway__site", "applier")
    change = rows.filter(pk=UUID(pk)).first()
    return change is not None and execution.work(change)


@shared_task(name="networks.tasks.apply_due")
def apply_due() -> int:
    """Dispatch due changes and advance running change sets."""
    return scheduling.wake_due() + change_sets.advance_all()


@shared_task(name="networks.tasks.advance_set")
def advance_set(pk: str) -> None:
    """Advance one change set."""
    row = ChangeSet.objects.filter(pk=UUID(pk)).first()
    if row is not None:
        change_sets.advance(row)


@shared_task(name="networks.tasks.reconcile_changes")
def reconcile_changes() -> int:
    """Resolve changes whose outcome is unknown."""
    return reconciliation.reconcile()


@shared_task(name="networks.tasks.expire_changes")
def expire_changes() -> int:
    """Expire stale changes."""
    return scheduling.expire()


@shared_task(name="networks.tasks.back_up_gateways")
def back_up_gateways() -> int:
    """Take the backups of gateways that are due."""
    return backup_queue.run_due()


@shared_task(name="networks.tasks.prune_gateway_backups")
def prune_gateway_backups() -> int:
    """Delete backups that are older, or more, than their policies keep."""
    return backup_queue.prune_all()


@shared_task(name="networks.tasks.poll_gateways")
def poll_gateways() -> int:
    """Poll the status of all gateways."""
    return gateways.poll()
