"""Rendering of devices whose overlay membership has changed."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, NotPermitted
from controller.configs.models import Config
from controller.configs.rules.rendering import mark_stale, render_stale
from controller.devices.models import Device
from networks.overlay.models import Node
from networks.overlay.rules import plans

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
def set_relay(device: Device | None, *, by: User, endpoint: str, **values: Any) -> Node:
    """Make `device` the relay, replacing the current one.

    Raises NotPermitted except for superusers, Conflict if the device has no configuration.
    """
    if not by.is_superuser:
        raise NotPermitted(
            gettext("Only a superuser chooses the relay: it serves every network.")
        )
    if device is not None and not hasattr(device, "config"):
        raise Conflict(
            gettext("The device has no configuration: give it one, so that it can be told.")
        )
    hub = plans.relay()
    former = hub.device_id
    hub.device, hub.endpoint = device, endpoint
    for name, value in values.items():
        setattr(hub, name, value)
    hub.checked(leave_out={"owner"}).save()
    everybody = Node.objects.filter(memberships__isnull=False).values_list("pk", flat=True)
    plans.mark_outdated([], also=[hub.pk, *everybody])
    if former is not None and former != hub.device_id:
        mark_stale(Config.objects.filter(device=former))
    return hub
