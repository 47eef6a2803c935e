"""Celery tasks of firmware; each finds its work on rows, and may run twice."""

from collections.abc import Callable
from uuid import UUID

from celery import shared_task

from controller.base.leases import for_each
from controller.firmware.rules import (
    custom_images,
    downloads,
    gateway_rollouts,
    image_storage,
    policies,
    post_upgrade_checks,
    retention,
    rollouts,
    system_facts,
    upgrade_queue,
    upgrade_worker,
)

RECONCILED: tuple[Callable[[], object], ...] = (
    post_upgrade_checks.judge_watched,
    rollouts.advance_all,
    gateway_rollouts.advance_all, upgrade_queue.reconcile,
)  # fmt: skip


@shared_task
def run_upgrades() -> int:
    """Carry out due upgrades, and ask for unknown outcomes."""
    return upgrade_worker.run_upgrades()


@shared_task
def reconcile() -> None:
    """Process missed work: lost messages, dead workers, devices that are back."""
    for_each(RECONCILED, lambda step: step(), name="firmware.reconcile")


@shared_task
def read_systems() -> int:
    """Read the firmware of devices that are due."""
    return system_facts.read_due()


@shared_task
def read_system(device_id: str) -> int:
    """Read the firmware of one device now."""
    return system_facts.read_systems([UUID(device_id)])


@shared_task
def advance_image_requests() -> int:
    """Go on with requests for custom images."""
    return custom_images.advance_due()


@shared_task
def judge_signatures() -> int:
    """Verify signatures of images in the object store with the keys that are trusted now."""
    return policies.judge_waiting()


@shared_task
def forget() -> int:
    """Delete old history, and files that no image has."""
    steps = (
        retention.forget,
        downloads.forget_expired,
        image_storage.forget_files,
        policies.judge_waiting,
    )
    return for_each(steps, lambda step: step(), name="firmware.forget")
