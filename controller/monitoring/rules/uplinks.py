"""Uplinks of devices: found in their reports, or set by a person."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.devices.models import Device
from controller.monitoring.engine.mac_addresses import mac_of
from controller.monitoring.engine.report import items, text
from controller.monitoring.models import MonitoredDevice, Snapshot
from controller.monitoring.rules.latest_reports import opened

BATCH = 500
LONGEST_CHAIN = 32


def gateways_of(body: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Return the addresses and the MAC addresses of a report's default gateways."""
    addresses = {
        text(address.get("gateway"))
        for _, interface in items(body.get("interfaces"))
        for _, address in items(interface.get("addresses"))
    } - {""}
    macs = {
        mac_of(neighbor.get("mac"))
        for _, neighbor in items(body.get("neighbors"))
        if text(neighbor.get("ip")) in addresses
    } - {""}
    return addresses, macs


def find_uplinks() -> int:
    """Find the uplink of each device whose uplink no person set; return how many changed."""
    rows = MonitoredDevice.objects.filter(
        uplink_is_found=True, device__is_deactivated=False
    ).select_related("device")
    changed = []
    for row, body in with_reports(rows):
        found = uplink_in(row, body)
        if found != row.uplink_id and not leads_back(row.device_id, found):
            row.uplink_id = found
            changed.append(row)
    MonitoredDevice.objects.bulk_update(changed, ["uplink"], batch_size=BATCH)
    return len(changed)


def with_reports(rows: Any) -> Iterator[tuple[MonitoredDevice, dict[str, Any]]]:
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    for at in range(0, len(ids), BATCH):
        some = ids[at : at + BATCH]
        bodies = dict(Snapshot.objects.filter(monitored__in=some).values_list("pk", "body"))
        for row in rows.filter(pk__in=some):
            if row.pk in bodies:
                yield row, opened(bodies[row.pk])


def uplink_in(row: MonitoredDevice, body: Mapping[str, Any]) -> UUID | None:
    """Return the device of the same organization that is the gateway in a report."""
    addresses, macs = gateways_of(body)
    if not macs and not addresses:
        return None
    named = Q(mac_address__in=[*macs, *(mac.upper() for mac in macs)])
    by_address = Q(management_ip__in=[one for one in addresses if is_address(one)])
    found = Device.objects.filter(
        named | by_address, organization=row.device.organization_id, is_deactivated=False
    ).exclude(pk=row.device_id)
    return found.values_list("pk", flat=True).order_by("pk").first()


def is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def leads_back(device: UUID, uplink: UUID | None) -> bool:
    """Return whether the device would be behind itself."""
    at = uplink
    for _ in range(LONGEST_CHAIN):
        if at is None:
            return False
        if at == device:
            return True
        at = MonitoredDevice.objects.filter(device=at).values_list("uplink", flat=True).first()
    return True


def set_uplink(row: MonitoredDevice, *, uplink: Device | None) -> MonitoredDevice:
    """Set what a device is behind; None leaves it to be found in reports again."""
    if uplink is not None:
        if uplink.organization_id != row.device.organization_id:
            raise Refused({"uplink": [gettext("The uplink belongs to another organization.")]})
        if leads_back(row.device_id, uplink.pk):
            raise Refused({"uplink": [gettext("The device would be behind itself.")]})
    row.uplink = uplink
    row.uplink_is_found = uplink is None
    row.save(update_fields=["uplink", "uplink_is_found"])
    return row
