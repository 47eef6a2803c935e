"""One of the demo devices gets a balena supervisor, to call and to look at."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from controller.devices.models import Device
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.supervisors import add_supervisor, update_supervisor

NAME = "osaka-gateway"
WAIT_SECONDS = 20


class Command(BaseCommand):
    help = "Tells the portal of the stand-in supervisor that runs beside the demo devices."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fleet", type=Path, required=True, help="the folder it runs in")

    def handle(self, *args: Any, **options: Any) -> None:
        told = described(options["fleet"] / "balena.json")
        values = {"address": told["host"], "port": told["port"], "key": told["key"]}
        found = Supervisor.objects.filter(device__name=NAME).first()
        if found is not None:
            update_supervisor(found, **values)
            return
        device = Device.objects.filter(name=NAME, organization__slug="demo").first()
        if device is None:
            return
        row = add_supervisor(device=device, app_id=told["app_id"], **values)
        self.stdout.write(f"{NAME} has a balena supervisor, number {row.pk}.")


def described(path: Path) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise CommandError(f"No demo supervisor runs in {path.parent}; see its log.")
        time.sleep(0.2)  # noqa: TID251 - waits for another process, at a terminal
    told: dict[str, Any] = json.loads(path.read_text())
    return told
