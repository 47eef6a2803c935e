"""What workers do for configurations; each may run twice, and finds its work on rows."""

from celery import shared_task

from controller.configs.rules import (
    batches,
    delivery,
    drifting,
    enrolling,
    history,
    overlay,
    pushing,
    rendering,
    rollouts,
    servers,
)


@shared_task
def render_stale() -> int:
    return rendering.render_stale()


@shared_task
def follow_overlay() -> int:
    return overlay.sync_outdated()


@shared_task
def deliver() -> int:
    return pushing.deliver()


@shared_task
def reconcile() -> None:
    """Find what no message told of: lost wake-ups, dead workers, devices that are back."""
    servers.follow_certificates()
    rollouts.advance_all()
    overlay.sync_outdated()
    rendering.render_stale()
    delivery.reconcile()


@shared_task
def run_batches() -> int:
    """What people want done to many devices."""
    return batches.run_due()


@shared_task
def check_drift() -> int:
    """Ask devices whether they still hold what they acknowledged."""
    return drifting.check_due()


@shared_task
def forget() -> int:
    """Drop what devices will never need again."""
    return history.prune() + enrolling.prune() + batches.prune()
