"""Lease queues under random work, crashes and stalls: nothing sent twice or lost.

The same state machine runs on each queue of the portal.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from controller.base import leases
from controller.base.counters import count, counted
from controller.base.leases import FAILURES, LeaseHolder, LeaseQueue, for_each
from tests.base.lease_queues import ENDINGS, new_row

RUNS = 25
QUEUES = sorted(ENDINGS)


class Outside:
    """The outside world, counting what is sent to it."""

    def __init__(self) -> None:
        self.done: Counter[Any] = Counter()


def work(queue: LeaseQueue[Any], outside: Outside) -> Iterator[str]:
    """Run a worker's turn, which may die or stall after each step."""
    holder = LeaseHolder(queue)
    rows = holder.lease(2)
    yield "leased"
    for row in rows:
        if not holder.mark_sent(row.pk):
            continue
        until = timezone.now().timestamp() + queue.seconds
        yield "marked"
        if timezone.now().timestamp() > until:
            continue
        outside.done[row.pk] += 1
        yield "sent"
        holder.end(row, **ENDINGS[queue.name])
        yield "ended"


def verify(queue: LeaseQueue[Any], outside: Outside) -> Iterator[str]:
    """Run a verifier's turn: check the outside world, and resolve the rows."""
    queue.put_back()
    holder = LeaseHolder(queue)
    rows = holder.adopt(2)
    yield "adopted"
    for row in rows:
        if outside.done[row.pk]:
            holder.end(row, **ENDINGS[queue.name])
        else:
            holder.retry(row)
        yield "verified"


class Machine(RuleBasedStateMachine):
    name = ""

    @initialize()
    def begin(self) -> None:
        self.queue = leases.QUEUES[self.name]
        self.outside = Outside()
        self.rows: list[Any] = []
        self.workers: list[Iterator[str]] = []
        self.clock = time_machine.travel(1_900_000_000, tick=False)
        self.time = self.clock.start()
        self.add()

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            self.clock.stop()
            self.queue.rows.all().delete()

    def finish(self) -> None:
        """Check that with live workers every row ends, and was sent once."""
        self.workers.clear()
        for _ in range(12):
            self.time.shift(self.queue.longest_pause + self.queue.seconds + 1)
            for turn in (verify, work):
                for _ in turn(self.queue, self.outside):
                    pass
        assert self.outside.done == Counter(self.rows)
        left = self.queue.rows.filter(self.queue.waits, pk__in=self.rows)
        assert not left.exists(), list(left.values())

    @rule()
    def add(self) -> None:
        if len(self.rows) < 5:
            self.rows.append(new_row(self.name).pk)

    @rule(turn=st.sampled_from([work, work, verify]))
    def another_worker(self, turn: Callable[..., Iterator[str]]) -> None:
        if len(self.workers) < 2:
            self.workers.append(turn(self.queue, self.outside))

    @rule(pick=st.integers(0, 1))
    def step(self, pick: int) -> None:
        if not self.workers:
            self.workers.append(work(self.queue, self.outside))
        worker = self.workers[pick % len(self.workers)]
        if next(worker, None) is None:
            self.workers.remove(worker)

    @rule(pick=st.integers(0, 1))
    def kill(self, pick: int) -> None:
        if self.workers:
            self.workers.pop(pick % len(self.workers))

    @rule(part=st.sampled_from([0.1, 0.5, 1.1]))
    def time_passes(self, part: float) -> None:
        self.time.shift(self.queue.seconds * part)

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        assert max(self.outside.done.values(), default=0) <= 1

    @invariant()
    def a_row_that_went_out_is_marked_or_over(self) -> None:
        gone = [pk for pk, times in self.outside.done.items() if times]
        unmarked = self.queue.rows.filter(self.queue.waits, pk__in=gone, sent=None)
        assert not unmarked.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", QUEUES)
