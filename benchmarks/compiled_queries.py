"""Benchmark of queries whose SQL is compiled once, beside the same queries as Django makes them.

    python -m benchmarks.compiled_queries [calls]

Prints the processor's time of a call, in microseconds: the median of nine rounds, in which the
two take turns. SpatiaLite in memory, so that the database itself costs little.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 9


def prepare() -> None:
    """Create the tables of an empty database in memory."""
    os.environ |= {
        "SECRET_KEY": "x" * 60, "MUSTER_ENCRYPTION_KEYS": "a key for measuring",
        "MUSTER_DATA_DIR": tempfile.mkdtemp(), "DJANGO_SETTINGS_MODULE": "controller.settings",
        "CELERY_BROKER_URL": "memory://",
    }  # fmt: skip
    os.environ.pop("DATABASE_URL", None)
    import django
    from django.apps import apps
    from django.conf import settings
    from django.db import connection

    django.setup()
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    connection.creation.create_test_db(verbosity=0)


def cost(work: Callable[[], Any], calls: int) -> float:
    begun = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - begun) / calls * 1e6


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    prepare()
    from controller.accounts.models import Organization
    from controller.configs.models import Config
    from controller.configs.rules.agent import ARCHIVE_QUERY, REPEATED_REPORT
    from controller.devices.models import Device

    owner = Organization.objects.create(name="bench", slug="bench")
    device = Device.objects.create(
        organization=owner, name="ap", mac_address="52:54:00:00:00:01"
    )
    Config.objects.create(device=device, status=Config.Status.APPLIED)
    for name, query in (("archive", ARCHIVE_QUERY), ("repeated report", REPEATED_REPORT)):
        assert query(device=device.pk) == list(query.build(device=device.pk))
        found: dict[str, list[float]] = {"compiled": [], "plain": []}
        for _ in range(ROUNDS):
            found["compiled"].append(cost(lambda q=query: q(device=device.pk), calls))  # type: ignore[misc]
            found["plain"].append(cost(lambda q=query: list(q.build(device=device.pk)), calls))  # type: ignore[misc]
        shown = ", ".join(
            f"{way} {statistics.median(all_):.0f} µs" for way, all_ in found.items()
        )
        print(f"{name}: {shown}")


if __name__ == "__main__":
    main()
