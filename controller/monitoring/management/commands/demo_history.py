"""Gives the demo fleet two weeks of measurements, so that its charts show something."""

from typing import Any

from django.core.management.base import BaseCommand

from controller.devices.models import Device
from controller.monitoring.rules.demo_history import invent_history
from controller.monitoring.rules.sample_history import now_seconds


class Command(BaseCommand):
    help = "Invents two weeks of measurements for the demo devices, once."

    def handle(self, *args: Any, **options: Any) -> None:
        devices = Device.objects.filter(organization__slug="demo", is_deactivated=False)
        count = invent_history(devices, now_seconds())
        self.stdout.write(f"{count} demo devices have a history of two weeks.")