def test_killed_and_stalled_workers_lose_nothing_and_repeat_nothing(name: str) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        type(f"MachineOf_{name}", (Machine,), {"name": name}),
        settings=settings(
            max_examples=RUNS, stateful_step_count=25, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_every_queue_goes_through_the_machine() -> None:
    assert set(leases.QUEUES) == set(ENDINGS)


@pytest.mark.django_db
@pytest.mark.parametrize("name", QUEUES)
def test_leases_last_seconds(name: str) -> None:
    assert leases.QUEUES[name].seconds <= 60
    assert leases.QUEUES[name].longest_pause <= 3600


@pytest.mark.django_db
@pytest.mark.parametrize("name", QUEUES)
def test_a_row_that_fails_waits_longer_each_time(name: str) -> None:
    queue = leases.QUEUES[name]
    row = new_row(name)
    pauses = []
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        for _ in range(3):
            holder = LeaseHolder(queue)
            (leased,) = holder.lease(10)
            assert holder.retry(leased)
            row.refresh_from_db()
            pauses.append((row.not_before - timezone.now()).total_seconds())
            assert not queue.due().filter(pk=row.pk).exists()
            clock.move_to(row.not_before)
    assert pauses == sorted(set(pauses))


@pytest.mark.django_db
@pytest.mark.parametrize("name", QUEUES)
def test_a_worker_that_stalled_changes_nothing(name: str) -> None:
    queue = leases.QUEUES[name]
    new_row(name)
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        slow = LeaseHolder(queue)
        (row,) = slow.lease(1)
        clock.shift(queue.seconds + 1)
        assert queue.put_back() == 1
        clock.shift(queue.longest_pause)
        (again,) = LeaseHolder(queue).lease(1)
        assert not slow.mark_sent(row.pk)
        assert not slow.end(row, **ENDINGS[name])
        assert not slow.renew()
    held = queue.rows.get(pk=row.pk)
    assert held.lease_holder == again.lease_holder
    assert counted(leases.EXPIRED) == {name: 1}


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_lease_the_same_row() -> None:
    queue = leases.QUEUES[QUEUES[0]]
    for _ in range(20):
        new_row(queue.name)
    start, taken = threading.Barrier(2), []

    def worker() -> None:
        holder = LeaseHolder(queue)
        start.wait()
        for _ in range(20):
            taken.extend(row.pk for row in holder.lease(2))
        connections.close_all()

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(taken) == len(set(taken)) == 20
    assert connection.vendor in {"sqlite", "postgresql"}


def test_one_item_that_fails_stops_no_other() -> None:
    seen: list[int] = []

    def do(number: int) -> None:
        if number == 1:
            raise ValueError(number)
        seen.append(number)

    assert for_each(range(4), do, name="numbers") == 3
    assert seen == [0, 2, 3]
    assert counted(FAILURES) == {"numbers": 1}


def test_counters_of_one_name_are_told_by_label() -> None:
    count("a", "x")
    count("a", "y", 3)
    count("b", "x")
    assert counted("a") == {"x": 1, "y": 3}


@pytest.mark.django_db
@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_has_work_while_a_row_is_due_or_abandoned(name: str) -> None:
    queue = leases.QUEUES[name]
    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert not queue.has_work()
        new_row(name)
        clock.shift(1)
        assert queue.has_work()
        LeaseHolder(queue).lease(1)
        assert not queue.has_work()
        clock.shift(queue.seconds + 1)
        assert queue.has_work()
        assert queue.put_back() == 1
        assert not queue.has_work()
        clock.shift(queue.longest_pause)
        holder = LeaseHolder(queue)
        (row,) = holder.lease(1)
        assert holder.mark_sent(row.pk) == 1
        clock.shift(queue.seconds + 1)
        assert queue.doubtful().exists()
        assert queue.has_work()
        (row,) = holder.adopt(1)
        holder.end(row, **ENDINGS[name])
        clock.shift(queue.seconds + 1)
        assert not queue.has_work()
