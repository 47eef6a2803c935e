"""Samples in VictoriaMetrics and in Prometheus: charts say the same as from the database."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from controller.accounts.models import Organization
from controller.base.errors import Unreachable
from controller.devices.models import Device
from controller.monitoring.engine import buckets, remote_write
from controller.monitoring.models import LatestSample, Sample
from controller.monitoring.rules import (
    organization_totals,
    reports,
    sample_archive,
    sample_history,
)
from tests import factories
from tests.fleet.ports import free_port
from tests.monitoring.test_ingest import body, time_of

VICTORIA = shutil.which("victoria-metrics")
PROMETHEUS = shutil.which("prometheus")
START_SECONDS = 60


def commands(folder: Path, port: int) -> dict[str, tuple[list[str], str]]:
    (folder / "prometheus.yml").write_text("global: {}\n")
    return {
        "victoria": (
            [f"{VICTORIA}", f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}",
             "-search.latencyOffset=0s", "-retentionPeriod=36"],
            "/health",
        ),
        "prometheus": (
            [f"{PROMETHEUS}", f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
             "--web.enable-remote-write-receiver"],
            "/-/ready",
        ),
    }  # fmt: skip


@pytest.fixture(
    params=[
        pytest.param("victoria", marks=pytest.mark.skipif(not VICTORIA, reason="not installed")),
        pytest.param("prometheus", marks=pytest.mark.skipif(not PROMETHEUS, reason="not installed")),
    ]
)  # fmt: skip
def store(request: Any, tmp_path: Path, settings: Any) -> Iterator[Any]:
    port = free_port()
    command, ready = commands(tmp_path, port)[request.param]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + START_SECONDS
    while not answers(f"http://127.0.0.1:{port}{ready}"):
        assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
        time.sleep(0.1)
    settings.MUSTER_METRICS_URL = f"http://127.0.0.1:{port}/api/v1/write"
    yield process
    process.terminate()
    process.wait()


def answers(url: str) -> bool:
    try:
        return bool(urlopen(url, timeout=5).status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture
def device(organization: Organization) -> Device:
    return factories.device(organization)


def measure(device: Device, now: int) -> int:
    """Report every five minutes of two hours, and return when the first report was made."""
    start = now - now % 3600 - 7200
    for at in range(0, 7200, 300):
        one = reports.Posted(
            device.pk, device.key, body(5000 + at, rx=at * 1000, load=at / 7200), now,
            time_of(start + at),
        )  # fmt: skip
        assert reports.receive([one]) == [reports.TAKEN]
    return start


def read(device: Device, start: int, step: int = 1200) -> Any:
    latest = LatestSample.objects.get(monitored__device=device)
    range_ = buckets.cut(start, start + 7200, step)
    return sample_history.read(
        latest.monitored_id, latest.layout, ["cpu", "rx_bytes wan"], range_
    )


def eventually(find: Any, wanted: Any) -> None:
    """What was written is found a moment later."""
    deadline = time.monotonic() + START_SECONDS
    while (found := find()) != wanted:
        assert time.monotonic() < deadline, (found, wanted)
        time.sleep(0.2)


@pytest.mark.django_db
def test_a_chart_is_the_same_from_the_store(device: Device, store: Any, settings: Any) -> None:
    url, settings.MUSTER_METRICS_URL = settings.MUSTER_METRICS_URL, ""
    start = measure(device, sample_history.now_seconds())
    before = read(device, start)
    settings.MUSTER_METRICS_URL = url
    assert sample_history.seal() == 24
    assert not Sample.objects.exists()
    # VictoriaMetrics shows new series within ten seconds, or when it is told to.
    answers(url.replace("/api/v1/write", "/internal/force_flush"))
    eventually(lambda: read(device, start)["cpu"].count, before["cpu"].count)
    for key, points in read(device, start).items():
        assert points.count == before[key].count
        for one in ("mean", "low", "high"):
            assert getattr(points, one) == pytest.approx(getattr(before[key], one), rel=1e-5)
    # Sealing again moves nothing, and what was sent twice is kept once.
    assert sample_history.seal() == 0


@pytest.mark.django_db
def test_totals_of_organizations_are_kept_there_too(device: Device, store: Any) -> None:
    measure(device, sample_history.now_seconds())
    organization_totals.record_totals()
    sample_history.seal()
    assert not Sample.objects.exists()


@pytest.mark.django_db
def test_while_the_store_is_away_nothing_is_lost(device: Device, settings: Any) -> None:
    settings.MUSTER_METRICS_URL = f"http://127.0.0.1:{free_port()}/api/v1/write"
    start = measure(device, sample_history.now_seconds())
    assert sample_history.seal() == 0
    assert Sample.objects.count() == 24
    with pytest.raises(Unreachable, match="does not answer"):
        read(device, start)


def test_addresses_of_queries_follow_from_those_of_writes() -> None:
    found = {
        url: sample_archive.Prometheus(url).query_url
        for url in ("http://a:1/api/v1/write", "https://b/x/api/v1/push")
    }
    assert found == {
        "http://a:1/api/v1/write": "http://a:1/api/v1/query_range",
        "https://b/x/api/v1/push": "https://b/x/prometheus/api/v1/query_range",
    }


def test_a_message_longer_than_a_literal_is_sent_in_parts() -> None:
    content = json.dumps(list(range(30_000))).encode()
    found = remote_write.snappy(content)
    assert len(content) < len(found) < len(content) + 50
