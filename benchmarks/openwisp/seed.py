"""Seed OpenWISP with Muster's fleet: ``python -m benchmarks.openwisp.seed COUNT``.

Prints one line of JSON: a token, the id of the template to change, its organization, and
id, key and address of each device.
"""

from __future__ import annotations

import json
import os
import sys

import django

from benchmarks.fleet import TEMPLATES, address, mac, network

os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get(
    "BENCH_OPENWISP_SETTINGS", "benchmarks.openwisp.settings"
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.contrib.gis.geos import Point  # noqa: E402
from openwisp_users.models import Organization  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402
from swapper import load_model  # noqa: E402

Config, Device, Template = (
    load_model("config", one) for one in ("Config", "Device", "Template")
)
Location, DeviceLocation = (load_model("geo", one) for one in ("Location", "DeviceLocation"))
BATCH = 500


def seed(count: int) -> dict[str, object]:
    organization = Organization.objects.create(name="bench", slug="bench")
    templates = [
        Template.objects.create(
            organization=organization, name=name, backend="netjsonconfig.OpenWrt", config=config
        )
        for name, config in TEMPLATES.items()
    ]
    devices = Device.objects.bulk_create(
        [
            Device(
                organization=organization, name=f"bench-{number:06}", mac_address=mac(number),
                key=f"{number:032x}", model="TP-Link Archer C7 v5", os="OpenWrt 23.05.3",
                system="Qualcomm Atheros QCA956X", last_ip=address(number),
            )
            for number in range(count)
        ],
        batch_size=BATCH,
    )  # fmt: skip
    configs = Config.objects.bulk_create(
        [
            Config(
                device=device, backend="netjsonconfig.OpenWrt", config=network(number),
                context={"ssid": f"wifi-{number}"}, status="applied",
            )
            for number, device in enumerate(devices)
        ],
        batch_size=BATCH,
    )  # fmt: skip
    through = Config.templates.through
    through.objects.bulk_create(
        [
            through(config=config, template=template, sort_value=position)
            for config in configs
            for position, template in enumerate(templates)
        ],
        batch_size=2000,
    )
    for config in Config.objects.select_related("device__organization").iterator(BATCH):
        Config.objects.filter(pk=config.pk).update(checksum_db=config.checksum)
    place(organization, devices)
    admin = get_user_model().objects.create_superuser(
        "admin", "admin@example.org", "a password"
    )
    return {
        "token": Token.objects.create(user=admin).key,
        "template": str(templates[0].pk),
        "organization": str(organization.pk),
        "devices": [[row.pk.hex, row.key, row.last_ip] for row in devices],
    }


def place(organization: Organization, devices: list[object]) -> None:
    locations = Location.objects.bulk_create(
        [
            Location(
                organization=organization, name=f"site-{number:05}", type="outdoor",
                geometry=Point(number % 360 - 180, number % 170 - 85),
            )
            for number in range(len(devices) // 5)
        ],
        batch_size=BATCH,
    )  # fmt: skip
    ContentType.objects.get_for_model(Device)
    DeviceLocation.objects.bulk_create(
        [
            DeviceLocation(content_object=device, location=locations[number // 5])
            for number, device in enumerate(devices[: 5 * len(locations)])
        ],
        batch_size=BATCH,
    )


if __name__ == "__main__":
    json.dump(seed(int(sys.argv[1])), sys.stdout)
