"""Approval of a device, without which no password is offered to it."""

from collections.abc import Iterator
from contextlib import contextmanager

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.devices import rules as devices
from controller.devices.models import Device

APPROVE = "credentials:update"


def approve(device: Device) -> Device:
    """Let passwords be offered to the device: at its address, and to the keys pinned so far."""
    devices.set_approved(device, approved=True)
    device.connections.exclude(host_key="").update(is_host_key_trusted=True)
    record_audit("approve", device)
    return device


def is_trusted(device: Device) -> bool:
    """Return whether passwords may be offered to it by all of its connections."""
    pinned = device.connections.exclude(host_key="")
    return device.is_approved and not pinned.filter(is_host_key_trusted=False).exists()


@contextmanager
def approval_kept(device: Device, *, by: User) -> Iterator[None]:
    """Keep an approved device approved over a change by a user who may approve it."""
    was_trusted = is_trusted(device)
    yield
    device.refresh_from_db(fields=["is_approved"])
    if was_trusted and not is_trusted(device) and by.has_perm_on(APPROVE, device):
        approve(device)
