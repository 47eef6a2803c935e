"""Commands: queue, run concurrently, cancel, and record their results."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import Event, event_for, publish, publish_on_commit
from controller.celery import enqueue_on_commit
from controller.connections.drivers.commands import CommandRequest, CommandResult, run
from controller.connections.drivers.contract import Address, HostKey
from controller.connections.drivers.ssh import handshake_limit
from controller.connections.engine.commands import KINDS, problems
from controller.connections.models import Command, CommandBatch, DeviceConnection
from controller.connections.rules import record_attempts, ssh_login, usable_connections
from controller.devices.models import Device, OrganizationSettings

RUN = "controller.connections.tasks.run_commands"
LEASE = timedelta(seconds=30)
WRITE_SECONDS = 0.4
RENEW_SECONDS = 10.0
AT_ONCE = 200
SECONDS_ALLOWED = 60.0
OUTPUT_LENGTH = 64 * 1024
LOST = "The worker died while it ran, so it may have been done."


def send(
    device: Device,
    *,
    type: str,  # noqa: A002 - the field's name, in the API too
    input: Mapping[str, Any] | None = None,  # noqa: A002
    connection: DeviceConnection | None = None,
    batch: CommandBatch | None = None,
) -> Command:
    """Queue a command on a device, for this connection or a working one.

    Raises NotPermitted if the device is deactivated, Refused if it has no connection.
    """
    check(type, input, device.organization_id)
    if device.is_deactivated:
        raise NotPermitted("You do not have permission to perform this action.")
    if connection is not None and connection.device_id != device.pk:
        raise Refused({"connection": ["This connection is of another device."]})
    if not DeviceConnection.objects.filter(device=device, enabled=True).exists():
        raise Refused({"device": ["Device has no credentials assigned."]})
    command = build_command(type, input, device=device, connection=connection, batch=batch)
    command.save()
    record_audit("run_command", device, after={"type": type, "input": command.shown_input})
    publish(progress(command))
    enqueue_on_commit(RUN)
    return command


def build_command(kind: str, given: Any, **values: Any) -> Command:
    return Command(type=kind, input=given, **values)


def kinds_for(organization_id: UUID) -> list[str]:
    """Return the kinds of commands allowed in this organization."""
    row = OrganizationSettings.objects.filter(organization=organization_id).first()
    allowed = row.command_types if row else []
    return [kind for kind in KINDS if not allowed or kind in allowed]


def check(kind: str, given: Any, organization_id: UUID) -> None:
    if kind not in kinds_for(organization_id):
        raise Refused({"type": [f'"{kind}" is not a valid choice.']})
    if wrong := problems(kind, given):
        raise Refused({"input": wrong})


def partition_targets(user: User, devices: Any) -> tuple[list[Device], dict[str, list[str]]]:
    """Split devices into those the user can send a command to, and the others.

    The others are returned as names by reason.
    """
    ways = DeviceConnection.objects.filter(device=OuterRef("pk"), enabled=True)
    rows: Any = (
        Device.objects.filter(pk__in=devices.values("pk"))
        .annotate(has_way=Exists(ways))
        .select_related("organization")
        .defer("key", "notes")
        .order_by("name")
    )
    found, left = [], defaultdict(list)
    for row in rows:
        if not user.has_perm_on("command:create", row):
            left["You may not run commands on it."].append(row.name)
        elif row.is_deactivated:
            left["It is out of service."].append(row.name)
        elif not row.has_way:
            left["It has no enabled connection."].append(row.name)
        else:
            found.append(row)
    return found, left


@transaction.atomic
def send_to_many(
    devices: Iterable[Device],
    *,
    organization: Organization,
    type: str,  # noqa: A002
    input: Mapping[str, Any] | None = None,  # noqa: A002
    label: str = "",
) -> CommandBatch:
    """Queue one command for many devices of one organization."""
    check(type, input, organization.pk)
    chosen = list(devices)
    if any(device.organization_id != organization.pk for device in chosen):
        raise Refused({"devices": ["All devices must be of the batch's organization."]})
    reachable = set(
        DeviceConnection.objects.filter(
            device__in=chosen, enabled=True, device__is_deactivated=False
        ).values_list("device", flat=True)
    )
    if not reachable:
        raise Refused({"devices": ["None of these devices has credentials assigned."]})
    batch = CommandBatch.objects.create(organization=organization, type=type, label=label)
    Command.objects.bulk_create(
        (
            build_command(type, input, device=device, batch=batch)
            for device in chosen
            if device.pk in reachable
        ),
        batch_size=500,
    )
    given = build_command(type, input).shown_input
    record_audit(
        "run_command", batch, after={"type": type, "input": given, "devices": len(reachable)}
    )
    enqueue_on_commit(RUN)
    return batch


@transaction.atomic
def cancel(command: Command) -> Command:
    """Cancel a command. A queued command is not run; a running one may have completed.

    Raises Conflict if it has already ended.
    """
    row: Command = Command.objects.select_for_update(of=("self",)).get(pk=command.pk)
    if row.status != Command.Status.IN_PROGRESS:
        raise Conflict(f"The command has ended already: {row.status}.")
    row.is_cancelled = True
    if row.started is None:
        row.status, row.ended = Command.Status.CANCELLED, timezone.now()
        row.output = "Cancelled before it was sent; nothing was done."
    row.save()
    record_audit("cancel_command", row.device, after={"type": row.type})
    publish(progress(row))
    return row


def run_due() -> int:
    """Run all queued commands, including those that arrive meanwhile. Returns the number."""
    mark_lost_unknown()
    return async_to_sync(_run_due)()


def mark_lost_unknown() -> int:
    """Mark commands of dead workers as unknown; they are never repeated."""
    return Command.objects.filter(
        status=Command.Status.IN_PROGRESS, leased_until__lt=timezone.now()
    ).update(
        status=Command.Status.UNKNOWN, output=LOST, ended=timezone.now(), leased_until=None
    )


@transaction.atomic
def lease_due() -> list[Command]:
    now = timezone.now()
    rows = list(
        Command.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(status=Command.Status.IN_PROGRESS, started=None)
        .order_by("created")[:AT_ONCE]
    )
    for row in rows:
        row.started, row.leased_until = now, now + LEASE
    Command.objects.bulk_update(rows, ["started", "leased_until"])
    return rows


async def _run_due() -> int:
    shift = CommandRunner()
    renewed = time.monotonic()
    while True:
        commands = await sync_to_async(lease_due)()
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
        if time.monotonic() - renewed > RENEW_SECONDS:
            renewed = time.monotonic()
            await sync_to_async(shift.renew)()


class CommandRunner:
    """Commands leased by this worker."""

    def __init__(self) -> None:
        self.total = 0
        self.gate = handshake_limit()
        self.rows: dict[UUID, Command] = {}
        self.connections: dict[UUID, DeviceConnection] = {}
        self.orders: dict[UUID, CommandRequest] = {}
        self.running: dict[UUID, asyncio.Task[CommandResult]] = {}
        self.said: dict[UUID, bytearray] = {}
        self.endings: dict[UUID, CommandResult] = {}

    def add(self, commands: Sequence[Command]) -> None:
        self.total += len(commands)
        asked = {row.connection_id for row in commands if row.connection_id}
        named = DeviceConnection.objects.select_related("credentials", "device").in_bulk(asked)
        usual = usable_connections(row.device_id for row in commands)
        for row in commands:
            self.rows[row.pk] = row
            connection = named.get(row.connection_id) or usual.get(row.device_id)
            if connection is None or not connection.device.management_ip:
                self.endings[row.pk] = CommandResult(
                    "failed", "The device has no address to reach."
                )
                continue
            self.connections[row.pk] = connection
            self.orders[row.pk] = order_for(row, connection)

    def start(self) -> None:
        for pk, order in self.orders.items():
            said = self.said.setdefault(pk, bytearray())
            self.running[pk] = asyncio.ensure_future(
                run(order, gate=self.gate, on_output=said.extend)
            )
        self.orders.clear()

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
        """Store output and results received since the last call."""
        changed = []
        for pk, row in list(self.rows.items()):
            ending = self.endings.pop(pk, None)
            output = self.said.get(pk, b"")[:OUTPUT_LENGTH].decode("utf-8", "replace")
            output = output.replace("\x00", "")
            if ending is not None:
                finish(row, ending, output)
                del self.rows[pk]
                self.said.pop(pk, None)
            elif output == row.output:
                continue
            else:
                row.output = output
            changed.append(row)
        Command.objects.bulk_update(
            changed, ["output", "status", "exit_status", "ended", "input", "connection",
                      "leased_until"],
        )  # fmt: skip
        publish_on_commit(lambda: [progress(row) for row in changed])
        self.note(changed)

    def note(self, ended: Iterable[Command]) -> None:
        attempts = {}
        for row in ended:
            if row.ended is not None and (connection := self.connections.pop(row.pk, None)):
                reached = row.exit_status is not None
                if reached:
                    attempts[connection.pk] = ("", "")
        record_attempts(attempts)

    def renew(self) -> None:
        Command.objects.filter(pk__in=list(self.running)).update(
            leased_until=timezone.now() + LEASE
        )


def progress(row: Command) -> Event:
    """Return an event with a command's status and output."""
    return event_for(
        row, "command.update", "command:read",
        device=row.device_id, command=row.type, status=row.status, output=row.output,
        exit_status=row.exit_status,
    )  # fmt: skip


def finish(row: Command, ending: CommandResult, output: str) -> None:
    row.status, row.exit_status = ending.state, ending.exit_status
    row.output = "\n".join(part for part in (output.rstrip("\n"), ending.reason) if part)
    row.ended, row.leased_until = timezone.now(), None
    if KINDS[row.type].secret:
        row.input = None


def order_for(row: Command, connection: DeviceConnection) -> CommandRequest:
    kind = KINDS[row.type]
    return CommandRequest(
        address=Address(str(connection.device.management_ip), connection.ssh_port),
        login=ssh_login(connection.credentials),
        host_key=HostKey.parse(connection.host_key) if connection.host_key else None,
        line=kind.line(row.input),
        stdin=kind.stdin(row.input),
        seconds=SECONDS_ALLOWED,
        ends_connection=kind.ends_connection,
    )
