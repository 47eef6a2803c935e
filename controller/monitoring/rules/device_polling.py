"""Polling of devices: pings, management ports, and measurements over SSH.

A device is due by a time on its row. Who takes it moves that time on, so that two workers
never ask the same device, and a lost worker costs one round.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from controller.base.errors import Refused
from controller.base.outbound.transactions import blocking
from controller.connections.drivers.contract import Address
from controller.connections.drivers.tcp import probe_many
from controller.connections.models import DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Device
from controller.monitoring.drivers import icmp
from controller.monitoring.drivers.ssh import Measured, Target, measure_many
from controller.monitoring.engine import linux, netjson
from controller.monitoring.engine.health import late_after
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import LatestSample, MonitoredDevice, Sample
from controller.monitoring.rules import snmp_polling
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds

BATCH = 500
ADDED_AT_ONCE = 1000


def add_addressed() -> int:
    """Begin to check devices that have a management address, and return how many are new."""
    fresh = Device.objects.filter(
        is_deactivated=False, management_ip__isnull=False, monitoring=None
    )[:ADDED_AT_ONCE]
    rows = [MonitoredDevice(device=device) for device in fresh]
    MonitoredDevice.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def lease_due(column: str, seconds: int) -> list[UUID]:
    """Return devices whose turn has come, moving their next turn on.

    Turns are spread over the whole period by the row's number, so that the load is flat.
    """
    now = timezone.now()
    rows = MonitoredDevice.objects.filter(
        Q(**{f"{column}__lte": now}) | Q(**{column: None}),
        device__is_deactivated=False,
        device__management_ip__isnull=False,
        device__organization__is_active=True,
    ).order_by(F(column).asc(nulls_first=True))
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(of=("self",), skip_locked=True)
    found = list(rows[:BATCH])
    for row in found:
        setattr(row, column, next_turn(row.pk, now, seconds))
    MonitoredDevice.objects.bulk_update(found, [column])
    return [row.device_id for row in found]


def next_turn(number: int, now: datetime, seconds: int) -> datetime:
    """Return the next moment of a device's own place in the period."""
    at = int(now.timestamp())
    wait = (number * 7919 - at) % seconds
    return now + timedelta(seconds=wait or seconds)


def ping_due() -> int:
    """Ping the devices whose turn has come, and return how many those were."""
    seconds = settings.MUSTER_PING_SECONDS
    if not seconds:
        return 0
    add_addressed()
    done = 0
    while devices := lease_due("next_check", seconds):
        done += ping(devices)
        if len(devices) < BATCH:
            break
    return done


def ping(devices: Sequence[UUID]) -> int:
    """Ping these devices, try the ports of those that are managed by SSH, and keep the result."""
    addresses = dict(
        Device.objects.filter(pk__in=devices, management_ip__isnull=False).values_list(
            "pk", "management_ip"
        )
    )
    connections = DeviceConnection.objects.by_ssh().filter(device__in=addresses)
    ports = {
        row.device_id: Address(addresses[row.device_id], row.ssh_port)
        for row in connections.select_related("credentials")
    }
    reports = blocking(measure)(addresses, ports)
    now = now_seconds()
    kept = ingest(
        [
            Arrival(device, now, now, report, kind=Sample.Kind.CHECK)
            for device, report in reports.items()
        ]
    )
    return len(kept)


async def measure(addresses: dict[UUID, str], ports: dict[UUID, Address]) -> dict[UUID, Report]:
    """Return what pings and open ports say of each device."""
    reports = {device: Report() for device in addresses}
    try:
        answers = await icmp.ping_many(list(addresses.values()))
    except icmp.NoSocket:
        answers = []
    for device, pinged in zip(addresses, answers, strict=False):
        put_pings(reports[device], pinged)
    probes = await probe_many(ports.values())
    for device, address in ports.items():
        reports[device].put(Metric.PORT, float(probes[address].reachable))
    return {device: report for device, report in reports.items() if report.values}


def put_pings(report: Report, pinged: icmp.Pinged) -> None:
    report.put(Metric.REACHABLE, float(bool(pinged.times)))
    report.put(Metric.LOSS, round(pinged.loss, 1))
    if pinged.times:
        report.put(Metric.RTT, sum(pinged.times) / len(pinged.times))
        report.put(Metric.RTT_MIN, min(pinged.times))
        report.put(Metric.RTT_MAX, max(pinged.times))


def pull_due() -> int:
    """Fetch measurements from devices that do not report, and return how many told theirs.

    Over SSH where a connection of that kind works or was never tried, else over SNMP.
    """
    seconds = settings.MUSTER_PULL_SECONDS
    if not seconds:
        return 0
    done = 0
    while devices := lease_due("next_pull", seconds):
        asked = silent(devices)
        over_snmp = snmp_polling.asked_over_snmp(asked)
        done += pull([one for one in asked if one not in over_snmp])
        done += snmp_polling.pull(over_snmp)
        if len(devices) < BATCH:
            break
    return done


def silent(devices: Iterable[UUID]) -> list[UUID]:
    """Return those of these devices whose own agent does not report."""
    found = list(devices)
    now = now_seconds()
    rows = LatestSample.objects.filter(monitored__device__in=found, arrived__isnull=False)
    report = {
        device
        for device, arrived, pulled, interval in rows.values_list(
            "monitored__device", "arrived", "monitored__pulled_at", "interval"
        )
        if arrived != pulled and now - arrived <= late_after(interval)
    }
    return [device for device in found if device not in report]


def pull(devices: Sequence[UUID]) -> int:
    """Fetch the measurements of these devices, and return how many told theirs."""
    ways = usable_connections(devices)
    targets = []
    for device, way in ways.items():
        target = target_of(device, way)
        if target is not None:
            targets.append(target)
    found = blocking(measure_many)(targets)
    record_attempts(
        {
            ways[UUID(one.id)].pk: (
                one.reason if one.host_key is None else "",
                one.host_key.line if one.host_key else "",
            )
            for one in found
        }
    )
    now = now_seconds()
    arrivals = [arrival for one in found if (arrival := arrival_of(one, now))]
    kept = ingest(arrivals)
    MonitoredDevice.objects.filter(device__in=kept).update(pulled_at=now)
    return len(kept)


def target_of(device: UUID, way: DeviceConnection) -> Target | None:
    try:
        found = ssh_target(way)
        return Target(str(device), found.address, found.login, found.host_key)
    except Refused:
        return None


def arrival_of(one: Measured, now: int) -> Arrival | None:
    """Return what a device told as a report; None where it told nothing of use."""
    if not one.output:
        return None
    try:
        body: dict[str, Any] = linux.as_netjson(one.output)
        report = netjson.read(body)
    except (linux.NoAnswer, netjson.NotAReport):
        return None
    return Arrival(UUID(one.id), now, now, report, orjson.dumps(body))
