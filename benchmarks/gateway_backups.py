"""Benchmark of gateways' backups: ``python -m benchmarks.gateway_backups [gateways] [days]``.

A year of daily backups is stored as workers store them, in a database of its own: each gateway
has an export of its own that changes every ten days, and is equal on all others. Then policies
keep 60 of each, and two backups are compared. No device is asked.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import timedelta
from typing import Any

from benchmarks.monitoring import prepare

LINES, CHANGED_EVERY = 1200, 10
MEGA = 1_000_000


def export(gateway: int, revision: int) -> bytes:
    """Return an export of 60 to 70 kB, of which a few lines differ by revision."""
    dice = random.Random(gateway)
    lines = [
        f"/ip firewall filter add chain=forward protocol=tcp dst-port={dice.randrange(65536)} "
        f"src-address=10.{dice.randrange(256)}.{dice.randrange(256)}.0/24 action=accept"
        for _ in range(LINES)
    ]
    dice = random.Random(gateway * 1000 + revision)
    for _ in range(5):
        lines[dice.randrange(LINES)] = (
            f"/ppp secret add name=u{revision} password={dice.random()}"
        )
    return "\n".join(lines).encode()


def seed(count: int) -> list[Any]:
    from controller.accounts.models import Organization
    from networks.gateways.models import Gateway

    organization = Organization.objects.create(name="bench", slug="bench")
    return Gateway.objects.bulk_create(
        Gateway(
            organization=organization, name=f"edge {at}", vendor="mikrotik", key="k", secret="s",
            url=f"https://10.0.{at // 250}.{at % 250 + 1}",
        )
        for at in range(count)
    )  # fmt: skip


def store(gateways: list[Any], days: int) -> None:
    from django.utils import timezone

    from controller.base.leases import LeaseHolder
    from networks.gateways.engine.backups import TEXT, BackupFile
    from networks.gateways.models import BACKUPS, GatewayBackup
    from networks.gateways.rules import backup_queue

    begun, now = time.process_time(), timezone.now()
    policies = backup_queue.prune
    backup_queue.prune = lambda _: 0  # type: ignore[assignment] - afterwards, to be measured
    for day in range(days):
        GatewayBackup.objects.bulk_create(GatewayBackup(gateway=one) for one in gateways)
        holder = LeaseHolder(BACKUPS)
        while rows := holder.lease(20):
            for row in rows:
                at = int(row.gateway.name.split()[1])
                file = BackupFile("export.rsc", TEXT, export(at, day // CHANGED_EVERY))
                backup_queue.record(holder, row, (file, "7.24"))
        GatewayBackup.objects.filter(created__gte=now).update(
            created=now - timedelta(days=days - day)
        )
    backup_queue.prune = policies
    stored = len(gateways) * days
    spent = time.process_time() - begun
    print(f"{stored} backups stored: {spent / stored * 1000:.1f} ms of CPU each")


def measure(gateways: list[Any]) -> None:
    from django.db.models import Count, Sum
    from django.db.models.functions import Length

    from networks.gateways.models import GatewayBackup, StoredConfiguration
    from networks.gateways.rules import backup_queue
    from networks.gateways.rules.backup_comparison import compare

    def size() -> str:
        told = StoredConfiguration.objects.aggregate(
            rows=Count("pk"), held=Sum(Length("contents")), raw=Sum("size")
        )
        return (
            f"{GatewayBackup.objects.count()} backups, {told['rows']} contents of "
            f"{told['raw'] / MEGA:.0f} MB in {told['held'] / MEGA:.0f} MB"
        )

    print(f"stored: {size()}")
    begun = time.monotonic()
    backup_queue.plan_due()
    print(f"finding what is due: {time.monotonic() - begun:.2f} s")
    rows = list(GatewayBackup.objects.filter(gateway=gateways[0], state="stored"))
    first, last = rows[0], rows[-1]
    begun = time.monotonic()
    found = compare(last, first)
    print(f"comparing two ({found.added} lines differ): {time.monotonic() - begun:.2f} s")
    begun = time.monotonic()
    gone = backup_queue.prune_all()
    print(f"retention: {gone} deleted in {time.monotonic() - begun:.1f} s; left: {size()}")


def main() -> None:
    count, days = (int(one) for one in [*sys.argv[1:], *("200", "365")[len(sys.argv) - 1 :]])
    prepare()
    gateways = seed(count)
    store(gateways, days)
    measure(gateways)


if __name__ == "__main__":
    main()
