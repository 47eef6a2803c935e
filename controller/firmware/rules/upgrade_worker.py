"""Execution of leased upgrades: many concurrently, each phase written as it begins."""

import asyncio
import logging
import time
from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.conf import settings

from controller.base.errors import Refused
from controller.base.leases import LeaseHolder
from controller.base.outbound.transactions import blocking
from controller.celery import enqueue_on_commit
from controller.configs.drivers.runner import Connector
from controller.connections.drivers.contract import Shell
from controller.connections.drivers.ssh import handshake_limit
from controller.connections.models import DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.firmware.drivers.contract import Attempt, End, UpgradeOrder
from controller.firmware.drivers.debian import update
from controller.firmware.drivers.openwrt import finish, read_system, upgrade
from controller.firmware.engine.judging import Before, Judgment, Verdict, Wanted, judge
from controller.firmware.engine.options import parse
from controller.firmware.engine.reports import SystemReport
from controller.firmware.models import UPGRADES, Upgrade
from controller.firmware.rules import package_upgrades
from controller.firmware.rules.downloads import download_url, lane_of
from controller.firmware.rules.image_storage import local_file
from controller.firmware.rules.package_upgrades import PackageRowHooks
from controller.firmware.rules.policies import policy_of
from controller.firmware.rules.system_facts import connector
from controller.firmware.rules.upgrade_hooks import RowHooks, closed_until
from controller.firmware.rules.upgrade_queue import AT_ONCE, is_work_due, lease_due
from controller.firmware.rules.upgrade_results import (
    postpone,
    record_attempt,
    record_judgment,
    record_silence,
    retry_later,
)
from controller.firmware.rules.upgrades import CLOSED, DEACTIVATED, RUN

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
# After this time the task starts no further upgrades.
TURN_SECONDS = 30.0
LOOK_SECONDS = 60.0
NO_WAY = "There is no enabled connection with an address."


def run_upgrades() -> int:
    """Carry out due upgrades, and those becoming due within one turn.

    Returns the number of upgrades taken. Further turns are separate tasks, so that a worker
    can be stopped.
    """
    taken = blocking(_run)()
    if is_work_due():
        enqueue_on_commit(RUN)
    return taken


async def _run() -> int:
    turn = Turn()
    running: set[asyncio.Task[None]] = set()
    end, taken = time.monotonic() + TURN_SECONDS, 0
    while True:
        free = AT_ONCE - len(running) if time.monotonic() < end else 0
        rows = await sync_to_async(lease_due)(turn.holder, most=free) if free > 0 else []
        taken += len(rows)
        ways = await sync_to_async(usable_connections)([row.device_id for row in rows])
        running |= {
            asyncio.create_task(turn.serve(row, ways.get(row.device_id))) for row in rows
        }
        if not running:
            return taken
        _, running = await asyncio.wait(running, timeout=TICK_SECONDS)
        await sync_to_async(turn.holder.renew_if_due)()


Connect = Callable[[DeviceConnection, asyncio.Semaphore], Connector]


class Turn:
    """Upgrades of one worker."""

    def __init__(self, connect: Connect = connector) -> None:
        self.connect = connect
        self.holder = LeaseHolder(UPGRADES)
        self.gate = handshake_limit()

    async def serve(self, row: Upgrade, connection: DeviceConnection | None) -> None:
        """Carry out an upgrade, or ask for its outcome; never raises."""
        try:
            if row.sent is None:
                await self.attempt(row, connection)
            else:
                await self.look(row, connection)
        except Exception:
            # The lease runs out, and the row is leased again or asked about.
            log.exception("The upgrade %s broke", row.pk)

    # --- before the flash

    async def attempt(self, row: Upgrade, connection: DeviceConnection | None) -> None:
        if (opening := closed_until(row)) is not None:
            await sync_to_async(postpone)(self.holder, row, opening, CLOSED)
            return
        if row.image is None and not row.packages:
            gone = Attempt(End.ABORTED, "The image was deleted.")
            await sync_to_async(record_attempt)(self.holder, row, gone)
            return
        if row.device.is_deactivated:
            gone = Attempt(End.ABORTED, DEACTIVATED)
            await sync_to_async(record_attempt)(self.holder, row, gone)
            return
        if connection is None:
            await sync_to_async(retry_later)(self.holder, row, NO_WAY)
            return
        connect = self.connect(connection, self.gate)
        attempt = await self.carry_out(row, connect)
        await sync_to_async(self.note)(connection, connect, attempt)
        await sync_to_async(record_attempt)(self.holder, row, attempt)

    async def carry_out(self, row: Upgrade, connect: Connector) -> Attempt:
        if row.packages:
            hooks = PackageRowHooks(self.holder, row)
            return await update(package_upgrades.order_for(row), connect, hooks)
        order = await sync_to_async(order_for)(row)
        return await upgrade(order, connect, RowHooks(self.holder, row))

    # --- after the flash

    async def look(self, row: Upgrade, connection: DeviceConnection | None) -> None:
        """Query the device's firmware."""
        if connection is None:
            await sync_to_async(record_silence)(self.holder, row, NO_WAY)
            return
        connect = self.connect(connection, self.gate)
        try:
            async with asyncio.timeout(LOOK_SECONDS), connect() as shell:
                ask = package_upgrades.ask if row.packages else ask_system
                report, judgment = await ask(shell, row)
        except TimeoutError:
            await sync_to_async(record_silence)(
                self.holder, row, f"The device did not answer within {LOOK_SECONDS:g} s."
            )
        except Refused as error:
            await sync_to_async(record_silence)(self.holder, row, str(error))
        else:
            await sync_to_async(self.note)(connection, connect, Attempt(End.ORDERED))
            await sync_to_async(record_judgment)(self.holder, row, report, judgment)

    def note(self, connection: DeviceConnection, connect: Connector, attempt: Attempt) -> None:
        """Record whether the connection works, and pin the host key it showed first."""
        reason = attempt.reason if attempt.end == End.RETRY else ""
        key = connect.host_key.line if connect.host_key else ""
        record_attempts({connection.pk: (reason, key)})


async def ask_system(shell: Shell, row: Upgrade) -> tuple[SystemReport, Judgment]:
    """Query a device's firmware, and mark the image that it proved to run."""
    report = await read_system(shell)
    judgment = judge(
        before_of(row), Wanted(row.version, row.revision), report, since_flash=row.since_flash
    )
    if judgment.verdict == Verdict.CONFIRMED:
        await finish(shell, sha256=row.sha256)
    return report, judgment


def order_for(row: Upgrade) -> UpgradeOrder:
    if row.image is None:
        raise ValueError("An upgrade without image cannot be ordered.")
    policy = policy_of(row.device.organization_id)
    return UpgradeOrder(
        id=row.pk.hex,
        device_id=row.device_id.hex,
        path=local_file(row.image),
        size=row.size,
        sha256=row.sha256,
        image=row.image.facts,
        version=row.version,
        revision=row.revision,
        options=parse(row.options),
        signatures=policy.signatures,
        backup=policy.backup,
        download_url=download_url(),
        lane=lane_of(row),
        rate=settings.MUSTER_FIRMWARE_SITE_RATE,
    )


def before_of(row: Upgrade) -> Before:
    return Before(
        row.boot_id, row.old_revision, row.old_version, row.pk.hex if row.is_marked else ""
    )
