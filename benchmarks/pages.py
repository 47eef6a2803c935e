"""Benchmark of the main admin pages with 10,000 devices.

``python -m benchmarks.pages [devices]`` seeds a SpatiaLite file (or an empty DATABASE_URL)
with devices, their states, places and history, and requests each page through the full
Django stack, as a superuser and as a manager of one organization: CPU milliseconds per
request (median and worst), number of queries, and size.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from importlib import import_module
from typing import Any

BOUND_MS = 300
RUNS = 15
ORGANIZATIONS = 4
PAGES = (
    ("dashboard", "/admin/"),
    ("devices", "/admin/devices/device/"),
    ("devices, last page", "/admin/devices/device/?p={last}"),
    ("devices in trouble", "/admin/devices/device/?show=problems"),
    ("devices, searched", "/admin/devices/device/?q=bench-00123"),
    ("search everywhere", "/admin/search/?s=bench-00123&extended=1"),
    ("map (page)", "/admin/geo/location/"),
    ("map (its data)", "{map}"),
    ("a device", "/admin/devices/device/{device}/change/"),
    ("notifications", "/admin/notifications/notification/"),
    ("audit", "/admin/accounts/auditentry/"),
)


def seed(count: int) -> Any:
    from django.contrib.gis.geos import Point
    from django.utils import timezone

    from benchmarks.fleet import mac
    from controller.accounts.models import Organization
    from controller.base.secrets import digest
    from controller.configs.models import Config
    from controller.devices.models import Device, Presence, StatusChange
    from geo.models import DeviceLocation, Location

    now = timezone.now()
    owners = [
        Organization.objects.create(name=f"bench {n}", slug=f"bench-{n}")
        for n in range(ORGANIZATIONS)
    ]
    for start in range(0, count, 2000):
        numbers = range(start, min(count, start + 2000))
        devices = Device.objects.bulk_create(
            Device(organization=owners[n % ORGANIZATIONS], name=f"bench-{n:06}", mac_address=mac(n),
                   key=f"{n:032x}", key_digest=digest(f"{n:032x}"), model="Model A")
            for n in numbers
        )  # fmt: skip
        states = [Presence.State.ONLINE] * 8 + [Presence.State.OFFLINE, Presence.State.UNKNOWN]
        Presence.objects.bulk_create(
            Presence(device=one, state=states[n % 10], last_seen=now, last_ip="10.0.0.1")
            for n, one in zip(numbers, devices, strict=True)
        )
        Config.objects.bulk_create(Config(device=one) for one in devices)
        StatusChange.objects.bulk_create(
            StatusChange(device=one, state=state) for one in devices for state in states[7:9]
        )
        places = Location.objects.bulk_create(
            Location(organization=one.organization, name=f"place {one.name}", type="outdoor",
                     geometry=Point((n * 7.31) % 360 - 180, (n * 3.17) % 140 - 70, srid=4326))
            for n, one in zip(numbers, devices, strict=True)
        )  # fmt: skip
        DeviceLocation.objects.bulk_create(
            DeviceLocation(device=one, location=place)
            for one, place in zip(devices, places, strict=True)
        )
    return owners[0]


def measure(client: Any, path: str) -> tuple[float, float, int, int]:
    from django.db import connection

    queries = 0

    def note(execute: Any, *rest: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*rest)

    def ask() -> tuple[float, int]:
        # CPU of this process including SQLite, independent of other load on the machine.
        began = time.process_time()
        answer = client.get(path, SERVER_NAME="localhost")
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        spent = 1000 * (time.process_time() - began)
        assert answer.status_code == 200, (path, answer.status_code)
        return spent, len(body)

    ask()
    with connection.execute_wrapper(note):
        _, size = ask()
    spent = [ask()[0] for _ in range(RUNS)]
    return statistics.median(spent), max(spent), queries, size


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    os.environ |= {"LOG_LEVEL": "ERROR", "DJANGO_SETTINGS_MODULE": "controller.settings"}
    # A temporary folder, settings and a Redis that end with this program.
    import_module("tests.plugins.services")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    run(count)


def run(count: int) -> None:
    from django.db import connection
    from django.test import Client

    from controller.accounts.models import Membership, User
    from controller.devices.models import Device

    owner = seed(count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    root = User.objects.create_superuser("root", "root@example.org", "a password")
    manager = User.objects.create_user("manager", "manager@example.org", is_staff=True)
    Membership.objects.create(user=manager, organization=owner, role="org_admin")
    device = Device.objects.filter(organization=owner).latest("created")
    print(f"{count} devices on {connection.vendor}\n")
    print(f"{'page':24}{'who':10}{'median ms':>10}{'worst ms':>10}{'queries':>9}{'kB':>8}")
    slow = 0
    for name, path in PAGES:
        for user, mine in ((root, count), (manager, count // ORGANIZATIONS)):
            client = Client()
            client.force_login(user)
            where = path.format(
                last=(mine - 1) // 50 + 1,
                device=device.pk,
                map="/api/v1/controller/location/geojson/",
            )
            median, worst, queries, size = measure(client, where)
            slow += median > BOUND_MS
            mark = "  slow" if median > BOUND_MS else ""
            print(
                f"{name:24}{user.username:10}{median:10.0f}{worst:10.0f}{queries:9}{size / 1024:8.0f}{mark}"
            )
    print(f"\n{slow} above {BOUND_MS} ms.")


if __name__ == "__main__":
    main()
