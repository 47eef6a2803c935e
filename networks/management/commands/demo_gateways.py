"""Create a demo gateway of each vendor, each with a pending change."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from controller.accounts.models import Organization, Site, User
from controller.accounts.rules import sites
from controller.base.management.console import described
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Gateway
from networks.gateways.rules import changes, gateways

WAIT_SECONDS = 20
SITE = "head-office"
# Pending change of each vendor.
STAGED = {
    "mikrotik": "mikrotik.firewall.filter_rule",
    "omada": "firewall.port_forward",
    "openwrt": "openwrt.dhcp.static_host",
    "opnsense": "opnsense.firewall.alias",
    "pfsense": "pfsense.firewall.alias",
    "proxmox": "proxmox.vm.start",
    "unifi": "unifi.dns.static",
}


class Command(BaseCommand):
    help = "Tells the portal of the stand-in gateways that run beside the demo devices."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fleet", type=Path, required=True, help="the folder they run in")

    def handle(self, *args: Any, **options: Any) -> None:
        told = described(options["fleet"] / "gateways.json", time.monotonic() + WAIT_SECONDS)
        organization = Organization.objects.get(slug="demo")
        owner = User.objects.filter(is_superuser=True).earliest("date_joined")
        site = Site.objects.filter(organization=organization, slug=SITE).first()
        site = site or sites.create_site(
            organization=organization, name="Head office", slug=SITE
        )
        for vendor, one in told.items():
            add(site, owner, vendor, one)
        self.stdout.write(f"{len(told)} gateways of vendors have a change each to be reviewed.")


def add(site: Site, owner: User, vendor: str, told: dict[str, Any]) -> None:
    organization = site.organization
    values = {"url": told["url"], "key": told["key"], "secret": told["secret"], "site": site}
    name = f"demo {vendor}"
    found = Gateway.objects.filter(organization=organization, name=name).first()
    if found is not None:
        gateways.update_gateway(found, **values)
        return
    gateway = gateways.create_gateway(
        organization=organization, name=name, vendor=vendor, **values
    )
    gateways.look(gateway)
    feature = FEATURES[STAGED[vendor]]
    changes.stage(
        gateway, feature=feature, operation="create", payload=feature.example, by=owner,
        notes="For a look at how a change is reviewed",
    )  # fmt: skip
