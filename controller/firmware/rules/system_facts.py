"""System facts of devices, read over SSH."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from controller.base.errors import Refused
from controller.base.outbound.transactions import blocking
from controller.celery import enqueue_on_commit
from controller.configs.drivers.runner import Connector
from controller.connections.drivers.ssh import handshake_limit
from controller.connections.models import DeviceConnection
from controller.connections.rules import usable_connections
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Device, Presence
from controller.firmware.drivers.openwrt import read_system
from controller.firmware.engine.reports import SystemReport
from controller.firmware.models import DeviceSystem

READ = "controller.firmware.tasks.read_system"
BATCH = 200
READ_SECONDS = 60.0
KEPT = (
    "board", "model", "target", "distribution", "version", "revision", "rootfs_type",
    "compat_version", "memory_total", "memory_available", "tmp_free", "checksum",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """Report of a device, or the reason why it could not be read."""

    report: SystemReport | None
    reason: str = ""


def connector(connection: DeviceConnection, gate: asyncio.Semaphore) -> Connector:
    """Return the connector to a device whose system is read; raise Refused for a malformed host key."""
    target = ssh_target(connection)
    return Connector(target.address, target.login, target.host_key, gate=gate)


def due() -> QuerySet[Device]:
    """Return the online devices whose system is due to be read."""
    limit = timezone.now() - timedelta(seconds=settings.MUSTER_FIRMWARE_READ_SECONDS)
    connections = (
        DeviceConnection.objects.by_ssh()
        .filter(device=OuterRef("pk"), device__management_ip__isnull=False)
        .exclude(update_strategy=DeviceConnection.Strategy.LINUX_FILES)
    )
    return (
        Device.objects.filter(Exists(connections), is_deactivated=False)
        .filter(presence__state=Presence.State.ONLINE)
        .filter(Q(firmware_system=None) | Q(firmware_system__tried_at__lt=limit))
    )


def read_due() -> int:
    """Read the systems of devices that are due. Returns the number of devices asked."""
    return read_systems(due().values_list("pk", flat=True)[:BATCH])


def read_soon(device: Device) -> None:
    """Enqueue a read of a device's system."""
    enqueue_on_commit(READ, str(device.pk))


def read_systems(device_ids: Iterable[UUID]) -> int:
    """Read the systems of these devices now. Returns the number of devices asked."""
    ways = usable_connections(list(device_ids))
    found = blocking(_read_all)(ways)
    for device_id, reading in found.items():
        record_system(device_id, reading)
    return len(found)


async def _read_all(ways: Mapping[UUID, DeviceConnection]) -> dict[UUID, Reading]:
    gate = handshake_limit()
    readings = await asyncio.gather(*(_read(way, gate) for way in ways.values()))
    return dict(zip(ways, readings, strict=True))


async def _read(connection: DeviceConnection, gate: asyncio.Semaphore) -> Reading:
    try:
        async with asyncio.timeout(READ_SECONDS), connector(connection, gate)() as shell:
            report = await read_system(shell)
    except TimeoutError:
        return Reading(None, f"The device did not answer within {READ_SECONDS:g} s.")
    except Refused as error:
        return Reading(None, str(error))
    if not report.board:
        return Reading(report, "The device names no board; it is no OpenWrt.")
    return Reading(report)


def record_system(device_id: UUID, reading: Reading) -> None:
    """Record a device's report; a failure keeps the stored facts."""
    now = timezone.now()
    values: dict[str, object] = {"tried_at": now, "reason": reading.reason}
    if reading.report is not None:
        values |= {name: getattr(reading.report, name) for name in KEPT} | {"read_at": now}
    DeviceSystem.objects.update_or_create(device_id=device_id, defaults=values)
