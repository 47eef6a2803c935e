"""Drift: check whether devices still have the applied configuration, and repair."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.archive import File, unpacked
from controller.base.errors import Conflict, Refused
from controller.base.events import Event, publish_on_commit
from controller.base.outbound.transactions import blocking
from controller.configs.drivers.contract import Archive, Outcome
from controller.configs.drivers.runner import PushOrder, PushResult, verify_many
from controller.configs.models import Config, Push, Snapshot
from controller.configs.rules.push_queue import enqueue
from controller.configs.rules.push_results import save_progress
from controller.configs.rules.rendering import inputs_of, with_inputs
from controller.connections.models import DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Device, Presence

BATCH = 500
DEADLINE_SECONDS = 60.0
NO_WAY = (
    "The device cannot be asked: it needs a configuration it has acknowledged, a management "
    "address and an enabled connection."
)


def due() -> QuerySet[Config]:
    """Return configurations due for a check on devices that are online."""
    limit = timezone.now() - timedelta(seconds=settings.DRIFT_SECONDS)
    rows: QuerySet[Config] = askable().filter(
        Q(drift_checked=None) | Q(drift_checked__lt=limit),
        device__presence__state=Presence.State.ONLINE,
    )
    return rows.order_by(F("drift_checked").asc(nulls_first=True))


def askable() -> Any:
    return Config.objects.filter(
        Exists(
            DeviceConnection.objects.by_ssh().filter(
                device=OuterRef("device"), device__management_ip__isnull=False
            )
        ),
        applied__isnull=False,
        is_retired=False,
    ).exclude(Exists(Push.objects.filter(config=OuterRef("pk"), state__in=Push.OPEN)))


def check_due() -> int:
    """Check devices that are due. Returns the number of devices checked."""
    return check(list(due().values_list("pk", flat=True)[:BATCH]))


def request_check(config: Config) -> Config:
    """Check one device now; raise Conflict if it cannot be checked."""
    if not askable().filter(pk=config.pk).exists():
        raise Conflict(NO_WAY)
    check([config.pk])
    config.refresh_from_db()
    return config


def check(config_ids: Sequence[UUID]) -> int:
    """Read the files of these devices and record drift. Returns the number queried."""
    rows = {
        row.pk: row
        for row in Config.objects.filter(pk__in=config_ids, applied__isnull=False)
        .select_related("applied")
        .defer("applied__made_of")
    }
    ways = usable_connections(row.device_id for row in rows.values())
    orders = []
    outcomes: dict[UUID, Outcome] = {}
    for row in rows.values():
        connection = ways.get(row.device_id)
        try:
            if connection is not None and row.applied is not None:
                orders.append(_order(row, row.applied, connection))
        except Refused as refusal:
            outcomes[row.pk] = Outcome("unreachable", str(refusal))
    results = blocking(_ask)(orders)
    record_attempts(
        {
            ways[rows[pk].device_id].pk: (
                result.outcome.reason if result.host_key is None else "",
                result.host_key.line if result.host_key else "",
            )
            for pk, result in results.items()
        }
    )
    outcomes |= {pk: result.outcome for pk, result in results.items()}
    _note({pk: (rows[pk].applied_id, outcome) for pk, outcome in outcomes.items()})
    return len(orders)


def _order(config: Config, applied: Snapshot, connection: DeviceConnection) -> PushOrder:
    target = ssh_target(connection)
    return PushOrder(
        id=str(config.pk),
        strategy=connection.update_strategy,
        address=target.address,
        login=target.login,
        archive=Archive(bytes(applied.archive), applied.checksum),
        host_key=target.host_key,
    )


async def _ask(orders: Sequence[PushOrder]) -> dict[UUID, PushResult]:
    found: dict[UUID, PushResult] = {}

    async def keep(result: PushResult) -> None:
        found[UUID(result.id)] = result

    await verify_many(orders, on_done=keep, deadline=DEADLINE_SECONDS)
    return found


@transaction.atomic
def _note(outcomes: Mapping[UUID, tuple[int | None, Outcome]]) -> None:
    now = timezone.now()
    rows = list(
        Config.objects.select_for_update(of=("self",)).filter(pk__in=outcomes).order_by("pk")
    )
    for row in rows:
        asked_of, outcome = outcomes[row.pk]
        row.drift_checked = now
        told = outcome.state == "applied" or outcome.holds_other
        if not told or row.applied_id != asked_of:
            # No answer, or another configuration was applied meanwhile.
            continue
        row.drift, row.drift_reason = list(outcome.drift), outcome.reason
        has_drifted = bool(outcome.drift or outcome.holds_other)
        row.drifted_at = (row.drifted_at or now) if has_drifted else None
    _tell(row for row in rows if row.drifted_at == now)
    Config.objects.bulk_update(
        rows, ["drift_checked", "drift", "drift_reason", "drifted_at"], batch_size=200
    )


def _tell(found: Iterable[Config]) -> None:
    """Publish events for devices whose drift was just detected."""
    drifted = {row.pk: row for row in found}

    def events() -> Iterator[Event]:
        columns = ("config", "pk", "name", "organization", "site")
        for config, device, name, owner, site in Device.objects.filter(
            config__in=drifted
        ).values_list(*columns):
            data = {"name": name, "files": drifted[config].drift}
            yield Event("config.drift", "config:read", owner, device, data, site)

    if drifted:
        publish_on_commit(events)


@transaction.atomic
def repair(config: Config) -> int:
    """Push the desired configuration again to a drifted device.

    Returns the number of pushes queued. Raises Conflict if no drift is known.
    """
    row: Config = Config.objects.select_for_update(of=("self",)).get(pk=config.pk)
    if row.drifted_at is None:
        raise Conflict(gettext("No drift of this device is known. Have it checked first."))
    row.applied_id = None
    reset(row)
    save_progress([row])
    return enqueue([row.pk])


def reset(config: Config) -> None:
    """Reset the drift result; it referred to the previous configuration."""
    config.drift, config.drift_reason, config.drifted_at = [], "", None


@dataclass(frozen=True)
class Pending:
    """Difference of one file between desired and applied configuration."""

    path: str
    state: str
    """same, changed, added or removed; drifted, where the device holds something else."""


def pending(config: Config) -> list[Pending]:
    """Compare the desired with the applied configuration, file by file."""
    known = Snapshot.objects.defer("made_of").in_bulk(
        [pk for pk in (config.applied_id, config.desired_id) if pk]
    )
    applied, desired = (
        _by_path(known.get(pk or 0)) for pk in (config.applied_id, config.desired_id)
    )
    return [
        Pending(f"/{path}", _state(path, applied, desired, config.drift))
        for path in sorted({*applied, *desired, *config.drift})
    ]


def undefined(config: Config) -> list[str]:
    """Return undefined variables of the configuration, which would be pushed as text."""
    return inputs_of(with_inputs().get(pk=config.pk)).undefined()


def _by_path(snapshot: Snapshot | None) -> dict[str, File]:
    files = unpacked(bytes(snapshot.archive)) if snapshot else []
    return {file.path: file for file in files}


def _state(
    path: str, applied: Mapping[str, File], desired: Mapping[str, File], drift: Sequence[str]
) -> str:
    if path in drift:
        return "drifted"
    if path not in applied:
        return "added"
    if path not in desired:
        return "removed"
    return "same" if applied[path] == desired[path] else "changed"
