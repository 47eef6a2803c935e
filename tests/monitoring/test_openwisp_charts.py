"""Every chart of OpenWISP Monitoring's API, by samples that are added up by hand."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.monitoring.engine import openwisp_charts
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Client, Report
from controller.monitoring.models import Sample
from controller.monitoring.rules.ingest import Arrival, ingest
from tests import factories

pytestmark = pytest.mark.django_db
NOON = int(datetime(2025, 11, 30, 12, tzinfo=UTC).timestamp())
# Series → its values at 10:00, 10:05 and 11:00; None where it was not measured.
Values = Mapping[str, tuple[float | None, float | None, float | None]]
TOLD: Values = {
    "cpu": (20, 40, 90), "memory": (50, 60, 10), "disk": (70.125, 70.375, 72),
    "signal_power wwan0": (-90, -81, -70), "signal_strength wwan0": (-61, -62, None),
    "signal_quality wwan0": (-10, -13, -8), "signal_noise wwan0": (11, None, 20),
    "access_technology wwan0": (0, 4, 4),
}  # fmt: skip
PINGS: Values = {
    "reachable": (1, 0, 1), "loss": (0, 100, 20), "rtt": (10, 30, 2), "rtt_min": (5, 15, 1),
    "rtt_max": (30, 40, 8),
}  # fmt: skip
# Two checks: one test over TCP, one over UDP; the second at 10:05 went to another server.
TESTS: Values = {
    "tcp_rate hq": (3e8, None, 1e8), "tcp_rate lab": (None, 5e8, None),
    "tcp_bytes hq": (4e8, None, 1e8), "tcp_bytes lab": (None, 6e8, None),
    "retransmits hq": (10, None, 1), "retransmits lab": (None, 30, None),
    "udp_rate call": (4e7, 8e7, 3e7), "udp_bytes call": (2e6, 3e6, 1e6),
    "jitter call": (0.001, 0.002, 4), "datagrams call": (1000, 2000, 500),
    "lost_datagrams call": (10, 0, 5), "datagram_loss call": (1, 0, 1),
}  # fmt: skip
RECEIVED = (1_000, 2_500_001_000, 3_500_001_000)
SENT = (500, 1_000_000_500, 1_000_000_500)
# Title → trace → its value in the bucket of 10:00, and of the whole day.
EXPECTED: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "Ping Success Rate": {"uptime": (50, 66.67)},
    "Signal Strength": {"signal_power": (-86, -80), "signal_strength": (-62, -62)},
    "Signal Quality": {"signal_quality": (-12, -10), "signal_to_noise_ratio": (11, 16)},
    "Access Technology": {"access_tech": (4, 4)},
    "Packet loss": {"packet_loss": (50, 40)},
    "Round Trip Time": {"RTT_average": (20, 14), "RTT_max": (35, 26), "RTT_min": (10, 7)},
    "WiFi clients: wlan0": {"wifi_clients": (2, 3)},
    "Traffic: wan": {"download": (2.5, 3.5), "upload": (1, 1)},
    "Memory Usage": {"memory_usage": (55, 40)},
    "CPU Load": {"CPU_load": (30, 50)},
    "Disk Usage": {"disk_usage": (70.25, 70.83)},
    "Bandwidth": {"TCP": (0.4, 0.3), "UDP": (0.06, 0.05)},
    "Transferred Data": {"TCP": (1, 1.1), "UDP": (0.005, 0.006)},
    "Retransmits": {"retransmits": (20, 13.67)},
    "Jitter": {"jitter": (0.0015, 1.33)},
    "Datagram": {"lost_datagram": (5, 5), "total_datagram": (1500, 1166.67)},
    "Datagram Loss": {"datagram_loss": (0.5, 0.67)},
}
ANA, BEN, EVA = (f"3c:22:fb:10:00:0{at}" for at in (1, 2, 3))
THERE = ((ANA,), (ANA, BEN), (EVA,))
MOMENTS = (NOON - 7200, NOON - 6900, NOON - 3600)


def report(values: Values, at: int) -> Report:
    return Report(
        values={key: some[at] for key, some in values.items() if some[at] is not None}
    )


@pytest.fixture
def found(
    organization: Organization, api: Callable[[User | None], APIClient], time_machine: Any
) -> dict[str, Any]:
    time_machine.move_to(NOON + 60)
    device = factories.device(organization)
    for at, moment in enumerate(MOMENTS):
        told = report(TOLD, at)
        told.uptime = 10_000.0 + moment - MOMENTS[0]
        told.count(Metric.RX_BYTES, RECEIVED[at], "wan")
        told.count(Metric.TX_BYTES, SENT[at], "wan")
        told.access_points = {"wlan0"}
        told.clients = [Client(mac, "wlan0") for mac in THERE[at]]
        ingest(
            [
                Arrival(device.pk, moment, moment, told),
                Arrival(device.pk, moment, moment, report(PINGS, at), kind=Sample.Kind.CHECK),
                Arrival(device.pk, moment, moment, report(TESTS, at), kind=Sample.Kind.ACTIVE),
            ]
        )
    reader = api(factories.user(organization, "org_admin"))
    answer = reader.get(f"/api/v1/monitoring/device/{device.pk}/?time=1d")
    assert answer.status_code == 200
    return dict(answer.json())


def test_every_chart_of_the_api_is_in_this_test() -> None:
    titles = {chart.title.format(label="") for chart in openwisp_charts.CHARTS}
    titles |= {openwisp_charts.CLIENTS.title.format(label="")}
    assert {title.replace("wan", "").replace("wlan0", "") for title in EXPECTED} == titles


def test_the_charts_come_in_the_order_of_their_numbers(found: dict[str, Any]) -> None:
    assert [chart["title"] for chart in found["charts"]] == list(EXPECTED)


@pytest.mark.parametrize("title", EXPECTED)
def test_a_chart_shows_what_was_measured(found: dict[str, Any], title: str) -> None:
    (chart,) = [one for one in found["charts"] if one["title"] == title]
    at = found["x"].index("2025-11-30 10:00")
    traces = dict(chart["traces"])
    assert {name: (values[at], chart["summary"][name]) for name, values in traces.items()} == {
        name: pytest.approx(pair) for name, pair in EXPECTED[title].items()
    }
    assert len(chart["summary_labels"]) == len(traces) + (title == "Traffic: wan")
    # Nothing was measured at 9:00, and nothing is drawn there.
    assert {values[at - 6] for values in traces.values()} == {None}


def test_rare_tests_are_connected_over_empty_buckets(found: dict[str, Any]) -> None:
    connected = {one["title"] for one in found["charts"] if one.get("connect_points")}
    assert connected == {
        "Bandwidth", "Transferred Data", "Retransmits", "Jitter", "Datagram", "Datagram Loss",
    }  # fmt: skip


def test_the_technology_of_a_bucket_is_one_that_was_used() -> None:
    points = openwisp_charts.Points([3, 3, 0], [8 / 3, 4 / 3, None], [0, 0, None], [4, 4, None])
    assert openwisp_charts.most_used(points) == ([4, 0, None], 4)
