"""Supervisors in the inventory: add, change, address, key and reports."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from controller.base.address_secrets import drop_moved_secrets
from controller.base.errors import (
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Refused,
    Unreachable,
)
from controller.base.measurements import tell_measurements
from controller.base.outbound import Kind, OutOfBounds, check_address, check_host
from controller.base.outbound.addresses import parsed
from controller.base.secrets import digest
from controller.devices.models import Device
from supervisor_proxy.drivers.contract import Target
from supervisor_proxy.engine import measurements
from supervisor_proxy.engine.addresses import port_fits
from supervisor_proxy.engine.answers import NEW_KEY
from supervisor_proxy.models import IngressSession, Supervisor
from supervisor_proxy.models.supervisors import BALENA_PORT
from supervisor_proxy.rules.presence import record_presence

LONGEST_FACT = 200
# Facts of a device's report that are displayed.
FACTS = (
    "os_version", "os_variant", "supervisor_version", "status", "ip_address", "mac_address",
    "provisioning_state", "is_managed_by__device", "cpu_usage", "cpu_temp", "memory_usage",
    "memory_total", "storage_usage", "storage_total", "is_undervolted", "cpu_id", "name",
    "logs_channel", "update_status", "update_downloaded",
)  # fmt: skip


@transaction.atomic
def add_supervisor(*, device: Device, **values: Any) -> Supervisor:
    """Add a supervisor to a device. Raises Refused if the device already has one."""
    if Supervisor.objects.filter(device=device).exists():
        raise Refused({"device": [gettext("This device has a supervisor already.")]})
    row = Supervisor(device=device)
    return _written(row, values)


@transaction.atomic
def update_supervisor(supervisor: Supervisor, **values: Any) -> Supervisor:
    """Change the connection settings. An omitted key stays unchanged."""
    if values.get("device", supervisor.device).pk != supervisor.device_id:
        raise Refused({"device": [gettext("A supervisor stays with its device.")]})
    row = Supervisor.objects.select_for_update(of=("self",)).get(pk=supervisor.pk)
    return _written(row, values)


def remove_supervisor(supervisor: Supervisor) -> None:
    supervisor.delete()


def _written(row: Supervisor, values: Mapping[str, Any]) -> Supervisor:
    given = dict(values)
    key = given.pop("key", None)
    for name, value in given.items():
        setattr(row, name, value)
    row.uuid = row.uuid or row.device.pk.hex
    has_moved = drop_moved_secrets(row, values)
    if has_moved and not row.key:
        row.key_state = Supervisor.KeyState.MISSING
    if key is not None and key != row.key:
        take_key(row, key)
    if has_moved:
        row.previous_key = ""
        IngressSession.objects.filter(supervisor=row).delete()
    if row.address:
        check_host(Kind.SUPERVISOR, row.address, field="address")
    row.checked().save()
    return row


def take_key(row: Supervisor, key: str, state: str = "") -> None:
    """Set a new key on the row, keeping the previous one. The caller saves."""
    states = Supervisor.KeyState
    row.previous_key, row.key = row.key, key
    row.key_changed = timezone.now()
    row.key_state = state or (states.UNPROVEN if key else states.MISSING)


KEY_FIELDS = ("key", "previous_key", "key_state", "key_changed", "modified")


# --- address


def address_of(supervisor: Supervisor) -> str | None:
    """Return the address to connect to: always one assigned by the portal or an admin."""
    if supervisor.address:
        return str(supervisor.address)
    device = supervisor.device
    # In Python, to use prefetched rows of lists.
    clients = sorted(device.vpn_clients.all(), key=lambda client: client.created)
    for client in clients:
        if client.ip is not None:
            return str(client.ip.ip_address)
    if device.management_ip and not device.management_ip_is_told:
        return str(device.management_ip)
    return None


def _is_unapproved(supervisor: Supervisor, address: str) -> bool:
    device = supervisor.device
    return address == device.management_ip and not device.is_approved


def target_of(supervisor: Supervisor) -> Target:
    """Return the connection's target. Raises Refused if the address is not allowed."""
    if supervisor.device.is_deactivated:
        raise NotPermitted(gettext("The device is deactivated."), code="out_of_service")
    if supervisor.transport == Supervisor.Transport.AGENT:
        return Target("", 0, version=supervisor.version, agent=str(supervisor.pk))
    address = address_of(supervisor)
    if address is None:
        raise Unreachable(
            gettext(
                "The portal has assigned no address to this device. Enter one on its Supervisor "
                "tab, or make it a client of a VPN."
            ),
            code="no_address",
        )
    if not supervisor.address and _is_unapproved(supervisor, address):
        raise Unreachable(
            gettext(
                "The management address of the device was changed, and nobody has approved it since."
            ),
            code="no_address",
        )
    known = parsed(address)
    if known is None:
        raise Unreachable(
            gettext("%(address)s is no IP address.") % {"address": repr(address)},
            code="no_address",
        )
    try:
        check_address(Kind.SUPERVISOR, known)
    except OutOfBounds as error:
        raise Unreachable(str(error), code="no_address") from None
    return Target(address, supervisor.port, supervisor.key, supervisor.version)


# --- reports


def device_of_key(key: str) -> Device:
    """Return the device with this key. Raises NotAuthenticated."""
    device: Device | None = (
        Device.objects.select_related("organization")
        .filter(key_digest=digest(key), organization__is_active=True)
        .first()
        if key
        else None
    )
    if device is None:
        raise NotAuthenticated(gettext("The key is none of a device here."))
    return device


@transaction.atomic
def report(device: Device, *, uuid: str, facts: Mapping[str, Any]) -> Supervisor:
    """Store a device's report; the first one adds the supervisor.

    The device is authenticated by its key, but cannot choose the address the portal
    connects to.
    """
    if device.is_deactivated:
        raise NotPermitted(gettext("The device is deactivated."), code="out_of_service")
    taken = Supervisor.objects.filter(Q(uuid=uuid) & ~Q(device=device))
    if taken.exists():
        raise NotFound(gettext("This key belongs to another device than the UUID."))
    row = (
        Supervisor.objects.select_for_update(of=("self",)).filter(device=device).first()
        or Supervisor(device=device)
    )  # fmt: skip
    row.uuid = uuid
    row.device = device
    _take_facts(row, facts)
    row.last_report = timezone.now()
    row.checked().save()
    record_presence(device)
    if measurements.MEASURED & facts.keys():
        tell_measurements({device.pk: measurements.of_balena(row.reported)})
    return row


def _take_facts(row: Supervisor, facts: Mapping[str, Any]) -> None:
    key, port = facts.get("api_secret"), facts.get("api_port")
    if key is not None and key != row.key:
        if not isinstance(key, str) or not NEW_KEY.fullmatch(key):
            raise Refused(
                {"api_secret": [gettext("16 to 128 letters, digits or underscores.")]}
            )
        take_key(row, key)
    if port is not None:
        if not isinstance(port, int) or isinstance(port, bool) or not port_fits(port):
            raise Refused(
                {"api_port": [gettext("A port from 1024 to 65535 is expected, or 80.")]}
            )
        row.port = port or BALENA_PORT
        drop_moved_secrets(row, {"key": key})
    version = facts.get("supervisor_version")
    if isinstance(version, str):
        row.version = version[:32]
    told = {
        name: value if isinstance(value, bool | int | float) else str(value)[:LONGEST_FACT]
        for name in FACTS
        if (value := facts.get(name)) is not None
    }
    row.reported = {**row.reported, **told}
