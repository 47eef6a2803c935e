"""Execution of leased pushes: many concurrently, results written as they arrive."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.leases import LeaseHolder
from controller.base.outbound.transactions import blocking
from controller.celery import enqueue_on_commit
from controller.configs.drivers.contract import Archive, Outcome
from controller.configs.drivers.runner import PushOrder, PushResult, push_many, verify_many
from controller.configs.models import PUSHES, Push, Snapshot
from controller.configs.rules.push_queue import DELIVER, is_work_due, lease_due
from controller.configs.rules.push_results import record_outcomes
from controller.connections.drivers.ssh import handshake_limit
from controller.connections.models import DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Presence
from controller.devices.rules import Observation, record_observations

WRITE_SECONDS = 0.3
# After this time the task starts no further pushes.
TURN_SECONDS = 30.0
NO_WAY = "There is no enabled connection with an address any more."


def deliver() -> int:
    """Execute due pushes, and those becoming due within one time slice.

    Returns the number of pushes started. Further time slices are separate tasks, so that a
    worker can
    be stopped.
    """
    begun = blocking(_deliver)()
    if is_work_due():
        enqueue_on_commit(DELIVER)
    return begun


async def _deliver() -> int:
    batch = PushBatch()
    running: set[asyncio.Future[None]] = set()
    end = time.monotonic() + TURN_SECONDS
    while True:
        may_begin = time.monotonic() < end
        pushes = await sync_to_async(lease_due)(batch.holder) if may_begin else []
        if pushes:
            await sync_to_async(batch.add)(pushes)
            running |= {asyncio.ensure_future(work) for work in batch.start()}
        if not running:
            await sync_to_async(batch.flush)()
            return batch.total
        # A slow device must not delay those queued after it.
        _, running = await asyncio.wait(running, timeout=WRITE_SECONDS)
        await sync_to_async(batch.flush)()
        await sync_to_async(batch.holder.renew_if_due)()


class PushBatch:
    """Pushes in progress, and results not yet written."""

    def __init__(self) -> None:
        self.total = 0
        self.holder = LeaseHolder(PUSHES)
        self.gate = handshake_limit()
        self.connections: dict[int, DeviceConnection] = {}
        self.to_push: list[PushOrder] = []
        self.to_verify: list[PushOrder] = []
        self.done: list[PushResult] = []
        self.outcomes: dict[int, Outcome] = {}

    def add(self, pushes: Sequence[Push]) -> None:
        self.total += len(pushes)
        by_device = usable_connections(push.config.device_id for push in pushes)
        snapshots = Snapshot.objects.defer("made_of").in_bulk(
            {push.snapshot_id for push in pushes}
        )
        for push in pushes:
            connection = by_device.get(push.config.device_id)
            snapshot = snapshots.get(push.snapshot_id or 0)
            if connection is None or snapshot is None:
                self.outcomes[push.pk] = Outcome("unreachable", NO_WAY)
                continue
            self.connections[push.pk] = connection
            try:
                order = order_for(push, connection, snapshot)
            except Refused as error:
                self.outcomes[push.pk] = Outcome("failed", str(error))
                continue
            (self.to_verify if push.sent else self.to_push).append(order)

    def start(self) -> list[Coroutine[Any, Any, None]]:
        """Return coroutines for all orders added since the last call."""
        to_push, to_verify = self.to_push, self.to_verify
        self.to_push, self.to_verify = [], []
        return [
            push_many(to_push, on_done=self.on_result, on_send=self.may_send, gate=self.gate),
            verify_many(to_verify, on_done=self.on_result, gate=self.gate),
        ]

    async def may_send(self, push_id: str) -> bool:
        return bool(await sync_to_async(self.holder.mark_sent)(int(push_id)))

    async def on_result(self, result: PushResult) -> None:
        self.done.append(result)

    def flush(self) -> None:
        """Write the results received since the last call."""
        results, self.done = self.done, []
        outcomes, self.outcomes = self.outcomes, {}
        attempts, there = {}, []
        for result in results:
            push = int(result.id)
            connection = self.connections.pop(push)
            outcomes[push] = result.outcome
            reached = result.outcome.state != "unreachable" and result.host_key is not None
            if reached:
                there.append(Observation(connection.device_id, Presence.State.ONLINE))
            attempts[connection.pk] = (
                "" if reached else result.outcome.reason,
                result.host_key.line if result.host_key else "",
            )
        if outcomes:
            record_attempts(attempts)
            record_observations(there)
            record_outcomes(self.holder, outcomes)


def order_for(push: Push, connection: DeviceConnection, snapshot: Snapshot) -> PushOrder:
    if connection.update_strategy == DeviceConnection.Strategy.OPENWISP_1:
        raise Refused(
            gettext(
                "OpenWISP Firmware 1.x takes no configuration from this portal: choose another "
                "update strategy for the connection."
            )
        )
    target = ssh_target(connection)
    return PushOrder(
        id=str(push.pk),
        strategy=connection.update_strategy,
        address=target.address,
        login=target.login,
        archive=Archive(bytes(snapshot.archive), snapshot.checksum),
        host_key=target.host_key,
        window=settings.CONFIRM_SECONDS,
    )
