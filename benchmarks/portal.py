"""Benchmark of the main jobs: ``python -m benchmarks.portal [devices]``.

Polls, downloads and lists by wrk over fresh connections, a template change until every
checksum is new, and pushes to 50 real SSH servers; each next to the figures of OpenWISP
Controller 1.3.2 on an idle machine of the same kind (2 cores, PostGIS, 2 workers). On a
shared machine compare CPU milliseconds per request.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.fleet import TEMPLATES, mac, network
from benchmarks.stage import Stage, stage, wrk

SSH_DEVICES = 50
PUSH_ROUNDS = 3
# Requests per second (seconds for the template change) and CPU milliseconds, best of its runs.
ORIGINAL: dict[str, tuple[float, float]] = {
    "checksum poll": (1658.3, 0.9),
    "config download": (56.4, 38.1),
    "device list, 100 rows": (46.1, 43.2),
    "template change, devices/s": (15.4, 62.0),
    "SSH push": (0.51, 0.0),
}


def rotate(urls: list[str], token: str = "") -> str:
    """Return a wrk script that requests the URLs in turn, each on a new connection."""
    headers = 'wrk.headers["Connection"] = "close"\n'
    if token:
        headers += f'wrk.headers["Authorization"] = "Bearer {token}"\n'
    listed = ",\n".join(f'"{url}"' for url in urls)
    return (
        f"{headers}local urls = {{\n{listed}\n}}\nlocal at = 0\n"
        "request = function()\n  at = at % #urls + 1\n"
        '  return wrk.format("GET", urls[at])\nend\n'
    )


def seed(count: int) -> tuple[list[Any], str, Any]:
    """Create the devices of the OpenWISP measurement: one network, two templates."""
    from controller.accounts.models import Organization, User
    from controller.accounts.rules import issue_token
    from controller.base.secrets import digest
    from controller.configs.models import Backend, Config, TemplateUse
    from controller.configs.rules.rendering import render_stale
    from controller.configs.rules.templates import create_template
    from controller.devices.models import Device, OrganizationSettings, Presence

    organization = Organization.objects.create(name="bench", slug="bench")
    OrganizationSettings(organization=organization).save()
    templates = [
        create_template(
            organization=organization, name=name, backend=Backend.OPENWRT, config=config
        )
        for name, config in TEMPLATES.items()
    ]
    devices = [
        Device(
            organization=organization,
            name=f"bench-{number:06}",
            mac_address=mac(number),
            key=f"{number:032x}",
            key_digest=digest(f"{number:032x}"),
            model="TP-Link Archer C7 v5",
            os="OpenWrt 23.05.3",
            system="Qualcomm Atheros QCA956X",
        )
        for number in range(count)
    ]
    Device.objects.bulk_create(devices, batch_size=500)
    Presence.objects.bulk_create([Presence(device=device) for device in devices])
    configs = Config.objects.bulk_create(
        [
            Config(device=device, config=network(number), context={"ssid": f"wifi-{number}"})
            for number, device in enumerate(devices)
        ],
        batch_size=500,
    )
    TemplateUse.objects.bulk_create(
        [
            TemplateUse(config=config, template=template, position=position)
            for config in configs
            for position, template in enumerate(templates)
        ],
        batch_size=2000,
    )
    render_stale()
    admin = User.objects.create_superuser("admin", "admin@example.org", "a good password")
    return devices, issue_token(admin, name="benchmark"), templates[0]


class Results:
    def __init__(self) -> None:
        sys.stdout.write(
            f"{'':28}{'per second':>12}{'ratio':>8}{'CPU ms web':>12}{'+ database':>12}"
            f"{'ratio':>8}\n"
        )

    def add(self, name: str, rate: float, cpu_ms: float, database_ms: float) -> None:
        theirs, their_cpu = ORIGINAL[name]
        ours_cpu = cpu_ms + database_ms
        ratio = f"{their_cpu / ours_cpu:7.1f}x" if their_cpu and ours_cpu else f"{'-':>8}"
        sys.stdout.write(
            f"{name:28}{rate:12.1f}{rate / theirs:7.1f}x{cpu_ms:12.2f}{database_ms:12.2f}{ratio}\n"
        )
        sys.stdout.flush()


def by_wrk(at: Stage, results: Results, name: str, url: str, script: str) -> None:
    wrk(url, seconds=2, script=script)
    before = at.cpu("web"), at.cpu("postgres")
    run = wrk(url, script=script)
    assert not run["bad"], f"{name}: {run}"
    spent = [at.cpu("web") - before[0], at.cpu("postgres") - before[1]]
    results.add(name, run["per_second"], *(1000 * one / run["requests"] for one in spent))


def template_change(at: Stage, results: Results, template: Any, token: str) -> None:
    import httpx

    from controller.configs.models import Config

    before = dict(Config.objects.values_list("pk", "desired"))
    cpu = at.cpu("worker") + at.cpu("web"), at.cpu("postgres")
    began = time.monotonic()
    config = template.config | {"general": {"timezone": "UTC"}}
    answer = httpx.patch(
        f"{at.url}/api/v1/controller/template/{template.pk}/",
        headers={"Authorization": f"Bearer {token}"},
        json={"config": config},
        timeout=60,
    )
    answer.raise_for_status()
    first = 0.0
    while True:
        new = sum(
            snapshot != before[pk]
            for pk, snapshot in Config.objects.values_list("pk", "desired")
        )
        if new and not first:
            first = time.monotonic() - began
        if new == len(before):
            break
        assert time.monotonic() - began < 120, (new, (at.folder / "worker.log").read_text())
        time.sleep(0.05)
    seconds = time.monotonic() - began
    time.sleep(0.2)
    results.add(
        "template change, devices/s",
        len(before) / seconds,
        1000 * (at.cpu("worker") + at.cpu("web") - cpu[0]) / len(before),
        1000 * (at.cpu("postgres") - cpu[1]) / len(before),
    )
    sys.stdout.write(f"  all {len(before)} in {seconds:.1f} s, the first after {first:.1f} s\n")


def list_queries(token: str) -> None:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"Authorization": f"Bearer {token}"})
    counts = []
    for size in (10, 100):
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/api/v1/controller/device/?page_size={size}", SERVER_NAME="localhost")
        counts.append(len(queries))
    sys.stdout.write(f"  SQL queries: {counts[0]} for 10 rows, {counts[1]} for 100\n")


def connected(organization: Any, fleet: Any) -> None:
    """Create a device with an SSH connection for each server of the fleet."""
    from controller.configs.rules.devices import create_device
    from controller.connections.rules import connect, create_credentials

    params = {
        "username": fleet.devices[0].username,
        "key": Path(fleet.devices[0].client_key_path).read_text(),
    }
    credentials = create_credentials(organization=organization, name="fleet", params=params)
    for number, server in enumerate(fleet.devices):
        device = create_device(
            organization=organization,
            name=f"ssh-{number}",
            mac_address=f"02:01:00:00:00:{number:02x}",
            management_ip=server.host,
            config={},
        )
        connect(
            device, credentials=credentials, update_strategy="linux-files", port=server.port
        )


def ssh_pushes(at: Stage, results: Results) -> None:
    """Measure pushing a new template to 50 devices; the first round is a warm-up."""
    from controller.accounts.models import Organization
    from controller.configs.models import Backend, Config
    from controller.configs.rules.templates import create_template, update_template
    from tests.fleet.ssh import Fleet

    organization = Organization.objects.create(name="ssh", slug="ssh")
    configs = Config.objects.filter(device__organization=organization)
    with Fleet(SSH_DEVICES, at.folder / "fleet") as fleet:
        connected(organization, fleet)
        template = create_template(
            organization=organization,
            name="motd",
            backend=Backend.OPENWRT,
            required=True,
            config=motd(0),
        )
        for number in range(PUSH_ROUNDS + 1):
            cpu = at.cpu("worker"), at.cpu("postgres")
            began = time.monotonic()
            update_template(template, config=motd(number + 1))
            while configs.stale().exists() or configs.exclude(status="applied").exists():
                assert time.monotonic() - began < 120, set(configs.values_list("error_reason"))
                time.sleep(0.05)
            seconds = time.monotonic() - began
            time.sleep(0.5)
            if number:
                results.add(
                    "SSH push",
                    SSH_DEVICES / seconds,
                    1000 * (at.cpu("worker") - cpu[0]) / SSH_DEVICES,
                    1000 * (at.cpu("postgres") - cpu[1]) / SSH_DEVICES,
                )


def motd(number: int) -> dict[str, Any]:
    words = f"{number}: {{{{ name }}}}\n" * 20
    return {"files": [{"path": "etc/motd", "mode": "0644", "contents": words}]}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with stage() as at:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        devices, token, template = seed(count)
        at.start_web()
        results = Results()
        polls = [f"/controller/checksum/{row.pk.hex}/?key={row.key}" for row in devices]
        by_wrk(at, results, "checksum poll", at.url, rotate(polls))
        downloads = [
            f"/controller/download-config/{row.pk.hex}/?key={row.key}" for row in devices
        ]
        by_wrk(at, results, "config download", at.url, rotate(downloads))
        lists = [
            f"/api/v1/controller/device/?page_size=100&page={n}"
            for n in range(1, count // 100 + 1)
        ]
        by_wrk(at, results, "device list, 100 rows", at.url, rotate(lists, token))
        list_queries(token)
        at.start_worker()
        template_change(at, results, template, token)
        ssh_pushes(at, results)


if __name__ == "__main__":
    main()
