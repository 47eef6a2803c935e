"""Every chart of a device's page, by samples of ten minutes that are added up by hand."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.monitoring.engine.buckets import chosen_range
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.page_charts import CHARTS
from controller.monitoring.engine.report import Report
from controller.monitoring.models import Sample
from controller.monitoring.rules import device_overview
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.ingest import ingest
from tests import factories

pytestmark = pytest.mark.django_db
START = 1_790_000_000 - 1_790_000_000 % 3600
END = START + 6 * 3600
# Series → two values; both lie in the first bucket of five minutes.
VALUES: Mapping[str, tuple[float, float]] = {
    "cpu": (20, 40), "memory": (50, 60), "disk": (10, 12), "temperature": (40, 50),
    "wifi_clients wlan0": (3, 5), "signal_strength wwan0": (-90, -80),
}  # fmt: skip
PINGS: Mapping[str, tuple[float, float]] = {
    "reachable": (1, 0), "loss": (0, 100), "rtt": (10, 20), "rtt_min": (5, 15),
    "rtt_max": (30, 40),
}  # fmt: skip
CHECKS: Mapping[str, tuple[float, float]] = {
    "check_time web": (100, 300), "tcp_rate hq": (1e6, 3e6), "udp_rate hq": (2e6, 4e6),
    "jitter hq": (1, 2), "datagram_loss hq": (0, 10),
}  # fmt: skip
# Of each chart: the mean of its traces in that bucket, and its band where it has one.
EXPECTED: Mapping[str, list[tuple[str, float, float | None, float | None]]] = {
    # The lowest is the mean's lowest of the fastest echoes, the highest that of the slowest.
    "rtt": [("Round trip", 15, 5, 40)],
    "loss": [("Lost", 50, 0, 100)],
    # 9,000 bytes received and 3,000 sent in 300 s.
    "traffic": [("Received", 240, None, None), ("Sent", 80, None, None)],
    "clients": [("Clients", 4, 3, 5)],
    "cpu": [("CPU load", 30, 20, 40)],
    "memory": [("Memory", 55, 50, 60)],
    "disk": [("Storage", 11, 10, 12)],
    "temperature": [("Temperature", 45, 40, 50)],
    "signal": [("Signal", -85, -90, -80)],
    "checks": [("Duration", 200, 100, 300)],
    "tcp_rate": [("TCP", 2e6, 1e6, 3e6)],
    "udp_rate": [("UDP", 3e6, 2e6, 4e6)],
    "jitter": [("Jitter", 1.5, 1, 2)],
    "datagram_loss": [("Lost", 5, 0, 10)],
}


def report(values: Mapping[str, tuple[float, float]], at: int) -> Report:
    return Report(values={key: float(pair[at]) for key, pair in values.items()})


@pytest.fixture
def found(organization: Organization, time_machine: Any) -> dict[str, Any]:
    time_machine.move_to(END)
    device = factories.device(organization)
    arrivals = []
    for at, moment in enumerate((START + 60, START + 200)):
        told = report(VALUES, at)
        # Counters since the start of the device; the first report tells no increment.
        told.uptime = 10_000.0 + moment - START
        told.count(Metric.RX_BYTES, 1000 + 9000 * at, "wan")
        told.count(Metric.TX_BYTES, 500 + 3000 * at, "wan")
        arrivals += [
            Arrival(device.pk, moment, moment, told),
            Arrival(device.pk, moment, moment, report(PINGS, at), kind=Sample.Kind.CHECK),
            Arrival(device.pk, moment, moment, report(CHECKS, at), kind=Sample.Kind.ACTIVE),
        ]
    ingest(arrivals)
    buckets = chosen_range(START, END, END, UTC)
    return device_overview.overview(device, buckets)


def test_every_chart_of_the_page_is_in_this_test() -> None:
    assert {one.id for one in CHARTS} == set(EXPECTED)


@pytest.mark.parametrize("chart", EXPECTED)
def test_a_chart_shows_what_was_measured(found: dict[str, Any], chart: str) -> None:
    (drawn,) = [one for one in found["charts"] if one["id"] == chart]
    assert found["x"][0] == START
    traces = [
        (
            one["name"], one["mean"][0],
            one["low"][0] if one["low"] else None, one["high"][0] if one["high"] else None,
        )
        for one in drawn["traces"]
    ]  # fmt: skip
    assert traces == [
        (name, pytest.approx(mean, rel=1e-3), low, high)
        for name, mean, low, high in EXPECTED[chart]
    ]
    # Nothing was measured later, and nothing is drawn there.
    assert {value for one in drawn["traces"] for value in one["mean"][1:]} == {None}


def test_availability_is_the_share_of_answered_pings(found: dict[str, Any]) -> None:
    assert found["availability"]["percent"] == 50
    assert found["availability"]["parts"][0] == 0.5
