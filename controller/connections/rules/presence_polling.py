"""Presence polling of devices, in batches."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from controller.base.outbound.transactions import blocking
from controller.connections.drivers.contract import Address
from controller.connections.drivers.tcp import Probe, probe_many
from controller.connections.models import DeviceConnection
from controller.devices.engine import rhythm
from controller.devices.models import Device, Presence
from controller.devices.rules import Observation, record_observations

BATCH = 500
DEFAULT_PORT = 22


def batches() -> list[list[UUID]]:
    """Return the ids of active devices, in batches for one task each."""
    ids = list(
        Device.objects.filter(is_deactivated=False).order_by("pk").values_list("pk", flat=True)
    )
    return [ids[at : at + BATCH] for at in range(0, len(ids), BATCH)]


def poll(device_ids: Sequence[UUID]) -> list[UUID]:
    """Poll the presence of these devices. Returns the ids of devices now online.

    A device with a management address is probed by TCP, and for its SSH banner if it has a
    connection; all others are judged by the last request of their agent, and by how often it
    usually polls.
    """
    rows = list(
        Device.objects.filter(pk__in=device_ids)
        .select_related("presence")
        .only("management_ip", "presence__last_seen", "presence__state", "presence__gaps")
    )
    connections = {
        row.device_id: row
        for row in DeviceConnection.objects.by_ssh()
        .filter(device__in=device_ids)
        .select_related("credentials")
    }
    asked: dict[bool, dict[UUID, Address]] = {True: {}, False: {}}
    for row in rows:
        if row.management_ip:
            connection = connections.get(row.pk)
            port = connection.ssh_port if connection else DEFAULT_PORT
            asked[connection is not None][row.pk] = Address(row.management_ip, port)
    answers = blocking(_ask)(asked)
    now = timezone.now()
    return record_observations(
        _by_probe(row.pk, answers[row.pk]) if row.pk in answers else _by_agent(row, now)
        for row in rows
    )


async def _ask(asked: dict[bool, dict[UUID, Address]]) -> dict[UUID, Probe]:
    found: dict[UUID, Probe] = {}
    for banner, addresses in asked.items():
        probes = await probe_many(addresses.values(), banner=banner)
        found |= {device: probes[address] for device, address in addresses.items()}
    return found


def _by_probe(device_id: UUID, probe: Probe) -> Observation:
    if probe.reachable:
        return Observation(device_id, Presence.State.ONLINE)
    return Observation(device_id, Presence.State.OFFLINE, probe.reason)


def _by_agent(device: Device, now: datetime) -> Observation:
    seen = device.presence.last_seen
    if seen is None:
        return Observation(device.pk, Presence.State.UNKNOWN, "It has never been heard of.")
    gaps = device.presence.gaps
    if (now - seen).total_seconds() < rhythm.longest_silence(gaps):
        return Observation(device.pk, Presence.State.ONLINE, at=seen)
    reason = (
        f"The agent has not polled for more than {rhythm.longest_silence(gaps) / 60:.0f} min."
    )
    return Observation(device.pk, Presence.State.OFFLINE, reason)
