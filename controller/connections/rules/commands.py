"""Send commands to devices, and cancel them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Organization, User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.base.events import Event, event_for, publish
from controller.base.leases import FREE, assign
from controller.celery import enqueue_on_commit
from controller.connections.engine.commands import KINDS, problems
from controller.connections.models import Command, CommandBatch, DeviceConnection
from controller.devices.models import Device, OrganizationSettings

RUN = "controller.connections.tasks.run_commands"


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
        raise NotPermitted(gettext("You do not have permission to perform this action."))
    if connection is not None and connection.device_id != device.pk:
        raise Refused({"connection": [gettext("This connection is of another device.")]})
    if connection is not None and not connection.enabled:
        raise Refused({"connection": [gettext("This connection is disabled.")]})
    if not DeviceConnection.objects.by_ssh().filter(device=device).exists():
        raise Refused({"device": [gettext("Device has no credentials assigned.")]})
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
        raise Refused({"type": [gettext('"%(kind)s" is not a valid choice.') % {"kind": kind}]})
    if wrong := problems(kind, given):
        raise Refused({"input": wrong})


def partition_targets(user: User, devices: Any) -> tuple[list[Device], dict[str, list[str]]]:
    """Split devices into those the user can send a command to, and the others.

    The others are returned as names by reason.
    """
    ways = DeviceConnection.objects.by_ssh().filter(device=OuterRef("pk"))
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
            left["The device is deactivated."].append(row.name)
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
        raise Refused(
            {"devices": [gettext("All devices must be of the batch's organization.")]}
        )
    reachable = set(
        DeviceConnection.objects.by_ssh()
        .filter(device__in=chosen, device__is_deactivated=False)
        .values_list("device", flat=True)
    )
    if not reachable:
        raise Refused({"devices": [gettext("None of these devices has credentials assigned.")]})
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
        raise Conflict(
            gettext("The command has ended already: %(status)s.") % {"status": row.status}
        )
    row.is_cancelled = True
    if row.started is None:
        row.status, row.ended = Command.Status.CANCELLED, timezone.now()
        row.output = "Cancelled before it was sent; nothing was done."
        assign(row, FREE)
    row.save()
    record_audit("cancel_command", row.device, after={"type": row.type})
    publish(progress(row))
    return row


def progress(row: Command) -> Event:
    """Return an event with a command's status and output."""
    return event_for(
        row, "command.update", "command:read",
        device=row.device_id, command=row.type, status=row.status, output=row.output,
        exit_status=row.exit_status,
    )  # fmt: skip
