"""Measurements of vendors' gateways, and of the devices that their controllers manage."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.leases import for_each
from controller.configs.rules.devices import create_device
from controller.devices.models import Device
from controller.monitoring.engine import netjson
from controller.monitoring.models import MonitoredGateway
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds
from networks.gateways.engine.measurements import Measured
from networks.gateways.models import Gateway
from networks.gateways.rules.gateway_connections import connect

AT_ONCE, THREADS = 100, 20
UNREADABLE = "It answered something that cannot be read."
NOT_IN_INVENTORY = "It is no device of the inventory: choose one, or add it."
KINDS = {"proxmox": Device.Kind.HYPERVISOR, "opnsense": Device.Kind.FIREWALL,
         "pfsense": Device.Kind.FIREWALL}  # fmt: skip

log = logging.getLogger(__name__)


def pull_due() -> int:
    """Fetch the measurements of gateways whose turn has come; return how many told theirs."""
    if not settings.MUSTER_PULL_SECONDS:
        return 0
    known = MonitoredGateway.objects.values("gateway")
    MonitoredGateway.objects.bulk_create(
        [MonitoredGateway(gateway=one) for one in Gateway.objects.exclude(pk__in=known)],
        ignore_conflicts=True,
    )
    rows = lease_due()
    # Threads only do network I/O and no database queries.
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(zip(rows, pool.map(ask, rows), strict=True))
    for_each(answers, lambda answer: note(*answer), name="monitoring.gateways")
    return sum(not isinstance(found, str) for _, found in answers)


@transaction.atomic
def lease_due() -> list[MonitoredGateway]:
    """Return the gateways whose turn has come, moving their next turn on."""
    now = timezone.now()
    due = (
        MonitoredGateway.objects.filter(Q(next_pull=None) | Q(next_pull__lte=now))
        .filter(gateway__organization__is_active=True)
        .select_related("gateway__organization", "gateway__site", "device")
        .order_by(F("next_pull").asc(nulls_first=True), "pk")
    )
    if connection.features.has_select_for_update_skip_locked:
        due = due.select_for_update(of=("self",), skip_locked=True)
    rows = list(due[:AT_ONCE])
    MonitoredGateway.objects.filter(pk__in=[row.pk for row in rows]).update(
        next_pull=now + timedelta(seconds=settings.MUSTER_PULL_SECONDS)
    )
    return rows


def ask(row: MonitoredGateway) -> list[Measured] | str:
    """Return what a gateway and the devices that it manages measure, or why it told nothing."""
    try:
        with connect(row.gateway) as device:
            return device.measure()
    except Refused as error:
        return str(error)
    except Exception:
        # What a gateway says may be anything; it must not hide the others.
        log.exception("The measurements of gateway %s cannot be read", row.gateway_id)
        return UNREADABLE


def note(row: MonitoredGateway, found: list[Measured] | str) -> None:
    """Keep what a gateway told, each report with the device that it is of."""
    if isinstance(found, str):
        row.reason = found[:255]
        row.save(update_fields=["reason"])
        return
    own = next((one for one in found if one.is_gateway), None)
    if row.device is None or row.device_is_found:
        row.device = device_of(row.gateway, own)
    devices = managed(row.gateway, [one for one in found if one is not own])
    if own is not None and row.device is not None:
        devices[row.device.pk] = own
    kept = ingest(list(arrivals(devices)))
    row.reason = "" if row.device_id in kept or not own else NOT_IN_INVENTORY
    row.measured_at = timezone.now() if kept else row.measured_at
    row.save(update_fields=["device", "reason", "measured_at"])


def arrivals(devices: Mapping[Any, Measured]) -> Iterable[Arrival]:
    now = now_seconds()
    for device, one in devices.items():
        try:
            report = netjson.read(one.body)
        except netjson.NotAReport:
            continue
        yield Arrival(device, now, now, report, orjson.dumps(one.body))


def device_of(gateway: Gateway, own: Measured | None) -> Device | None:
    """Return the device of the inventory that a gateway is: by its MAC addresses, or its address."""
    rows = Device.objects.filter(organization=gateway.organization_id, is_deactivated=False)
    macs = [mac.upper() for mac in own.macs] if own is not None else []
    found = rows.filter(mac_address__in=macs).order_by("pk").first() if macs else None
    if found is None and (address := address_of(gateway)):
        found = rows.filter(management_ip=address).order_by("pk").first()
    return found


def address_of(gateway: Gateway) -> str:
    """Return the address of a gateway; empty of one that has a name, or is on this machine."""
    host = urlsplit(gateway.url).hostname or ""
    try:
        return "" if ip_address(host).is_loopback else host
    except ValueError:
        return ""


def managed(gateway: Gateway, found: Sequence[Measured]) -> dict[UUID, Measured]:
    """Return the reports of the devices that a controller manages and that the inventory has."""
    rows = Device.objects.filter(organization=gateway.organization_id, is_deactivated=False)
    by_mac = {mac.upper(): one for one in found for mac in one.macs}
    by_name = {one.name.lower(): one for one in found if not one.macs and one.name}
    devices = {
        pk: by_mac[mac]
        for pk, mac in rows.filter(mac_address__in=by_mac).values_list("pk", "mac_address")
    }
    named = rows.annotate(lower=Lower("name")).filter(lower__in=by_name)
    for pk, name in named.values_list("pk", "lower"):
        devices.setdefault(pk, by_name[name])
    return devices


def add_to_inventory(row: MonitoredGateway) -> Device:
    """Add the device that a gateway is to the inventory, and measure it as that.

    The gateway is asked for its MAC address, so this is called outside of a transaction.
    """
    if row.device is not None:
        raise Refused(gettext("It is a device of the inventory already."))
    found = ask(row)
    if isinstance(found, str):
        raise Refused(gettext("Its MAC address cannot be read: %(found)s") % {"found": found})
    own = next((one for one in found if one.is_gateway and one.macs), None)
    if own is None:
        raise Refused(gettext("It tells no MAC address: add the device, and choose it here."))
    return make_device(row, min(own.macs))


@transaction.atomic
def make_device(row: MonitoredGateway, mac_address: str) -> Device:
    gateway = row.gateway
    device = create_device(
        organization=gateway.organization, site=gateway.site, name=device_name(gateway.name),
        mac_address=mac_address, management_ip=address_of(gateway) or None,
        kind=KINDS.get(gateway.vendor, Device.Kind.ROUTER),
        model=gateway.get_vendor_display(), os=gateway.version,
    )  # fmt: skip
    choose_device(row, device=device)
    return device


def device_name(text: str) -> str:
    """Return a name as devices have it."""
    kept = "".join(one if one.isalnum() or one in "-." else "-" for one in text)
    return kept.strip("-.")[:63] or "gateway"


def choose_device(row: MonitoredGateway, *, device: Device | None) -> MonitoredGateway:
    """Set the device that a gateway is; None leaves it to be found by its addresses."""
    if device is not None and device.organization_id != row.gateway.organization_id:
        raise Refused({"device": [gettext("The device belongs to another organization.")]})
    row.device, row.device_is_found = device, device is None
    row.next_pull = None
    row.save(update_fields=["device", "device_is_found", "next_pull"])
    return row
