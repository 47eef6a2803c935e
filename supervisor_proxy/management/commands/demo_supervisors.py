"""One of the demo devices gets a balena supervisor, and one that of Home Assistant."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from controller.devices.models import Device
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.homes import look_at_all
from supervisor_proxy.rules.supervisors import add_supervisor, update_supervisor

DEVICES = {"balena": "osaka-gateway", "hassio": "nairobi-gateway"}
WAIT_SECONDS = 20


class Command(BaseCommand):
    help = "Tells the portal of the stand-in supervisors that run beside the demo devices."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fleet", type=Path, required=True, help="the folder they run in")

    def handle(self, *args: Any, **options: Any) -> None:
        for flavor, told in described(options["fleet"] / "supervisors.json").items():
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


def described(path: Path) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise CommandError(f"No demo supervisors run in {path.parent}; see their log.")
        time.sleep(0.2)  # noqa: TID251 - waits for another process, at a terminal
    told: dict[str, Any] = json.loads(path.read_text())
    return told
