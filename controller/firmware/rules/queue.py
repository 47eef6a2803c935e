"""Queue of upgrades: lease due ones, and reconcile what was missed."""

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from controller.base.leases import LeaseHolder
from controller.celery import enqueue_on_commit
from controller.devices.models import Presence
from controller.firmware.models import UPGRADES, FirmwareRollout, Upgrade
from controller.firmware.rules.upgrades import RUN

AT_ONCE = 20


@transaction.atomic
def lease_due(holder: LeaseHolder[Upgrade], *, most: int = AT_ONCE) -> list[Upgrade]:
    """Lease due upgrades: of sent ones the outcome is asked, all others are carried out.

    Upgrades of paused rollouts wait, unless their devices were told to flash.
    """
    rows = Upgrade.objects.select_related("device__site", "rollout", "image")
    doubtful = holder.adopt(most, rows)
    running = rows.filter(
        Q(rollout=None) | Q(rollout__state=FirmwareRollout.State.RUNNING)
        | Q(rollout__state=FirmwareRollout.State.DONE)
    )  # fmt: skip
    fresh = holder.lease(most - len(doubtful), running) if len(doubtful) < most else []
    now = timezone.now()
    for row in fresh:
        row.started = row.started or now
    Upgrade.objects.bulk_update(fresh, ["started"])
    return doubtful + fresh


def is_work_due() -> bool:
    return UPGRADES.due().exists() or UPGRADES.doubtful().exists()


def reconcile() -> None:
    """Process missed work: lost messages, dead workers, devices that are back."""
    now = timezone.now()
    UPGRADES.put_back()
    back = Upgrade.objects.filter(
        state__in=Upgrade.OPEN, leased_until=None, not_before__gt=now,
        device__presence__state=Presence.State.ONLINE,
        device__presence__since__gt=F("modified"),
    )  # fmt: skip
    # The pause of the first look and of a closed window is short or wanted.
    back.filter(Q(rollout=None) | Q(rollout__window="") | Q(sent__isnull=False)).update(
        not_before=now
    )
    if is_work_due():
        enqueue_on_commit(RUN)
