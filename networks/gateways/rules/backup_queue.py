"""Take due backups of gateways in parallel, and prune old ones."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Refused, Unreachable
from controller.base.events import event_for, publish
from controller.base.leases import RENEW_PART, LeaseHolder, for_each, keep_renewing
from controller.celery import enqueue_on_commit
from networks.gateways.engine.backups import BackupFile
from networks.gateways.models import (
    BACKUPS,
    Change,
    Gateway,
    GatewayBackup,
    StoredConfiguration,
    deflated,
)
from networks.gateways.rules.backups import State, forget, policies_of
from networks.gateways.rules.execution import ADVANCE
from networks.gateways.rules.gateway_connections import connect

THREADS = 20
# What one backup may take, with all of its requests, before its worker counts as stalled.
LONGEST_SECONDS = 900.0
# A gateway that does not answer is tried again this often, and then after an hour.
MOST_ATTEMPTS = 4
AFTER_FAILURE = timedelta(hours=1)
PRUNED_AT_ONCE = 2000

log = logging.getLogger(__name__)
Taken = tuple[BackupFile, str] | Refused


def run_due() -> int:
    """Plan and take what is due. Returns the number of backups that were stored."""
    BACKUPS.put_back()
    plan_due()
    done, holder = 0, LeaseHolder(BACKUPS)
    busy = Change.objects.filter(state__in=Change.OPEN).values("gateway")
    ready = GatewayBackup.objects.exclude(gateway__in=busy)
    while rows := holder.lease(THREADS, ready):
        done += take(holder, rows)
    return done


def plan_due() -> int:
    """Ask for the backups of gateways whose last one is too old. Returns their number."""
    now, planned = timezone.now(), 0
    rows = list(
        Gateway.objects.annotate(
            waiting=Exists(
                GatewayBackup.objects.filter(gateway=OuterRef("pk"), state="waiting")
            ),
            newest=_newest(State.STORED),
            failed=_newest(State.FAILED),
        )
        .filter(waiting=False)
        .only("pk", "organization_id")
    )
    policies = policies_of(rows)
    for row in rows:
        hours = policies[row.pk].hours
        is_new = row.newest is not None and row.newest > now - timedelta(hours=hours)
        has_failed = row.failed is not None and row.failed > now - AFTER_FAILURE
        if hours and not is_new and not has_failed:
            # Another worker may just have had the same thought.
            with suppress(IntegrityError), transaction.atomic():
                GatewayBackup.objects.create(gateway_id=row.pk)
                planned += 1
    return planned


def _newest(state: str) -> Subquery:
    rows = GatewayBackup.objects.filter(gateway=OuterRef("pk"), state=state)
    return Subquery(rows.order_by("-created").values("created")[:1])


def take(holder: LeaseHolder[GatewayBackup], rows: Sequence[GatewayBackup]) -> int:
    """Take the backups of these rows in parallel. Returns the number that was stored."""
    gateways = {
        one.pk: one for one in Gateway.objects.filter(pk__in=[row.gateway_id for row in rows])
    }
    every = BACKUPS.seconds / RENEW_PART
    # Threads only do network I/O and no database queries.
    with (
        keep_renewing(holder.renew, every=every, at_most=LONGEST_SECONDS),
        ThreadPoolExecutor(THREADS) as pool,
    ):
        found = list(pool.map(lambda row: _taken(gateways[row.gateway_id]), rows))
    pairs = list(zip(rows, found, strict=True))
    stored: list[GatewayBackup] = []

    def keep(pair: tuple[GatewayBackup, Taken]) -> None:
        row, taken = pair
        if record(holder, row, taken):
            stored.append(row)

    for_each(pairs, keep, name="gateways.backups")
    return len(stored)


def _taken(gateway: Gateway) -> Taken:
    try:
        with connect(gateway) as device:
            return device.back_up(), device.version
    except Refused as error:
        return error
    except Exception:
        # What a gateway says may be anything; it must not hide the others.
        log.exception("The backup of gateway %s cannot be read", gateway.pk)
        return Unreachable(gettext("It answered something that cannot be read."))


def record(holder: LeaseHolder[GatewayBackup], row: GatewayBackup, taken: Taken) -> bool:
    """Store a backup, or the reason of its failure. Returns whether it is stored."""
    if isinstance(taken, Refused):
        if isinstance(taken, Unreachable) and row.attempts < MOST_ATTEMPTS:
            holder.retry(row)
            return False
        is_stored = False
        ended = holder.end(row, state=State.FAILED, outcome=str(taken)[:1000])
    else:
        is_stored = ended = _stored(holder, row, *taken)
    if ended:
        _tell(row)
    return is_stored


@transaction.atomic
def _stored(
    holder: LeaseHolder[GatewayBackup], row: GatewayBackup, file: BackupFile, version: str
) -> bool:
    contents, _ = StoredConfiguration.objects.get_or_create(
        gateway_id=row.gateway_id, digest=file.digest,
        defaults={
            "name": file.name, "kind": file.kind, "size": len(file.contents),
            "contents": deflated(file.contents),
            "settings": deflated(file.settings.encode()),
        },
    )  # fmt: skip
    return holder.end(
        row, state=State.STORED, configuration=contents, taken=timezone.now(),
        version=version[:64], outcome="",
    )  # fmt: skip


def _tell(row: GatewayBackup) -> None:
    gateway = row.gateway
    prune(gateway)
    publish(event_for(gateway, "gateway.backup", "gateway:read", state=row.state))
    if row.change_set_id is not None:
        enqueue_on_commit(ADVANCE, str(row.change_set_id))


# --- retention


def prune(gateway: Gateway) -> int:
    """Delete backups beyond the policy's number or age. Returns the number deleted.

    The newest stored backup stays, however old it is.
    """
    policy = policies_of([gateway])[gateway.pk]
    rows = list(
        gateway.backups.exclude(state=State.WAITING)
        .only("pk", "created", "state", "configuration_id")
        .order_by("-created")[:PRUNED_AT_ONCE]
    )
    stored = [one for one in rows if one.state == State.STORED]
    before = timezone.now() - timedelta(days=policy.days)
    old = [one for one in rows if policy.days and one.created < before]
    gone = {one.pk: one for one in [*stored[policy.keep :], *old]}
    if stored:
        gone.pop(stored[0].pk, None)
    return forget(gone.values())


def prune_all() -> int:
    """Prune the backups of every gateway. Returns the number deleted."""
    found: list[int] = []
    rows = Gateway.objects.filter(backups__isnull=False).distinct()
    for_each(rows, lambda one: found.append(prune(one)), name="gateways.backup_pruning")
    return sum(found)
