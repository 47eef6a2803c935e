"""Connections of devices: how each is reached, its host key and its last attempt."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Q, When
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.connections.drivers.contract import HostKey
from controller.connections.models import Credentials, DeviceConnection
from controller.devices.models import Device
from controller.devices.rules import set_approved


@transaction.atomic
def connect(device: Device, *, credentials: Credentials, **values: Any) -> DeviceConnection:
    """Create a device connection with these credentials and update strategy."""
    if credentials.organization_id not in {None, device.organization_id}:
        raise Refused(
            {
                "credentials": [
                    gettext(
                        "The organization of the device and of the credentials do not match."
                    )
                ]
            }
        )
    values.setdefault("update_strategy", DeviceConnection.Strategy.OPENWRT_AGENT)
    values["host_key"] = checked_host_key(values.get("host_key", ""))
    connection = DeviceConnection(device=device, credentials=credentials, **values).checked()
    connection.save()
    return connection


@transaction.atomic
def update_connection(connection: DeviceConnection, **values: Any) -> DeviceConnection:
    """Change a connection.

    Another port or host key than before, and the device is offered no password until it is
    approved: whoever answers then may be another one.
    """
    before: DeviceConnection = DeviceConnection.objects.select_for_update(of=("self",)).get(
        pk=connection.pk
    )
    if "host_key" in values:
        values["host_key"] = checked_host_key(values["host_key"])
    for name, value in values.items():
        setattr(connection, name, value)
    if connection.host_key != before.host_key:
        connection.is_host_key_trusted = False
    if _leads_elsewhere(connection, before):
        set_approved(connection.device, approved=False)
    connection.checked().save()
    return connection


def _leads_elsewhere(connection: DeviceConnection, before: DeviceConnection) -> bool:
    if connection.host_key:
        return False
    return bool(before.host_key) or connection.ssh_port != before.ssh_port


def checked_host_key(line: str) -> str:
    """Return a host key as it is stored; raise Refused under ``host_key`` if it is invalid."""
    if not line.strip():
        return ""
    try:
        return HostKey.parse(line).line
    except Refused as error:
        raise Refused({"host_key": [str(error)]}) from error


def disconnect(connection: DeviceConnection) -> None:
    connection.delete()


def drop_foreign_connections(device: Device) -> None:
    """Delete connections with credentials of another organization, after a move."""
    DeviceConnection.objects.filter(device=device).exclude(
        Q(credentials__organization=None) | Q(credentials__organization=device.organization_id)
    ).delete()


def connect_everywhere(credentials: Credentials) -> None:
    lacking = Device.objects.exclude(connections__credentials=credentials)
    if credentials.organization_id is not None:
        lacking = lacking.filter(organization=credentials.organization_id)
    _connect_all((pk, credentials) for pk in lacking.values_list("pk", flat=True))


def add_automatic(device: Device) -> None:
    """Connect a new device with its organization's auto-add credentials."""
    automatic = Credentials.objects.filter(
        Q(organization=device.organization_id) | Q(organization=None), auto_add=True
    )
    _connect_all((device.pk, credentials) for credentials in automatic)


def _connect_all(pairs: Iterable[tuple[UUID, Credentials]]) -> None:
    DeviceConnection.objects.bulk_create(
        (
            DeviceConnection(
                device_id=device_id,
                credentials=credentials,
                update_strategy=DeviceConnection.Strategy.OPENWRT_AGENT,
            )
            for device_id, credentials in pairs
        ),
        ignore_conflicts=True,
        batch_size=1000,
    )


def usable_connections(
    device_ids: Iterable[UUID], connector: str = Credentials.Connector.SSH
) -> dict[UUID, DeviceConnection]:
    """Return the connection to use per device: one that works, else an untried one."""
    rows = (
        DeviceConnection.objects.filter(
            device__in=device_ids,
            enabled=True,
            device__management_ip__isnull=False,
            credentials__connector=connector,
        )
        .select_related("credentials", "device")
        # The last row of a device wins. Databases differ in where NULL sorts.
        .order_by(
            "device",
            Case(When(is_working=True, then=2), When(is_working=None, then=1), default=0),
            "-created",
        )
    )
    return {row.device_id: row for row in rows}


def record_attempts(found: Mapping[UUID, tuple[str, str]]) -> None:
    """Record the last attempts in bulk: connection → (failure reason, host key seen)."""
    rows = list(DeviceConnection.objects.filter(pk__in=found).select_related("device"))
    now = timezone.now()
    for row in rows:
        reason, host_key = found[row.pk]
        row.is_working, row.failure_reason, row.last_attempt = not reason, reason, now
        if host_key and not row.host_key:
            row.host_key, row.is_host_key_trusted = host_key, row.device.is_approved
    DeviceConnection.objects.bulk_update(
        rows,
        ["is_working", "failure_reason", "last_attempt", "host_key", "is_host_key_trusted"],
        batch_size=500,
    )
