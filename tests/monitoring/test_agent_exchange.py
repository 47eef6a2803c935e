"""The exchange of OpenWrt's monitoring agent, by real curl over real sockets."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.devices.models import Device
from controller.monitoring.engine.vectors import known
from controller.monitoring.models import LatestSample, Sample, Snapshot
from controller.monitoring.rules.latest_reports import snapshots_of
from tests import factories
from tests.fleet.monitoring_agent import MonitoringAgent
from tests.fleet.ports import closed_ports
from tests.monitoring.test_engine_reports import PAYLOADS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def device(organization: Any) -> Device:
    return factories.device(organization)


@pytest.fixture
def agent(device: Device, live_server: Any, tmp_path: Path) -> MonitoringAgent:
    # Agents write the id without dashes.
    return MonitoringAgent(tmp_path / "monitoring", live_server.url, device.pk.hex, device.key)


def report(uptime: int, received: int) -> bytes:
    return json.dumps(
        {
            "type": "DeviceMonitoring",
            "general": {"hostname": "ap-1", "local_time": 1, "uptime": uptime},
            "resources": {"load": [0.5, 0.1, 0.0], "cpus": 1},
            "interfaces": [
                {"name": "wan", "type": "ethernet", "up": True,
                 "statistics": {"rx_bytes": received, "tx_bytes": 0}},
            ],
        },
        separators=(",", ":"),
    ).encode()  # fmt: skip


def received(device: Device) -> list[float]:
    """Return the increments of the traffic of a device, in the order of their moments."""
    latest = LatestSample.objects.get(monitored__device=device)
    slot = latest.layout.index("rx_bytes wan")
    rows = Sample.objects.filter(number=latest.monitored_id).order_by("at")
    return [known(row.values)[slot] for row in rows if slot in known(row.values)]


@pytest.mark.parametrize(
    "name", ["1_small_ap", "2_lte_router", "3_dsa_switch", "4_garbage", "6_two_hundred_clients"]
)
def test_reports_as_they_are_sent_are_taken_and_deleted(
    agent: MonitoringAgent, device: Device, name: str
) -> None:
    body = (PAYLOADS / f"{name}.json").read_bytes()
    file = agent.collect(body, timezone.now())
    agent.send_all()
    assert agent.log == [(file, 200)]
    assert agent.current == [file]
    assert (agent.folder / "response.txt").read_bytes() == b""
    assert list(agent.waiting()) == []
    assert snapshots_of([device.pk])[device.pk] == json.loads(body)


def test_an_agent_that_was_cut_off_loses_no_report_and_doubles_none(
    agent: MonitoringAgent, device: Device, live_server: Any
) -> None:
    start = timezone.now().replace(microsecond=0) - timedelta(hours=1)
    names = [
        agent.collect(report(5000 + 300 * at, 1000 * at), start + timedelta(seconds=300 * at))
        for at in range(6)
    ]
    with closed_ports(1) as (port,):
        agent.url = f"http://127.0.0.1:{port}"
        agent.send_all(rounds=2)
    # It tries the first file five times, and begins with it again.
    assert agent.log == [(names[0], 0)] * 10
    agent.url, agent.key, agent.log = live_server.url, "wrong", []
    agent.send_all()
    assert agent.log == [(names[0], 403)] * 5
    agent.key, agent.log = device.key, []
    agent.send_all()
    assert agent.log == [(name, 200) for name in names]
    assert received(device) == [1000] * 5
    # The same again, as after a lost answer: nothing is doubled.
    for at in range(6):
        agent.collect(report(5000 + 300 * at, 1000 * at), start + timedelta(seconds=300 * at))
    agent.send_all()
    assert received(device) == [1000] * 5
    assert Sample.objects.count() == 6


def test_after_the_turn_of_a_month_the_newer_files_come_first(
    agent: MonitoringAgent, device: Device, time_machine: Any
) -> None:
    # Names begin with the day: those of the 1st go before those of the 30th.
    old, new = datetime(2026, 11, 30, 23, 55, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    time_machine.move_to(new + timedelta(minutes=1))
    agent.collect(report(5000, 1000), old)
    agent.collect(report(5300, 9000), new)
    agent.send_all()
    assert [name[:2] for name, _ in agent.log] == ["01", "30"]
    latest = LatestSample.objects.get(monitored__device=device)
    # The late one is history, and moves neither the newest values nor the counters.
    assert (latest.at, latest.uptime) == (int(new.timestamp()), 5300)
    assert Snapshot.objects.get().at == int(new.timestamp())
    assert Sample.objects.count() == 2


def test_a_crashed_collector_is_refused_once_and_its_file_dropped(
    agent: MonitoringAgent, device: Device
) -> None:
    now = timezone.now()
    empty = agent.collect(b"", now - timedelta(minutes=10))
    table = agent.collect(b"{}", now - timedelta(minutes=5))
    good = agent.collect(report(5000, 1), now)
    agent.send_all()
    assert agent.log == [(empty, 400), (table, 400), (good, 200)]
    assert Sample.objects.count() == 1
