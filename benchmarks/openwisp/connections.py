"""Give OpenWISP's devices SSH connections and a change to push.

Reads JSON: the SSH server's port, the user's name and key, and the number of devices.
"""

from __future__ import annotations

import json
import os
import sys
import time

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.openwisp.settings"
django.setup()

from openwisp_users.models import Organization  # noqa: E402
from swapper import load_model  # noqa: E402

Config, Device, Template = (
    load_model("config", one) for one in ("Config", "Device", "Template")
)
Credentials, DeviceConnection = (
    load_model("connection", one) for one in ("Credentials", "DeviceConnection")
)
STRATEGY = "openwisp_controller.connection.connectors.openwrt.ssh.OpenWrt"
CONNECTOR = "openwisp_controller.connection.connectors.ssh.Ssh"


def motd(number: int) -> dict[str, object]:
    words = f"{number}: {{{{ name }}}}\n" * 20
    return {"files": [{"path": "etc/motd", "mode": "0644", "contents": words}]}


def create(facts: dict[str, object]) -> None:
    organization = Organization.objects.create(name="ssh", slug="ssh")
    params = {name: facts[name] for name in ("username", "key", "port")}
    credentials = Credentials.objects.create(
        organization=organization, name="fleet", connector=CONNECTOR, params=params
    )
    Template.objects.create(
        organization=organization, name="motd", backend="netjsonconfig.OpenWrt",
        required=True, config=motd(0),
    )  # fmt: skip
    for number in range(int(str(facts["count"]))):
        device = Device.objects.create(
            organization=organization, name=f"ssh-{number}", management_ip="127.0.0.1",
            mac_address=f"02:01:00:00:00:{number:02x}",
        )  # fmt: skip
        Config.objects.create(device=device, backend="netjsonconfig.OpenWrt", config={})
        DeviceConnection.objects.create(
            device=device, credentials=credentials, update_strategy=STRATEGY
        )


def change() -> None:
    template = Template.objects.get(name="motd")
    template.config = motd(int(time.time()))
    template.full_clean()
    template.save()


if __name__ == "__main__":
    given = json.load(sys.stdin)
    if "change" in sys.argv:
        change()
    else:
        create(given)
