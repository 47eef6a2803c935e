"""Workers that are killed at any moment: nothing is lost that was kept, and nothing counts twice.

A worker that dies leaves what it has committed. Here it dies before each of its statements in turn,
and then another worker does the same work again.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from controller.accounts.models import Organization
from controller.devices.models import Device
from controller.monitoring.engine import buckets
from controller.monitoring.models import Block, Condition, LatestSample, Sample
from controller.monitoring.rules import (
    health,
    organization_totals,
    reports,
    sample_history,
)
from controller.notifications.models import Notice
from tests import factories
from tests.monitoring.test_ingest import DAY, NOON, body

pytestmark = pytest.mark.django_db(transaction=True)
STEP, SAMPLES, LAST = 1800, 8, 200


class Killed(BaseException):
    """The end of a worker: nothing catches it."""


class Killer:
    """Kills before the statement of this number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(
        self, execute: Any, sql: str, parameters: Any, many: bool, context: Any
    ) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return execute(sql, parameters, many, context)


@contextmanager
def killed_at(number: int) -> Iterator[Killer]:
    killer = Killer(number)
    try:
        with connection.execute_wrapper(killer):
            yield killer
    except Killed:
        pass


def deaths(work: Callable[[], Any]) -> Iterator[int]:
    """Do some work that is killed before each of its statements in turn, until it ends by itself."""
    for number in range(LAST):
        with killed_at(number) as killer:
            work()
        yield number
        if killer.left >= 0:
            return
    raise AssertionError("The work has no end.")


def report(device: Device, at: int) -> reports.Posted:
    content = body(1000 + at, rx=1000 * at, load=(at % 7200) / 7200)
    return reports.Posted(device.pk, device.key, content, NOON - DAY + at)


def measured(device: Device) -> tuple[list[int], dict[str, list[float | None]]]:
    """Return how many samples each bucket of a device's chart has, and what they add up to."""
    latest = LatestSample.objects.get(monitored__device=device)
    range_ = buckets.cut(NOON - DAY, NOON, 3600)
    names = ["cpu", "rx_bytes wan"]
    found = sample_history.read(latest.monitored_id, latest.layout, names, range_)
    sums = {
        name: [None if one is None else round(one, 1) for one in points.sums()]
        for name, points in found.items()
    }
    return found["cpu"].count, sums


def sent(device: Device) -> None:
    for at in range(SAMPLES):
        reports.receive([report(device, at * STEP)])


@pytest.fixture(autouse=True)
def _now(time_machine: Any) -> None:
    time_machine.move_to(NOON + DAY, tick=False)


def test_an_agent_that_got_no_answer_sends_again_and_every_sample_counts_once(
    organization: Organization,
) -> None:
    whole = factories.device(organization)
    sent(whole)
    expected = measured(whole)
    assert sum(expected[0]) == SAMPLES
    device = factories.device(organization)
    reports.receive([report(device, 0)])
    answers: list[Any] = []
    for _ in deaths(lambda: answers.extend(reports.receive([report(device, STEP)]))):
        assert Sample.objects.filter(number=number_of(device)).count() <= 2
    assert answers[-1].status == 200
    for at in range(2, SAMPLES):
        reports.receive([report(device, at * STEP)])
    assert measured(device) == expected


def number_of(device: Device) -> int:
    return int(LatestSample.objects.get(monitored__device=device).monitored_id)


def test_a_worker_that_dies_while_it_seals_loses_and_doubles_no_sample(
    organization: Organization,
) -> None:
    device = factories.device(organization)
    sent(device)
    expected = measured(device)
    for number in deaths(sample_history.seal):
        assert measured(device) == expected, f"killed before statement {number}"
    assert not Sample.objects.filter(number=number_of(device)).exists()
    assert Block.objects.filter(number=number_of(device)).count() == 3


def test_totals_that_are_added_up_again_count_once(organization: Organization) -> None:
    for _ in range(2):
        device = factories.device(organization)
        reports.receive([report(device, DAY), report(device, 2 * DAY)])
    for _ in deaths(organization_totals.record_totals):
        pass
    organization_totals.record_totals()
    assert Sample.objects.filter(number__lt=0).count() == 1


def test_a_judge_that_dies_tells_each_incident_once(
    organization: Organization, time_machine: Any
) -> None:
    device = factories.device(organization)
    for at in range(0, 2400 + 1, 300):
        time_machine.move_to(NOON + at, tick=False)
        content = json.loads(body(1000 + at, load=4))
        reports.receive(
            [reports.Posted(device.pk, device.key, json.dumps(content).encode(), NOON + at)]
        )
        for _ in deaths(health.judge_all):
            pass
    condition = Condition.objects.get(metric="cpu")
    assert condition.told_at is not None
    assert Notice.objects.filter(kind__contains="cpu").count() == 1
