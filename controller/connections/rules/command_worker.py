"""Run commands on devices: leased, many at a time, with their output as it comes."""

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from controller.base.errors import Refused
from controller.base.events import publish_on_commit
from controller.base.leases import FREE, LeaseHolder, assign
from controller.base.outbound.transactions import blocking
from controller.celery import enqueue_on_commit
from controller.connections.drivers.commands import CommandRequest, CommandResult, run
from controller.connections.drivers.ssh import handshake_limit
from controller.connections.engine.commands import KINDS
from controller.connections.models import COMMANDS, Command, Credentials, DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.connections.rules.commands import RUN, progress
from controller.connections.rules.ssh_access import NO_ADDRESS, ssh_target

WRITE_SECONDS = 0.4
# After so long no further command is begun by the same task.
TURN_SECONDS = 30.0
AT_ONCE = 200
MOST_LOST = 500
SECONDS_ALLOWED = 60.0
OUTPUT_LENGTH = 64 * 1024
NOT_SENT = "It was cancelled or taken over before it was sent."
LOST = "The worker died while it ran, so it may have been done."

log = logging.getLogger(__name__)


def run_due() -> int:
    """Run the commands that wait, and those that come within a turn. Returns their number."""
    settle_lost()
    begun = blocking(_run_due)()
    if COMMANDS.due().exists():
        enqueue_on_commit(RUN)
    return begun


@transaction.atomic
def settle_lost() -> int:
    """Close the sent commands of lost workers, which may have been done; the others wait again.

    Returns the number of closed commands.
    """
    COMMANDS.put_back()
    holder = LeaseHolder(COMMANDS)
    rows = holder.adopt(MOST_LOST)
    for row in rows:
        finish(row, CommandResult("unknown", LOST), row.output)
        holder.end(row, status=row.status, output=row.output, ended=row.ended, input=row.input)
    return len(rows)


async def _run_due() -> int:
    shift = CommandRunner()
    end = time.monotonic() + TURN_SECONDS
    while True:
        may_begin = time.monotonic() < end
        commands = await sync_to_async(shift.holder.lease)(AT_ONCE) if may_begin else []
        await sync_to_async(shift.add)(commands)
        shift.start()
        if not shift.running:
            await sync_to_async(shift.write)()
            return shift.total
        await asyncio.wait(shift.running.values(), timeout=WRITE_SECONDS)
        for pk in await sync_to_async(shift.to_cancel)():
            shift.running[pk].cancel()
        shift.collect()
        await sync_to_async(shift.write)()
        await sync_to_async(shift.holder.renew_if_due)()


class CommandRunner:
    """Commands leased by this worker."""

    def __init__(self) -> None:
        self.total = 0
        self.holder = LeaseHolder(COMMANDS)
        self.gate = handshake_limit()
        self.rows: dict[UUID, Command] = {}
        self.connections: dict[UUID, DeviceConnection] = {}
        self.orders: dict[UUID, CommandRequest] = {}
        self.running: dict[UUID, asyncio.Task[CommandResult]] = {}
        self.said: dict[UUID, bytearray] = {}
        self.endings: dict[UUID, CommandResult] = {}
        self.attempts: dict[UUID, tuple[str, str]] = {}

    def add(self, commands: Sequence[Command]) -> None:
        self.total += len(commands)
        asked = {row.connection_id for row in commands if row.connection_id}
        named = (
            DeviceConnection.objects.select_related("credentials", "device")
            .filter(enabled=True, credentials__connector=Credentials.Connector.SSH)
            .in_bulk(asked)
        )
        usual = usable_connections(row.device_id for row in commands)
        for row in commands:
            self.rows[row.pk] = row
            connection = named.get(row.connection_id) or usual.get(row.device_id)
            if connection is None:
                self.endings[row.pk] = CommandResult("failed", NO_ADDRESS)
                continue
            try:
                self.orders[row.pk] = order_for(row, connection)
            except Refused as refusal:
                self.endings[row.pk] = CommandResult("failed", str(refusal))
                continue
            self.connections[row.pk] = connection

    def start(self) -> None:
        for pk, order in self.orders.items():
            said = self.said.setdefault(pk, bytearray())
            self.running[pk] = asyncio.ensure_future(
                run(
                    order, gate=self.gate, on_output=said.extend,
                    before_send=partial(sync_to_async(self.mark_sent), pk),
                )
            )  # fmt: skip
        self.orders.clear()

    @transaction.atomic
    def mark_sent(self, pk: UUID) -> None:
        if not self.holder.mark_sent(pk):
            raise Refused(NOT_SENT)
        Command.objects.filter(pk=pk).update(started=timezone.now())

    def to_cancel(self) -> list[UUID]:
        return list(
            Command.objects.filter(pk__in=list(self.running), is_cancelled=True).values_list(
                "pk", flat=True
            )
        )

    def collect(self) -> None:
        for pk, task in list(self.running.items()):
            if task.cancelled():
                reason = "Cancelled while it ran, so a part of it may have been done."
                self.endings[pk] = CommandResult("cancelled", reason)
            elif task.done():
                self.endings[pk] = task.result()
            else:
                continue
            del self.running[pk]

    def write(self) -> None:
        """Store what was said and how commands ended since the last call."""
        changed = []
        self.drop_lost()
        for pk, row in list(self.rows.items()):
            ending = self.endings.pop(pk, None)
            output = self.said.get(pk, b"")[:OUTPUT_LENGTH].decode("utf-8", "replace")
            output = output.replace("\x00", "")
            if ending is not None:
                self.pin(row, ending)
                finish(row, ending, output)
                del self.rows[pk]
                self.said.pop(pk, None)
            elif output == row.output:
                continue
            else:
                row.output = output
            changed.append(row)
        Command.objects.bulk_update(
            changed, ["output", "status", "exit_status", "ended", "input", "lease_holder",
                      "leased_until"],
        )  # fmt: skip
        publish_on_commit(lambda: [progress(row) for row in changed])
        record_attempts(self.attempts)
        self.attempts = {}

    def drop_lost(self) -> None:
        """Leave commands alone that were cancelled or taken over before they were sent."""
        held = self.holder.held(self.rows)
        for pk in self.rows.keys() - held:
            for kept in (self.rows, self.said, self.endings, self.connections):
                kept.pop(pk, None)

    def pin(self, row: Command, ending: CommandResult) -> None:
        """Remember that the connection works, and the key that the device showed."""
        connection = self.connections.pop(row.pk, None)
        if connection is not None and ending.host_key is not None:
            self.attempts[connection.pk] = ("", ending.host_key.line)


def finish(row: Command, ending: CommandResult, output: str) -> None:
    row.status, row.exit_status = ending.state, ending.exit_status
    row.output = "\n".join(part for part in (output.rstrip("\n"), ending.reason) if part)
    row.ended = timezone.now()
    assign(row, FREE)
    if KINDS[row.type].secret:
        row.input = None


def order_for(row: Command, connection: DeviceConnection) -> CommandRequest:
    kind, target = KINDS[row.type], ssh_target(connection)
    return CommandRequest(
        address=target.address,
        login=target.login,
        host_key=target.host_key,
        line=kind.line(row.input),
        stdin=kind.stdin(row.input),
        seconds=SECONDS_ALLOWED,
        ends_connection=kind.ends_connection,
    )
