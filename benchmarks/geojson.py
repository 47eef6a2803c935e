"""Benchmark of the map's GeoJSON: ``python -m benchmarks.geojson [devices]``.

Every device has its own location, the worst case of a map. All are fetched in one request
through the full Django stack, on a database of its own (SpatiaLite, or DATABASE_URL). For
comparison a page of 100 features, which took OpenWISP Controller 1.3.2 29.4 ms of CPU in
its web process and 36.1 ms in PostgreSQL, with 10,000 devices at 2,000 locations on 2
cores.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import tests.plugins.services  # noqa: F401 - the environment, and a Redis

RUNS = 7
ORIGINAL_MILLISECONDS = 29.4 + 36.1
STATES = ("online", "offline", "unknown")


def seed(count: int) -> Any:
    from django.contrib.gis.geos import Point

    from controller.base.secrets import digest
    from controller.devices.models import Device, Presence
    from geo.models import DeviceLocation, Location
    from tests import factories

    organization = factories.organization()
    locations = Location.objects.bulk_create(
        [
            Location(
                organization=organization,
                name=f"site-{number:05}",
                type="outdoor",
                address=f"Street {number}, Roma",
                geometry=Point(
                    number * 0.917 % 360 - 180, number * 0.377 % 140 - 70, srid=4326
                ),
            )
            for number in range(count)
        ],
        batch_size=500,
    )
    devices = Device.objects.bulk_create(
        [
            Device(
                organization=organization,
                name=f"ap-{number:05}",
                mac_address=factories.mac(),
                key=f"key-{number}",
                key_digest=digest(f"key-{number}"),
            )
            for number in range(count)
        ],
        batch_size=500,
    )
    Presence.objects.bulk_create(
        [Presence(device=one, state=STATES[at % 3]) for at, one in enumerate(devices)],
        batch_size=500,
    )
    DeviceLocation.objects.bulk_create(
        [
            DeviceLocation(device=device, location=location)
            for device, location in zip(devices, locations, strict=True)
        ],
        batch_size=500,
    )
    return organization


def main(count: int) -> None:
    import django
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    django.setup()
    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        measure(count)
    finally:
        teardown_databases(databases, verbosity=0)


def measure(count: int) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from rest_framework.test import APIClient

    from tests import factories

    client = APIClient()
    member = factories.user(seed(count), "viewer")
    client.credentials(HTTP_AUTHORIZATION=factories.bearer(member)["Authorization"])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"{connection.vendor}, {count} located devices, median of {RUNS}")
    for label, query in (
        ("all of them", {"page_size": count}),
        ("100 of them", {"page_size": 100}),
        ("in a box of 10 by 10 degrees", {"page_size": count, "in_bbox": "0,0,10,10"}),
        ("within 500 km", {"page_size": count, "point": "12.5,41.9", "dist": 500_000}),
    ):
        times = []
        for _ in range(RUNS):
            with CaptureQueriesContext(connection) as queries:
                start = time.perf_counter()
                answer = client.get("/api/v1/controller/location/geojson/", query)
                times.append((time.perf_counter() - start) * 1000)
            assert answer.status_code == 200
        print(
            f"{label:30} {statistics.median(times):8.1f} ms {len(queries):3} queries "
            f"{len(answer.json()['features']):6} features {len(answer.content) / 1e6:6.2f} MB"
        )
    print(f"{'OpenWISP 1.3.2, 100 features':30} {ORIGINAL_MILLISECONDS:8.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
