"""Changes in any order, with workers that are killed and that stall: nothing is sent twice.

``MUSTER_MACHINE_RUNS=1000 pytest tests/networks/test_change_machine.py`` runs it a thousand times.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from multiprocessing import get_context
from typing import Any

import pytest
import time_machine
from django.db import connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controller.base.errors import Refused
from networks.engine.features import FEATURES
from networks.models import Change, ChangeEvent
from networks.rules import applying, changes, reconciling
from tests import make
from tests.fleet.opnsense import OPNsense, opnsense
from tests.networks.applying import ask

RUNS = int(os.environ.get("MUSTER_MACHINE_RUNS") or 20)
ROUTE = FEATURES["opnsense.routing.static_route"]
KIND = "routes/routes"
FAULTS = ["", "dropped after", "on its way", "refuses", "error"]
STEPS = ["claimed", "prepared", "sent", "verifying"]
fork = get_context("fork")
numbers = count(1)


def die_after(change: Change, step: str) -> None:
    """Runs in a process of its own, which is killed there as by the kernel."""
    for done in applying.steps(change):
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)


class Machine(RuleBasedStateMachine):
    device: OPNsense
    totals: dict[str, int] = {}

    def __init__(self) -> None:
        super().__init__()
        device = self.device
        device.rows[KIND].clear()
        device.received.clear()
        device.on_their_way.clear()
        device.saved.clear()
        device.fault = ""
        self.admin = make.superuser()
        self.gateway = make.gateway(make.organization(), device.url)
        self.workers: list[Iterator[str]] = []
        self.clock = time_machine.travel(1_800_000_000, tick=True)
        self.time = self.clock.start()

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            self.clock.stop()
            ChangeEvent.objects.all().delete()
            Change.objects.all().delete()

    def some(self, *states: str) -> list[Change]:
        rows = Change.objects.filter(gateway=self.gateway, state__in=states)
        return list(rows.select_related("gateway__organization", "applier").order_by("created"))

    def due(self, pick: int) -> Change:
        """One that a worker is to do; if there is none, one is staged and asked for."""
        if not (rows := self.some("scheduled")):
            self.stage(["create", "update", "create", "delete"][pick % 4], pick)
            rows = [ask(self.some("pending")[-1], self.admin, accepts_drift=True)]
        return rows[pick % len(rows)]

    def told(self, what: str) -> None:
        self.totals[what] = self.totals.get(what, 0) + 1

    # --- people

    @rule(operation=st.sampled_from(["create", "update", "delete"]), pick=st.integers(0, 9))
    def stage_one(self, operation: str, pick: int) -> None:
        self.stage(operation, pick)

    def stage(self, operation: str, pick: int) -> None:
        mark = f"mark {next(numbers)}"
        targets = sorted(self.device.rows[KIND])
        if operation != "create" and not targets:
            operation = "create"
        payload = {
            "create": {"network": "10.1.0.0/16", "gateway": "WAN_GW", "descr": mark},
            "update": {"descr": mark},
            "delete": {},
        }[operation]
        changes.stage(
            self.gateway, feature=ROUTE, operation=operation, payload=payload, by=self.admin,
            target_id="" if operation == "create" else targets[pick % len(targets)],
        )  # fmt: skip

    @rule(pick=st.integers(0, 9), again=st.booleans())
    def ask(self, pick: int, again: bool) -> None:
        rows = self.some("pending", "approved", *(["failed", "applied", "unknown"] * again))
        if rows:
            with suppress(Refused):
                ask(rows[pick % len(rows)], self.admin, accepts_drift=True)

    @rule(pick=st.integers(0, 9))
    def edit_on_the_device(self, pick: int) -> None:
        if rows := sorted(self.device.rows[KIND]):
            row = self.device.rows[KIND][rows[pick % len(rows)]]
            row |= {"gateway": f"GW_{next(numbers)}", "edited": "by somebody"}

    # --- workers

    @rule(pick=st.integers(0, 9), fault=st.sampled_from(FAULTS))
    def work(self, pick: int, fault: str) -> None:
        change = self.due(pick)
        self.device.fault = fault
        applying.work(change)
        self.device.fault = ""
        self.told("worked")

    @rule(pick=st.integers(0, 9), step=st.sampled_from(STEPS), fault=st.sampled_from(FAULTS))
    def work_and_be_killed(self, pick: int, step: str, fault: str) -> None:
        change = self.due(pick)
        self.device.fault = fault
        connections.close_all()
        child = fork.Process(target=die_after, args=(change, step))
        child.start()
        child.join()
        self.device.fault = ""
        if child.exitcode == -signal.SIGKILL:
            self.told(f"killed when {step}")

    @precondition(lambda self: len(self.workers) < 3)
    @rule(pick=st.integers(0, 9))
    def begin_to_work(self, pick: int) -> None:
        self.workers.append(applying.steps(self.due(pick)))

    @precondition(lambda self: self.workers)
    @rule(pick=st.integers(0, 9), fault=st.sampled_from(FAULTS))
    def go_on(self, pick: int, fault: str) -> None:
        worker = self.workers[pick % len(self.workers)]
        self.device.fault = fault
        if next(worker, None) is None:
            self.workers.remove(worker)
        self.device.fault = ""
        self.told("stalled and went on")

    @rule(seconds=st.sampled_from([1, 5, 100, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.time.shift(seconds)

    @rule()
    def reconcile(self) -> None:
        reconciling.reconcile()

    @rule()
    def what_was_on_its_way_arrives(self) -> None:
        self.device.deliver()

    # --- what is always so

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        marks = [values["descr"] for _, values in self.device.received if values]
        assert len(marks) == len(set(marks)), marks

    def end(self) -> None:
        """All workers are gone, everything has arrived, and the truth is found."""
        for worker in self.workers:
            worker.close()  # type: ignore[attr-defined]
        self.device.deliver()
        for _ in range(4):
            self.time.shift(1000)
            reconciling.reconcile()
        done = [values["descr"] for values in self.device.saved]
        assert len(done) == len(set(done)), done
        for change in Change.objects.filter(gateway=self.gateway).exclude(operation="delete"):
            mark = change.payload["descr"]
            assert change.state not in {*Change.OPEN}, (change.state, change.outcome)
            if change.state == "applied":
                assert mark in done
            if change.state in Change.WAITING:
                assert mark not in done
            if change.state == "failed" and mark in done:
                # Somebody changed it on the device before the portal could see it.
                rows = self.device.rows[KIND].values()
                assert mark not in [one["descr"] for one in rows if "edited" not in one]
        self.told("runs")


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_twice_whoever_is_killed_or_stalls(writes: Any) -> None:
    writes.MUSTER_GATEWAY_SECONDS = 5
    writes.MUSTER_GATEWAY_SETTLE_SECONDS = 30
    writes.MUSTER_GATEWAY_WATCH_SECONDS = 10**7
    with opnsense() as device:
        Machine.device = device
        Machine.totals = {}
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=RUNS, stateful_step_count=25, deadline=None,
                suppress_health_check=list(HealthCheck), database=None,
            ),
        )  # fmt: skip
    told = ", ".join(f"{what}: {number}" for what, number in sorted(Machine.totals.items()))
    print(told)  # noqa: T201 - what a thousand runs came to
    assert Machine.totals["runs"] >= RUNS
    assert any(what.startswith("killed") for what in Machine.totals)
