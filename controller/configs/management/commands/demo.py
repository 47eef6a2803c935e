"""Create a demo fleet: an organization, templates, and devices to push to."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from controller.accounts.models import Organization
from controller.base.management.console import described, pause
from controller.configs.models import Backend, Config, Template
from controller.configs.rules.devices import create_device
from controller.configs.rules.groups import create_group
from controller.configs.rules.templates import create_template
from controller.connections.models import Credentials
from controller.connections.rules import connect, create_credentials
from controller.devices.models import Device

SITES = ("lisbon", "oslo", "nairobi", "lima", "osaka")

TEMPLATES: list[dict[str, Any]] = [
    {
        "name": "Welcome",
        "default": True,
        "default_values": {"contact": "noc@example.org"},
        "config": {
            "files": [
                {
                    "path": "etc/motd",
                    "mode": "0644",
                    "contents": "{{ name }} in {{ site }}, kept by {{ contact }}\n",
                }
            ]
        },
    },
    {
        "name": "Time",
        "config": {
            "general": {"timezone": "{{ timezone }}"},
            "ntp": {"enabled": True, "server": ["0.pool.ntp.org", "1.pool.ntp.org"]},
        },
        "default_values": {"timezone": "UTC"},
    },
    {
        "name": "Reload journal",
        "required": True,
        "config": {
            "files": [
                {
                    "path": "etc/muster/reload.d/10-journal",
                    "mode": "0755",
                    "contents": (
                        '#!/bin/sh\nlog="${MUSTER_ROOT:-}/var/log"\nmkdir -p "$log"\n'
                        'echo "$(date -u +%FT%TZ) reloaded" >>"$log/muster-reload"\n'
                    ),
                }
            ]
        },
    },
]


class Command(BaseCommand):
    help = "Puts the demo devices into the inventory once, and waits until they are applied."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--fleet", type=Path, required=True, help="the folder the demo devices run in"
        )
        parser.add_argument(
            "--wait", type=float, default=60, help="seconds until all are applied"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["wait"]
        devices = described(options["fleet"] / "fleet.json", deadline)
        if not Organization.objects.filter(slug="demo").exists():
            make(devices)
        self.watch(deadline)

    def watch(self, deadline: float) -> None:
        demo = Config.objects.filter(device__organization__slug="demo")
        total = demo.count()
        while (done := demo.filter(status=Config.Status.APPLIED).count()) < total:
            pause(deadline, f"{done} of {total} demo devices are applied; see the device list.")
        self.stdout.write(f"{done} of {total} demo devices are applied.")


@transaction.atomic
def make(devices: list[dict[str, Any]]) -> None:
    organization = Organization.objects.create(name="Demo", slug="demo")
    templates = [
        create_template(organization=organization, backend=Backend.OPENWRT, **values)
        for values in TEMPLATES
    ]
    group = create_group(
        organization=organization, name="Branches", context={"contact": "branches@example.org"}
    )
    key = Path(devices[0]["private_key"]).read_text()
    credentials = create_credentials(
        organization=organization,
        name="Demo devices",
        params={"username": devices[0]["username"], "key": key},
    )
    for number, (site, told) in enumerate(zip(SITES, devices, strict=False), start=1):
        add(
            organization, site, number, told, credentials, group=group, templates=templates[1:2]
        )


def add(
    organization: Organization,
    site: str,
    number: int,
    told: dict[str, Any],
    credentials: Credentials,
    *,
    group: Any,
    templates: list[Template],
) -> Device:
    device = create_device(
        organization=organization,
        group=group if number % 2 else None,
        name=f"{site}-gateway",
        mac_address=f"02:00:5e:00:00:{number:02x}",
        management_ip=told["host"],
        model="Demo device",
        os="Debian GNU/Linux",
        config={"templates": templates, "context": {"site": site.capitalize()}},
    )
    connect(device, credentials=credentials, update_strategy="linux-files", port=told["port"])
    return device
