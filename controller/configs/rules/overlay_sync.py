"""Rendering of devices whose overlay membership has changed."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, NotPermitted, Refused
from controller.configs.models import Config
from controller.configs.rules.rendering import mark_stale, render_stale
from controller.devices.models import Device
from networks.overlay.models import Node
from networks.overlay.rules import plans

# More would cost each member keepalives and probes that nobody needs.
MOST_RELAYS = 4

plans.FOLLOWERS.add("controller.configs.tasks.follow_overlay")


def sync_outdated() -> int:
    """Render all outdated devices at once, so that a burst is one push per device.

    Returns the number of configurations.
    """
    with transaction.atomic():
        devices = plans.take_outdated()
        touched = mark_stale(Config.objects.filter(device__in=devices, is_retired=False))
    if touched:
        render_stale()
    return touched


@transaction.atomic
def set_relay(
    device: Device | None, *, by: User, endpoint: str, hub: Node | None = None, **values: Any
) -> Node:
    """Make `device` the relay `hub` (the first by default), replacing the current device.

    Raises NotPermitted except for superusers, Conflict if the device has no configuration or
    is another relay.
    """
    _check_superuser(by)
    if device is not None and not hasattr(device, "config"):
        raise Conflict(
            gettext("The device has no configuration: give it one, so that it can be told.")
        )
    hub = hub or plans.relay()
    if device is not None and Node.objects.filter(device=device).exclude(pk=hub.pk).exists():
        raise Conflict(
            gettext("The device is in the overlay already, as a member or as another relay.")
        )
    former = hub.device_id
    hub.device, hub.endpoint = device, endpoint
    for name, value in values.items():
        setattr(hub, name, value)
    hub.checked(leave_out={"owner"}).save()
    _tell_everybody(also=[hub.pk])
    if former is not None and former != hub.device_id:
        mark_stale(Config.objects.filter(device=former))
    return hub


def add_relay(device: Device, *, by: User, endpoint: str, **values: Any) -> Node:
    """Make `device` one more relay. Members are connected with all, and use the nearest."""
    _check_superuser(by)
    known = plans.relays()
    if len(known) >= MOST_RELAYS:
        raise Refused(
            gettext("There are %d relays: each costs every member a connection.") % MOST_RELAYS
        )
    with transaction.atomic():
        rank = known[-1].rank + 1
        hub = plans.new_relay(f"relay-{rank + 1}", rank)
        hub.save()
        return set_relay(device, by=by, endpoint=endpoint, hub=hub, **values)


@transaction.atomic
def remove_relay(hub: Node, *, by: User) -> None:
    """Remove a relay that is not the first. Members go on with the others."""
    _check_superuser(by)
    if hub.rank == 0:
        raise Refused(
            gettext("The first relay's address is in all join codes: choose another device.")
        )
    former = hub.device_id
    hub.delete()
    _tell_everybody()
    if former is not None:
        mark_stale(Config.objects.filter(device=former))


def _check_superuser(by: User) -> None:
    if not by.is_superuser:
        raise NotPermitted(
            gettext("Only a superuser chooses relays: they serve every network.")
        )


def _tell_everybody(also: Iterable[int] = ()) -> None:
    members = Node.objects.filter(memberships__isnull=False).values_list("pk", flat=True)
    plans.mark_outdated([], also=[*also, *members])
