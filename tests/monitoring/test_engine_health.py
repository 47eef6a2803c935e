"""Conditions: when they begin, when people are told, and when they are over."""

import itertools

import pytest

from controller.monitoring.engine import health
from controller.monitoring.engine.health import Condition, Health, health_of, is_due, is_shown
from controller.monitoring.engine.metrics import Limit, Metric, Operator

MEMORY = Limit(Operator.ABOVE, 90, 30)
PING = Limit(Operator.BELOW, 1, 15)
DISK = Limit(Operator.ABOVE, 90, 0)
MINUTE = 60


class Watched:
    """Judges one value after the other, as the portal does, and counts what people are told."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.condition: Condition | None = None
        self.alerts: list[int] = []
        self.recoveries: list[int] = []

    def see(self, value: float, at: int) -> None:
        before = self.condition
        self.condition = health.judge(before, value, at, self.limit)
        if self.condition is None and before is not None and before.told_at is not None:
            self.recoveries.append(at)
        if self.condition is not None and is_due(self.condition, self.limit, at):
            self.alerts.append(at)
            self.condition = Condition(
                self.condition.value, self.condition.bad_since, None, at, self.condition.returns
            )


@pytest.mark.parametrize("rhythm", [60, 300, 301, 304, 900])
def test_a_limit_of_half_an_hour_is_told_at_any_rhythm(rhythm: int) -> None:
    watched = Watched(MEMORY)
    for at in range(0, 8 * 3600, rhythm):
        watched.see(99, at)
    assert len(watched.alerts) == 1
    assert 30 * MINUTE <= watched.alerts[0] <= 30 * MINUTE + rhythm


def test_a_flapping_value_is_one_alert_and_one_recovery() -> None:
    watched = Watched(PING)
    # Five minutes there, twenty away, for a day; then well.
    at = 0
    for there in itertools.islice(itertools.cycle([True, False]), 116):
        for _ in range(1 if there else 4):
            watched.see(1 if there else 0, at)
            at += 300
    for _ in range(20):
        watched.see(1, at)
        at += 300
    assert len(watched.alerts) == 1
    assert len(watched.recoveries) == 1
    assert watched.condition is None


def test_a_spike_shorter_than_the_tolerance_is_told_to_nobody() -> None:
    watched = Watched(MEMORY)
    for at, value in enumerate([50, 99, 99, 50, 50, 50, 50]):
        watched.see(value, at * 300)
    assert (watched.alerts, watched.recoveries, watched.condition) == ([], [], None)


def test_without_tolerance_one_value_is_enough() -> None:
    watched = Watched(DISK)
    for at, value in enumerate([80, 95, 95, 80]):
        watched.see(value, at * 300)
    assert (watched.alerts, watched.recoveries) == ([300], [900])


def test_a_value_at_the_edge_of_its_limit_is_one_incident() -> None:
    watched = Watched(DISK)
    for at, value in enumerate([90.1, 89.9, 90.1, 89.9, 86, 85.4]):
        watched.see(value, at * 300)
    assert (watched.alerts, watched.recoveries) == ([0], [5 * 300])


def test_a_limit_that_is_off_judges_nothing() -> None:
    off = Limit(Operator.ABOVE, 90, 0, enabled=False)
    assert health.judge(Condition(99, 0), 99, 10, off) is None


def test_a_condition_shows_after_ten_minutes_at_the_latest() -> None:
    condition = Condition(99, 1000)
    assert not is_shown(condition, MEMORY, 1000 + 599)
    assert is_shown(condition, MEMORY, 1000 + 600)
    assert is_shown(condition, DISK, 1000)


@pytest.mark.parametrize(
    ("judged", "shown", "found"),
    [
        ([], [], Health.UNKNOWN),
        ([Metric.REACHABLE], [], Health.OK),
        ([Metric.REACHABLE, Metric.CPU], [Metric.CPU], Health.PROBLEM),
        ([Metric.REACHABLE], [Metric.REACHABLE], Health.CRITICAL),
        ([Metric.REACHABLE, Metric.DATA_RECEIVED], [Metric.REACHABLE], Health.PROBLEM),
        ([Metric.REACHABLE, Metric.DATA_RECEIVED],
         [Metric.REACHABLE, Metric.DATA_RECEIVED], Health.CRITICAL),
        ([Metric.CPU], [Metric.CPU], Health.PROBLEM),
    ],
)  # fmt: skip
def test_health_is_the_worst_of_what_was_judged(
    judged: list[str], shown: list[str], found: Health
) -> None:
    assert health_of(judged, shown) == found


def test_the_nearest_limit_wins() -> None:
    mine, groups = Limit(Operator.ABOVE, 50, 1), Limit(Operator.ABOVE, 60, 1)
    levels = [{}, {Metric.MEMORY: groups}, {Metric.MEMORY: mine}]
    assert health.nearest_limit(Metric.MEMORY, MEMORY, levels) == groups
    assert health.nearest_limit(Metric.CPU, MEMORY, levels) == MEMORY


def test_the_rhythm_of_reports_is_learned() -> None:
    known = 0.0
    for _ in range(20):
        known = health.interval_after(known, 60)
    assert known == pytest.approx(60, abs=1)
    assert health.interval_after(known, 86_400) == known
    assert health.late_after(60) == 600
    assert health.late_after(900) == 2250
