"""Queue of configuration pushes: enqueue, lease, reconcile.

A push of a lost worker returns to the queue if it was not sent. If it was sent, the device
is
queried before it is given anything.
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
    """Queue pushes to these configurations' devices. Returns the number of new pushes.

    A queued push becomes due at once and takes the desired snapshot when it starts. A push
    in
    progress is not interrupted; later changes are queued when it ends.
    """
    ids = list(config_ids)
    waiting = Push.objects.filter(config__in=ids, state=Push.State.QUEUED)
    if waiting.update(not_before=timezone.now()):
        enqueue_on_commit(DELIVER)
    return open_missing(ids)


def open_missing(config_ids: Iterable[UUID]) -> int:
    """Queue pushes for those of these configurations that need one and have none open.

    A push that waits for its next attempt keeps its pause. Returns the number of new
    pushes.
    """
    due = _due().filter(pk__in=list(config_ids)).values_list("pk", flat=True)
    opened = Push.objects.bulk_create(
        [Push(config_id=pk) for pk in due], ignore_conflicts=True, batch_size=500
    )
    if opened:
        enqueue_on_commit(DELIVER)
    return len(opened)


def _due() -> ConfigQuerySet:
    """Return configs that differ from the device's, are reachable and have no open push."""
    return (
        Config.objects.filter(status__in=DELIVERABLE, desired__isnull=False)
        .filter(
            Exists(
                DeviceConnection.objects.by_ssh().filter(
                    device=OuterRef("device"), device__management_ip__isnull=False
                )
            )
        )
        .exclude(Exists(Push.objects.filter(config=OuterRef("pk"), state__in=Push.OPEN)))
    )


def reconcile() -> int:
    """Queue missed pushes: lost messages, dead workers, devices that are back.

    Returns the number of new pushes.
    """
    now = timezone.now()
    back = Push.objects.filter(
        state__in=[Push.State.QUEUED, Push.State.UNKNOWN],
        not_before__gt=now,
        config__device__presence__state=Presence.State.ONLINE,
        config__device__presence__since__gt=F("started"),
    )
    back.update(not_before=now)
    # The rule that deactivates an organization does not know about polls.
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
    """Lease due pushes: sent ones must be verified, all others applied."""
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
