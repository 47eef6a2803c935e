"""Measurements over SNMP, of devices that have credentials of that kind."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson

from controller.base.errors import Refused
from controller.base.outbound.transactions import blocking
from controller.connections.models import Credentials, DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.connections.rules.ssh_access import NO_ADDRESS
from controller.monitoring.drivers.snmp import Secrets, Target, Told, ask_many
from controller.monitoring.engine import netjson, snmp
from controller.monitoring.models import MonitoredDevice
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds

NOT_APPROVED = (
    "No community is sent to this device yet: it told its address itself, or its address was "
    "changed. Approve it on its page."
)


def asked_over_snmp(devices: Iterable[UUID]) -> list[UUID]:
    """Return those of these devices that are asked over SNMP: SSH does not work there."""
    found = list(devices)
    over_ssh = {
        device
        for device, way in usable_connections(found).items()
        if way.is_working is not False
    }
    ways = usable_connections(found, Credentials.Connector.SNMP)
    return [device for device in found if device in ways and device not in over_ssh]


def pull(devices: Sequence[UUID]) -> int:
    """Fetch the measurements of these devices, and return how many told theirs."""
    ways = usable_connections(devices, Credentials.Connector.SNMP)
    targets, told = [], []
    for device, way in ways.items():
        try:
            targets.append(target_of(way))
        except Refused as error:
            told.append(Told(str(device), reason=str(error)))
    told += blocking(ask_many)(targets)
    record_attempts({ways[UUID(one.id)].pk: (one.reason, "") for one in told})
    now = now_seconds()
    kept = ingest([arrival for one in told if (arrival := arrival_of(one, now))])
    MonitoredDevice.objects.filter(device__in=kept).update(pulled_at=now)
    return len(kept)


def target_of(way: DeviceConnection) -> Target:
    """Return where to ask, and with what.

    Raises Refused where there is no address, and where the device may not be sent a secret: a
    community is readable on its way, and whoever answers could keep it.
    """
    device, params = way.device, way.credentials.params
    if not device.management_ip:
        raise Refused(NO_ADDRESS)
    if not device.is_approved:
        raise Refused(NOT_APPROVED, code="not_approved")
    names = Secrets.__dataclass_fields__.keys() & params.keys()
    secrets = Secrets(**{name: params[name] or "" for name in names})
    return Target(str(device.pk), str(device.management_ip), way.snmp_port, secrets)


def arrival_of(one: Told, now: int) -> Arrival | None:
    """Return what a device told as a report; None where it told nothing of use."""
    if one.reason:
        return None
    try:
        body = snmp.as_netjson(one.scalars, one.tables)
        report = netjson.read(body)
    except (snmp.NoAnswer, netjson.NotAReport):
        return None
    return Arrival(UUID(one.id), now, now, report, orjson.dumps(body))
