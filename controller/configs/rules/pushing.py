"""Carrying out leased pushes: many devices at once, results written as they come."""

import asyncio
import time
from collections.abc import Sequence

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings

from controller.base.errors import Refused
from controller.configs.drivers.batch import PushOrder, PushResult, push_many, verify_many
from controller.configs.drivers.contract import Archive, Outcome
from controller.configs.models import Push, Snapshot
from controller.configs.rules.delivery import renew, take
from controller.configs.rules.settling import settle
from controller.connections.drivers.contract import Address, HostKey
from controller.connections.models import DeviceConnection
from controller.connections.rules import login, note_attempts, usable_connections

WRITE_SECONDS = 0.3
RENEW_SECONDS = 5.0


def deliver() -> int:
    """Carry out all pushes that are due; how many those were."""
    total = 0
    while pushes := take():
        async_to_sync(_carry_out)(pushes)
        total += len(pushes)
    return total


async def _carry_out(pushes: Sequence[Push]) -> None:
    batch = await sync_to_async(Batch)(pushes)
    work = asyncio.gather(
        push_many(batch.to_push, on_done=batch.keep),
        verify_many(batch.to_verify, on_done=batch.keep),
    )
    renewed = time.monotonic()
    while not work.done():
        await asyncio.wait({work}, timeout=WRITE_SECONDS)
        await sync_to_async(batch.write)()
        if time.monotonic() - renewed > RENEW_SECONDS:
            renewed = time.monotonic()
            await sync_to_async(renew)(list(batch.pending))
    await work
    await sync_to_async(batch.write)()


class Batch:
    """The orders of a batch of pushes, and the results that are not written yet."""

    def __init__(self, pushes: Sequence[Push]) -> None:
        self.pending = {push.pk for push in pushes}
        self.connections: dict[int, DeviceConnection] = {}
        self.to_push: list[PushOrder] = []
        self.to_verify: list[PushOrder] = []
        self.done: list[PushResult] = []
        self.outcomes: dict[int, Outcome] = {}
        by_device = usable_connections(push.config.device_id for push in pushes)
        snapshots = Snapshot.objects.in_bulk({push.snapshot_id for push in pushes})
        for push in pushes:
            connection = by_device.get(push.config.device_id)
            snapshot = snapshots.get(push.snapshot_id or 0)
            if connection is None or snapshot is None:
                self.outcomes[push.pk] = Outcome(
                    "unreachable", "There is no enabled connection with an address any more."
                )
                continue
            self.connections[push.pk] = connection
            try:
                order = order_for(push, connection, snapshot)
            except Refused as error:
                self.outcomes[push.pk] = Outcome("failed", str(error))
                continue
            (self.to_verify if push.must_verify else self.to_push).append(order)

    async def keep(self, result: PushResult) -> None:
        self.done.append(result)

    def write(self) -> None:
        """Settle what has come in since the last call."""
        results, self.done = self.done, []
        outcomes, self.outcomes = self.outcomes, {}
        attempts = {}
        for result in results:
            push = int(result.id)
            outcomes[push] = result.outcome
            reached = result.outcome.state != "unreachable" and result.host_key is not None
            attempts[self.connections[push].pk] = (
                "" if reached else result.outcome.reason,
                result.host_key.line if result.host_key else "",
            )
        if outcomes:
            note_attempts(attempts)
            settle(outcomes)
            self.pending -= outcomes.keys()


def order_for(push: Push, connection: DeviceConnection, snapshot: Snapshot) -> PushOrder:
    return PushOrder(
        id=str(push.pk),
        strategy=connection.update_strategy,
        address=Address(str(connection.device.management_ip), connection.ssh_port),
        login=login(connection.credentials),
        archive=Archive(bytes(snapshot.archive), snapshot.checksum),
        host_key=HostKey.parse(connection.host_key) if connection.host_key else None,
        window=settings.CONFIRM_SECONDS,
    )
