"""Celery tasks of configurations: idempotent, with their work in the database."""

from collections.abc import Callable

from celery import shared_task

from controller.base.leases import for_each
from controller.configs.rules import (
    bulk_operations,
    drift,
    enrollment,
    overlay_sync,
    push_queue,
    push_worker,
    rendering,
    rollouts,
    snapshots,
    vpn_servers,
)


@shared_task
def render_stale() -> int:
    return rendering.render_stale()


@shared_task
def follow_overlay() -> int:
    return overlay_sync.sync_outdated()


@shared_task
def deliver() -> int:
    return push_worker.deliver()


# A step that fails does not stop the others.
RECONCILE: tuple[Callable[[], object], ...] = (
    vpn_servers.follow_certificates,
    rollouts.advance_all,
    overlay_sync.sync_outdated,
    rendering.render_stale,
    push_queue.reconcile,
)


@shared_task
def reconcile() -> None:
    """Process missed work: lost messages, dead workers, devices that are back."""
    for_each(RECONCILE, lambda step: step(), name="configs.reconcile")


@shared_task
def run_batches() -> int:
    """Run due bulk operations."""
    return bulk_operations.run_due()


@shared_task
def check_drift() -> int:
    """Check devices that are due for drift."""
    return drift.check_due()


@shared_task
def forget() -> int:
    """Delete old snapshots, enrollment requests and bulk operations."""
    return snapshots.prune() + enrollment.prune() + bulk_operations.prune()
