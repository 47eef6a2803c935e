"""Add a balena and a Home Assistant supervisor to demo devices."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from controller.base.management.console import described
from controller.devices.models import Device
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.home_assistant_polling import look_at_all
from supervisor_proxy.rules.supervisors import add_supervisor, update_supervisor

DEVICES = {"balena": "osaka-gateway", "hassio": "nairobi-gateway"}
WAIT_SECONDS = 20


class Command(BaseCommand):
    help = "Tells the portal of the stand-in supervisors that run beside the demo devices."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fleet", type=Path, required=True, help="the folder they run in")

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        found = described(options["fleet"] / "supervisors.json", deadline)
        for flavor, told in found.items():
            self.add(DEVICES[flavor], flavor, told)
        look_at_all()

    def add(self, name: str, flavor: str, told: dict[str, Any]) -> None:
        found = Supervisor.objects.filter(device__name=name, device__organization__slug="demo")
        if (row := found.first()) is not None:
            update_supervisor(row, **told)
            return
        device = Device.objects.filter(name=name, organization__slug="demo").first()
        if device is None:
            return
        row = add_supervisor(device=device, flavor=flavor, **told)
        self.stdout.write(f"{name} has a {row.get_flavor_display()} supervisor.")
