"""Presence of a supervisor's device: a report, a connected add-on, or an answered call."""

from datetime import timedelta

from django.utils import timezone

from controller.devices.models import Device, Presence
from controller.devices.rules import Observation, record_observations

# What is known already is not written again with each call.
NOTED_EVERY = timedelta(seconds=30)


def record_presence(device: Device) -> None:
    """Record that the device was heard of just now."""
    now = timezone.now()
    known = Presence.objects.filter(
        device=device, state=Presence.State.ONLINE, last_seen__gt=now - NOTED_EVERY
    )
    if not known.exists():
        record_observations([Observation(device.pk, Presence.State.ONLINE, at=now)])
