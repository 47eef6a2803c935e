"""Create a demo overlay network: a relay and two devices that reach each other."""

from argparse import ArgumentParser
from pathlib import Path
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand

from controller.accounts.models import Organization, User
from controller.base.management.console import described, pause
from controller.configs.models import Config
from controller.configs.rules import overlay_sync
from controller.configs.rules.devices import create_device
from controller.connections.models import Credentials
from controller.connections.rules import connect, create_credentials
from controller.devices.models import Device
from networks.overlay import rules
from networks.overlay.models import Network
from networks.overlay.rules import presence

NAMES = ("relay", "robot", "camera")
PORT = 51820


class Command(BaseCommand):
    help = "Puts the demo's namespaces into an overlay network once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fleet", type=Path, required=True)
        parser.add_argument("--wait", type=float, default=60)

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = monotonic() + options["wait"]
        told = described(options["fleet"] / "overlay.json", deadline)
        if told["why_not"]:
            self.stdout.write(f"No demo network: {told['why_not']}.")
            return
        if not Network.objects.filter(name="Demo robots").exists():
            make(told["hosts"])
        rows = Config.objects.filter(device__name__in=NAMES, device__organization__slug="demo")
        while (done := rows.filter(status=Config.Status.APPLIED).count()) < len(NAMES):
            pause(deadline, f"{done} of {len(NAMES)} devices of the demo network are applied.")
        presence.refresh_all()
        self.stdout.write(
            "Two devices of the demo reach each other in the network Demo robots."
        )


def make(hosts: list[dict[str, Any]]) -> None:
    owner = User.objects.filter(is_superuser=True).earliest("date_joined")
    organization = Organization.objects.get(slug="demo")
    credentials = create_credentials(
        organization=organization,
        name="Demo namespaces",
        params={
            "username": hosts[0]["username"],
            "key": Path(hosts[0]["private_key"]).read_text(),
        },
    )
    devices = [
        add(organization, name, number, host, credentials)
        for number, (name, host) in enumerate(zip(NAMES, hosts, strict=True), start=1)
    ]
    overlay_sync.set_relay(
        devices[0], by=owner, endpoint=f"{hosts[0]['public']}:{PORT}", port=PORT
    )
    network = rules.create_network(owner, name="Demo robots")
    for device in devices[1:]:
        rules.add_device(network, by=owner, device=device)


def add(
    organization: Organization,
    name: str,
    number: int,
    host: dict[str, Any],
    credentials: Credentials,
) -> Device:
    device = create_device(
        organization=organization,
        name=name,
        mac_address=f"02:00:5e:00:01:{number:02x}",
        management_ip=host["host"],
        model="Demo namespace",
        os="Debian GNU/Linux",
        config={},
    )
    connect(device, credentials=credentials, update_strategy="linux-files", port=host["port"])
    return device
