"""Pushes as rows: queued when something is to be delivered, leased while it is, settled after.

A worker that dies leaves a lease that runs out; whoever comes next asks the device what it
holds before doing anything.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from controller.celery import enqueue_on_commit
from controller.configs.models import Config, ConfigQuerySet, Push
from controller.configs.rules.agent_cache import invalidate_checksums
from controller.connections.models import DeviceConnection
from controller.devices.drivers.agent_cache import SECONDS_KEPT
from controller.devices.models import Device, Presence

DELIVER = "controller.configs.tasks.deliver"

# Renewed while the worker lives; after a crash the push is taken up again when it is over.
LEASE = timedelta(seconds=20)
BATCH = 200
DELIVERABLE = (Config.Status.MODIFIED, Config.Status.DEACTIVATING)


def enqueue(config_ids: Iterable[UUID]) -> int:
    """Have what is to be delivered to these devices delivered; how many pushes that opens.

    A push that waits already goes at once: it takes what is desired when it starts. One under
    way is not interrupted; when it ends, what came meanwhile is queued.
    """
    ids = list(config_ids)
    waiting = Push.objects.filter(config__in=ids, state=Push.State.QUEUED)
    moved = waiting.update(not_before=timezone.now())
    opened = Push.objects.bulk_create(
        [Push(config_id=pk) for pk in _due().filter(pk__in=ids).values_list("pk", flat=True)],
        ignore_conflicts=True,
        batch_size=500,
    )
    if moved or opened:
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
    missing = list(_due().values_list("pk", flat=True)[: BATCH * 10])
    opened = enqueue(missing)
    if not opened and _ready(now).exists():
        enqueue_on_commit(DELIVER)
    return opened


def _ready(now: datetime) -> QuerySet[Push]:
    """Pushes that a worker may take: waiting and due, or left behind by a dead worker."""
    waiting = Q(state__in=[Push.State.QUEUED, Push.State.UNKNOWN], not_before__lte=now)
    left_behind = Q(state=Push.State.APPLYING, leased_until__lt=now)
    return Push.objects.filter(waiting | left_behind)


@transaction.atomic
def lease_due(*, most: int = BATCH) -> list[Push]:
    """Lease pushes for the caller; those in doubt are for asking, the others for doing.

    One that a dead worker left behind is done again: whatever the device made of the first,
    nobody was there to confirm it, and the device takes one push at a time.
    """
    now = timezone.now()
    rows = list(
        _ready(now)
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("config")
        .order_by("not_before")[:most]
    )
    for row in rows:
        if not row.in_doubt:
            row.snapshot_id = row.config.desired_id
        row.state = Push.State.APPLYING
        row.started = now
        row.leased_until = now + LEASE
        row.attempts = F("attempts") + 1
    Push.objects.bulk_update(rows, ["state", "snapshot", "started", "leased_until", "attempts"])
    return rows


def extend_leases(push_ids: Sequence[int]) -> None:
    Push.objects.filter(pk__in=push_ids, state=Push.State.APPLYING).update(
        leased_until=timezone.now() + LEASE
    )
