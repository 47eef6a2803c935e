"""What workers do for configurations; each may run twice, and finds its work on rows."""

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


# One step that fails stops no other.
RECONCILE: tuple[Callable[[], object], ...] = (
    vpn_servers.follow_certificates,
    rollouts.advance_all,
    overlay_sync.sync_outdated,
    rendering.render_stale,
    push_queue.reconcile,
)


@shared_task
def reconcile() -> None:
    """Find what no message told of: lost wake-ups, dead workers, devices that are back."""
    for_each(RECONCILE, lambda step: step(), name="configs.reconcile")


@shared_task
def run_batches() -> int:
    """What people want done to many devices."""
    return bulk_operations.run_due()


@shared_task
def check_drift() -> int:
    """Ask devices whether they still hold what they acknowledged."""
    return drift.check_due()


@shared_task
def forget() -> int:
    """Drop what devices will never need again."""
    return snapshots.prune() + enrollment.prune() + bulk_operations.prune()
