"""Queue of upgrades: lease due ones, and reconcile what was missed."""

from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Value, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from controller.base.leases import LeaseHolder
from controller.celery import enqueue_on_commit
from controller.devices.models import Presence
from controller.firmware.models import UPGRADES, FirmwareRollout, Upgrade
from controller.firmware.rules.upgrades import RUN

AT_ONCE = 20


@transaction.atomic
def lease_due(holder: LeaseHolder[Upgrade], *, most: int = AT_ONCE) -> list[Upgrade]:
    """Lease due upgrades: of sent ones the outcome is asked, all others are carried out."""
    rows = Upgrade.objects.select_related("device__site", "rollout", "image")
    doubtful = holder.adopt(most, rows)
    free = min(most - len(doubtful), settings.MUSTER_FIRMWARE_TRANSFERS - transfers().count())
    fresh = holder.lease(free, rows.filter(pk__in=_one_at_a_time(free))) if free > 0 else []
    now = timezone.now()
    for row in fresh:
        row.started = row.started or now
    Upgrade.objects.bulk_update(fresh, ["started"])
    return doubtful + fresh


def transfers() -> QuerySet[Upgrade]:
    """Return the upgrades that a worker prepares or sends."""
    return Upgrade.objects.filter(leased_until__isnull=False, sent=None)


def startable() -> QuerySet[Upgrade]:
    """Return due upgrades whose rollout goes on and whose site has a place free.

    Upgrades of paused rollouts wait, unless their devices were told to flash.
    """
    going_on = (FirmwareRollout.State.RUNNING, FirmwareRollout.State.DONE)
    rows = UPGRADES.due().filter(Q(rollout=None) | Q(rollout__state__in=going_on))
    of_site = _busy().filter(device__site=OuterRef("device__site")).order_by()
    count = of_site.values("device__site").annotate(count=Count("pk")).values("count")
    return (
        rows.annotate(
            busy=Coalesce(Subquery(count), 0),
            rank=Window(
                RowNumber(), partition_by="device__site", order_by=["not_before", "pk"]
            ),
        )
        .filter(
            Q(device__site=None)
            | Q(rank__lte=Value(settings.MUSTER_FIRMWARE_PER_SITE) - F("busy"))
        )
        .order_by("not_before", "pk")
    )


def _busy() -> QuerySet[Upgrade]:
    """Return the upgrades whose devices are being prepared, or are away."""
    away = (Upgrade.State.FLASHING, Upgrade.State.AWAY, Upgrade.State.BACK)
    return Upgrade.objects.filter(Q(leased_until__isnull=False, sent=None) | Q(state__in=away))


def _one_at_a_time(most: int) -> list[UUID]:
    """Return the upgrades to start, with the sites locked until the transaction ends.

    Two workers that look at once would otherwise each start a neighbor.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('firmware.upgrades'))")
    return list(startable().values_list("pk", flat=True)[:most])


def is_work_due() -> bool:
    if UPGRADES.doubtful().exists():
        return True
    has_place = transfers().count() < settings.MUSTER_FIRMWARE_TRANSFERS
    return has_place and startable().exists()


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
