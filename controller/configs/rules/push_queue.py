"""Queue pushes and lease them to workers.

A push of a lost worker that was not sent waits in the queue again. Of one that was sent the
device is asked what it holds, before it is given anything.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from controller.base.leases import LeaseHolder
from controller.celery import enqueue_on_commit
from controller.configs.models import PUSHES, Config, ConfigQuerySet, Push
from controller.configs.rules.agent_cache import invalidate_checksums
from controller.connections.models import DeviceConnection
from controller.devices.drivers.agent_cache import SECONDS_KEPT
from controller.devices.models import Device, Presence

DELIVER = "controller.configs.tasks.deliver"
BATCH = 200
DELIVERABLE = (Config.Status.MODIFIED, Config.Status.DEACTIVATING)


def enqueue(config_ids: Iterable[UUID]) -> int:
    """Push to these devices what they lack. Returns the number of pushes that were opened.

    A push that waits already goes at once: it takes what is desired when it starts. One under
    way is not interrupted; when it ends, what came meanwhile is queued.
    """
    ids = list(config_ids)
    waiting = Push.objects.filter(config__in=ids, state=Push.State.QUEUED)
    if waiting.update(not_before=timezone.now()):
        enqueue_on_commit(DELIVER)
    return open_missing(ids)


def open_missing(config_ids: Iterable[UUID]) -> int:
    """Open pushes for those of these devices that need one and have none that is open.

    A push that waits for its next attempt keeps its pause. Returns the number of pushes opened.
    """
    due = _due().filter(pk__in=list(config_ids)).values_list("pk", flat=True)
    opened = Push.objects.bulk_create(
        [Push(config_id=pk) for pk in due], ignore_conflicts=True, batch_size=500
    )
    if opened:
        enqueue_on_commit(DELIVER)
    return len(opened)


def _due() -> ConfigQuerySet:
    """Devices that lack what they are to have, can be reached, and are not being pushed to."""
    return (
        Config.objects.filter(status__in=DELIVERABLE, desired__isnull=False)
        .filter(
            Exists(
                DeviceConnection.objects.filter(
                    device=OuterRef("device"),
                    enabled=True,
                    device__management_ip__isnull=False,
                )
            )
        )
        .exclude(Exists(Push.objects.filter(config=OuterRef("pk"), state__in=Push.OPEN)))
    )


def reconcile() -> int:
    """Find by the rows what was not done: lost messages, dead workers, devices that are back."""
    now = timezone.now()
    back = Push.objects.filter(
        state__in=[Push.State.QUEUED, Push.State.UNKNOWN],
        not_before__gt=now,
        config__device__presence__state=Presence.State.ONLINE,
        config__device__presence__since__gt=F("started"),
    )
    back.update(not_before=now)
    # The rule that switches an organization off knows nothing of polls.
    invalidate_checksums(
        Device.objects.filter(
            organization__is_active=False,
            organization__modified__gte=now - timedelta(seconds=SECONDS_KEPT),
        ).values_list("pk", flat=True)
    )
    PUSHES.put_back()
    missing = list(_due().values_list("pk", flat=True)[: BATCH * 10])
    opened = open_missing(missing)
    if not opened and is_work_due():
        enqueue_on_commit(DELIVER)
    return opened


def is_work_due() -> bool:
    """Return whether a push waits for a worker now."""
    return PUSHES.due().exists() or PUSHES.doubtful().exists()


@transaction.atomic
def lease_due(holder: LeaseHolder[Push], *, most: int = BATCH) -> list[Push]:
    """Lease due pushes. Those with a mark *sent* are to be verified, all others applied."""
    with_config = Push.objects.select_related("config")
    doubtful = holder.adopt(most, with_config)
    fresh = holder.lease(most - len(doubtful), with_config)
    now = timezone.now()
    for row in doubtful + fresh:
        row.started = now
        if row.sent is None:
            row.snapshot_id = row.config.desired_id
    Push.objects.bulk_update(doubtful + fresh, ["snapshot", "started"])
    return doubtful + fresh
