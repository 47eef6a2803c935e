"""Benchmark of monitoring: ``python -m benchmarks.monitoring [devices]``.

It measures the CPU seconds of this process alone, in a database of its own: taking reports,
judging, adding up, sealing a day, reading charts, and what all of it takes on disk.
``benchmarks.compare_monitoring`` measures OpenWISP Monitoring beside it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAYLOAD = Path(__file__).parents[1] / "tests/contract/monitoring_payloads/1_small_ap.json"
ROUNDS = 6
AT_ONCE = 200
DAY = 86_400
MANY = 10_000
MORE_SERIES = (
    "reachable", "rtt", "rtt_min", "rtt_max", "loss", "temperature", "signal_strength wwan0",
    "check_time web", "tcp_rate hq", "jitter hq",
)  # fmt: skip
# Share of one core that each kind of work takes with so many devices.
shares: dict[str, float] = {}


def prepare() -> None:
    """Set up Django with a database in a folder that is thrown away."""
    folder = tempfile.mkdtemp(prefix="muster-benchmark-")
    os.environ.setdefault(
        "SECRET_KEY", "a-secret-key-of-the-benchmark-with-fifty-characters-or-so"
    )
    os.environ.setdefault("MUSTER_ENCRYPTION_KEYS", "an-encryption-key-of-the-benchmark")
    os.environ["MUSTER_DATA_DIR"] = folder
    os.environ["MUSTER_DEVICE_NETWORKS"] = "127.0.0.0/8"
    os.environ["DJANGO_SETTINGS_MODULE"] = "controller.settings"
    # The loss of Redis, which is not there, is not what is measured.
    os.environ["LOG_LEVEL"] = "ERROR"
    import django

    django.setup()
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command

    # Tables come from the models: migrations take minutes.
    settings.MIGRATION_MODULES = {one.label: None for one in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)


def devices(count: int) -> list[Any]:
    from controller.accounts.models import Organization
    from controller.base.secrets import digest
    from controller.devices.models import Device

    organization = Organization.objects.create(name="bench", slug="bench")
    rows = [
        Device(
            organization=organization, name=f"device-{at}", key=f"key-{at}",
            key_digest=digest(f"key-{at}"),
            mac_address=f"02:00:{at >> 24:02x}:{at >> 16 & 255:02x}:{at >> 8 & 255:02x}:{at & 255:02x}",
        )
        for at in range(count)
    ]  # fmt: skip
    return Device.objects.bulk_create(rows, batch_size=1000)


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def grown(body: dict[str, Any], number: int) -> bytes:
    """Return the report of a later moment: counters and uptime have grown."""
    body["general"]["uptime"] += 300
    for interface in body["interfaces"]:
        for name in interface.get("statistics", {}):
            interface["statistics"][name] += 1000 * number
    return json.dumps(body, separators=(",", ":")).encode()


def ingest(rows: list[Any], start: int) -> None:
    from controller.monitoring.rules import reports

    body = json.loads(PAYLOAD.read_text())
    total = 0.0
    for number in range(ROUNDS):
        content = grown(body, number)
        now = start + number * 300
        posted = [reports.Posted(row.pk, row.key, content, now) for row in rows]
        for at in range(0, len(posted), AT_ONCE):
            some = posted[at : at + AT_ONCE]
            seconds, answers = cpu(lambda some=some: reports.receive(some))
            assert {one.status for one in answers} == {200}
            total += seconds if number else 0  # the first round also makes the rows
    each = 1000 * total / (len(rows) * (ROUNDS - 1))
    shares["taking reports every 5 min"] = each * MANY / 300_000
    print(f"report of {len(content):,} bytes: {each:.3f} ms of CPU")


def judge(rows: list[Any]) -> None:
    from controller.monitoring.rules.health import judge_all
    from controller.monitoring.rules.organization_totals import record_totals

    judge_all()
    seconds, _ = cpu(judge_all)
    shares["judging every 30 s"] = seconds / 30 * MANY / len(rows)
    print(f"judging {len(rows):,} devices: {seconds:.2f} s")
    record_totals()
    seconds, _ = cpu(record_totals)
    shares["adding up every 5 min"] = seconds / 300 * MANY / len(rows)
    print(f"adding up {len(rows):,} devices: {seconds:.2f} s")


def seal(rows: list[Any], start: int) -> None:
    from controller.monitoring.engine import vectors
    from controller.monitoring.models import Block, LatestSample, Sample
    from controller.monitoring.rules import sample_history

    some = rows[:20]
    latest = {
        row.monitored_id: row for row in LatestSample.objects.filter(monitored__device__in=some)
    }
    day = start - start % DAY - 400 * DAY
    Sample.objects.all().delete()
    series, chance = 0, random.Random(1)
    for number, row in latest.items():
        values = vectors.known(row.values, wide=True)
        series = len(values)
        Sample.objects.bulk_create(
            Sample(number=number, at=day + at, kind=0, values=vectors.pack(
                {slot: one * (0.5 + chance.random()) for slot, one in values.items()}))
            for at in range(0, DAY, 300)
        )  # fmt: skip
    seconds, _ = cpu(lambda: sample_history.seal(day + 2 * DAY))
    shares["sealing and rolling up once a day"] = seconds / len(latest) * MANY / DAY
    sizes = {
        resolution: sum(
            len(data)
            for data in Block.objects.filter(resolution=resolution).values_list(
                "data", flat=True
            )
        )
        / len(latest)
        for resolution in (300, 3600, DAY)
    }
    size = sizes[300] * len(latest)
    samples = series * 288 * len(latest)
    print(f"sealing a day of {series} series: {1000 * seconds / len(latest):.1f} ms a device; "
          f"{seconds / len(latest) * 10_000:.0f} s a day for 10,000")  # fmt: skip
    print(f"{size / samples:.2f} bytes a sample in five minutes")
    stored(sizes, series)


def stored(sizes: dict[int, float], series: int) -> None:
    """Print what a year takes, by the usual retention; a block of days or hours grows with each."""
    from django.conf import settings

    row = 4 * series + 40
    of_device = (
        2 * 288 * row
        + settings.MUSTER_METRICS_FINE_DAYS * sizes[300]
        + 365 * (sizes[3600] + sizes[DAY])
    )
    for count in (1_000, 10_000, 100_000):
        print(f"{count:>7,} devices after a year: {of_device * count / 1e9:.1f} GB")


def read(rows: list[Any], start: int) -> None:
    from datetime import UTC

    from controller.monitoring.engine import blocks, buckets, page_charts
    from controller.monitoring.models import Block, LatestSample
    from controller.monitoring.rules import sample_history

    row = LatestSample.objects.filter(monitored__device=rows[0]).get()
    template = Block.objects.filter(number=row.monitored_id, resolution=300).latest("start")
    fine = blocks.unpack(300, template.start, template.data)
    found: dict[tuple[int, int], blocks.Block] = {}
    for day in range(start - start % DAY - 365 * DAY, start - start % DAY, DAY):
        fine.start = day
        for resolution in (3600, DAY):
            at = blocks.start_of(resolution, day)
            coarse = found.setdefault((resolution, at), blocks.Block(resolution, at))
            coarse.take(fine, day, day + DAY)
    Block.objects.filter(number=row.monitored_id).delete()
    Block.objects.bulk_create(
        Block(
            number=row.monitored_id,
            resolution=one.resolution,
            start=one.start,
            data=blocks.pack(one),
        )
        for one in found.values()
    )
    wanted = page_charts.series_of(row.layout)
    for name, series, zone in (
        ("a year, one series", ["cpu"], UTC),
        ("a year, one series, days of Lisbon", ["cpu"], buckets.zone_of("Europe/Lisbon")),
        (f"a year, {len(wanted)} series", wanted, UTC),
        (f"a day, {len(wanted)} series", wanted, UTC),
    ):
        range_ = buckets.page_range("24h" if name.startswith("a day") else "1y", start, zone)
        times = sorted(
            cpu(
                lambda range_=range_, series=series: sample_history.read(
                    row.monitored_id, row.layout, series, range_
                )
            )[0]
            for _ in range(9)
        )
        print(f"reading {name}: {1000 * times[4]:.1f} ms")


def overview(rows: list[Any], start: int) -> None:
    """Time the first day of a device's page: all of its charts in one answer."""
    from datetime import UTC

    from controller.monitoring.engine import buckets, vectors
    from controller.monitoring.models import LatestSample, Sample
    from controller.monitoring.rules import device_overview

    row = LatestSample.objects.get(monitored__device=rows[0])
    values = vectors.known(row.values, wide=True)
    # What pings, checks and modems measure makes twelve charts of it.
    for key in MORE_SERIES:
        values[len(row.layout)] = 50.0
        row.layout.append(key)
    row.save(update_fields=["layout"])
    known, now = vectors.pack(values), start + ROUNDS * 300
    Sample.objects.bulk_create(
        Sample(number=row.monitored_id, at=at, kind=0, values=known)
        for at in range(now - DAY, now, 300)
    )
    range_ = buckets.page_range("24h", now, UTC)
    found: list[dict[str, Any]] = []
    times = sorted(
        cpu(lambda: found.append(device_overview.overview(rows[0], range_)))[0]
        for _ in range(9)
    )
    print(
        f"a device's page, {len(found[0]['charts'])} charts of a day: {1000 * times[4]:.1f} ms"
    )


def ping() -> None:
    import asyncio

    from controller.monitoring.drivers import icmp

    hosts = [f"127.0.{at // 250}.{at % 250 + 1}" for at in range(1000)]
    try:
        seconds, found = cpu(lambda: asyncio.run(icmp.ping_many(hosts)))
    except icmp.NoSocket as error:
        print(f"pings: {error}")
        return
    answered = sum(len(one.times) for one in found)
    print(
        f"1,000 hosts pinged five times: {seconds:.3f} s of CPU, {answered:,} of 5,000 answered"
    )
    shares["pinging every 5 min"] = seconds * MANY / 1000 / 300


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    prepare()
    rows = devices(count)
    start = int(time.time()) - ROUNDS * 300
    ingest(rows, start)
    judge(rows)
    seal(rows, start)
    read(rows, start)
    overview(rows, start)
    ping()
    for name, share in shares.items():
        print(f"{name}, {MANY:,} devices: {share:.1%} of a core")
    print(f"all of it: {sum(shares.values()):.1%} of a core")


if __name__ == "__main__":
    main()
