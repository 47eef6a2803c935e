"""Random sequences of changes with killed workers: nothing is sent twice.

Each run uses the stand-in of another vendor or API.

``MUSTER_MACHINE_RUNS=1000 pytest tests/networks/test_change_machine.py`` runs it a thousand
times.
"""

import os
import re
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
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
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controller.base.errors import Refused
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Change, ChangeEvent
from networks.gateways.rules import changes, execution, reconciliation
from networks.gateways.rules.gateway_connections import connect
from tests import factories
from tests.fleet.gateway import StandIn, serving
from tests.fleet.gateways import VENDORS
from tests.networks.applying import ask

RUNS = int(os.environ.get("MUSTER_MACHINE_RUNS") or 20)
# A feature of each driver, the varying property, and the property with the mark.
DRIVERS: dict[str, tuple[str, dict[str, str], str]] = {
    "opnsense": ("opnsense.routing.static_route", {}, "descr"),
    "mikrotik": ("mikrotik.dhcp.lease_static", {}, "comment"),
    "mikrotik, binary": ("mikrotik.dhcp.lease_static", {}, "comment"),
    "openwrt": ("openwrt.firewall.port_forward", {}, "name"),
    "pfsense": ("pfsense.routing.static_route", {"network": "10.{}.0.0/16"}, "descr"),
    "proxmox": ("proxmox.firewall.alias", {"name": "net{}"}, "comment"),
    "unifi": ("unifi.firewall.zone", {}, "name"),
    "unifi, the older API": ("unifi.firewall.group", {}, "name"),
    "omada": ("firewall.port_forward", {}, "name"),
}
FAULTS = ["", "dropped after", "on its way", "refuses", "error"]
STEPS = ["claimed", "prepared", "sent", "verifying"]
fork = get_context("fork")
numbers = count(1)


def die_after(change: Change, step: str) -> None:
    """Run the change in a process that is killed after this step."""
    for done in execution.steps(change):
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)


def marked(wordings: Iterable[str]) -> list[str]:
    """Return the marks in the requested changes."""
    return [mark for text in wordings for mark in dict.fromkeys(re.findall(r"mark-\d+-", text))]


class Machine(RuleBasedStateMachine):
    totals: dict[str, int] = {}

    @initialize(driver=st.sampled_from(sorted(DRIVERS)))
    def begin(self, driver: str) -> None:
        key, self.unique, self.field = DRIVERS[driver]
        self.feature = FEATURES[key]
        self.ends = ExitStack()
        self.device: StandIn = self.ends.enter_context(serving(VENDORS[self.feature.vendor]()))
        url = self.device.url
        if "binary" in driver:
            url = f"http://127.0.0.1:{self.device.api_port}/api"  # type: ignore[attr-defined]
        self.admin = factories.superuser()
        self.gateway = factories.gateway(
            factories.organization(), url, vendor=self.feature.vendor, key=self.device.key,
            secret=self.device.secret,
        )  # fmt: skip
        self.workers: list[Iterator[str]] = []
        self.clock = time_machine.travel(1_800_000_000, tick=True)
        self.time = self.ends.enter_context(self.clock)
        self.told(driver)

    def teardown(self) -> None:
        try:
            self.end()
        finally:
            self.ends.close()
            ChangeEvent.objects.all().delete()
            Change.objects.all().delete()

    def held(self) -> dict[str, dict[str, str]]:
        """Return the gateway's objects of the feature by id."""
        with connect(self.gateway) as device:
            rows = {one: device.read(self.feature, one) for one in device.ids(self.feature, {})}
        return {one: row for one, row in rows.items() if row is not None}

    def some(self, *states: str) -> list[Change]:
        rows = Change.objects.filter(gateway=self.gateway, state__in=states)
        return list(rows.select_related("gateway__organization", "applier").order_by("created"))

    def due(self, pick: int) -> Change:
        """Return a due change; stage and schedule one if there is none."""
        if not (rows := self.some("scheduled")):
            self.stage(["create", "update", "create", "delete"][pick % 4], pick)
            rows = [ask(self.some("pending")[-1], self.admin, accepts_drift=True)]
        return rows[pick % len(rows)]

    def possible(self, fault: str) -> str:
        """Exclude late writes for pfSense: they could hit another object."""
        late = fault == "on its way" and self.feature.vendor == "pfsense"
        return "dropped after" if late else fault

    def told(self, what: str) -> None:
        self.totals[what] = self.totals.get(what, 0) + 1

    # --- users

    @rule(operation=st.sampled_from(["create", "update", "delete"]), pick=st.integers(0, 9))
    def stage_one(self, operation: str, pick: int) -> None:
        self.stage(operation, pick)

    def stage(self, operation: str, pick: int) -> None:
        number = next(numbers)
        targets = sorted(self.held())
        if operation != "create" and not targets:
            operation = "create"
        payload: dict[str, Any] = (
            {} if operation == "delete" else {self.field: f"mark-{number}-"}
        )
        if operation == "create":
            unique = {name: text.format(number) for name, text in self.unique.items()}
            payload = {**self.feature.example, **unique, **payload}
        changes.stage(
            self.gateway, feature=self.feature, operation=operation, payload=payload,
            by=self.admin, target_id="" if operation == "create" else targets[pick % len(targets)],
        )  # fmt: skip

    @rule(pick=st.integers(0, 9), again=st.booleans())
    def ask(self, pick: int, again: bool) -> None:
        rows = self.some("pending", "approved", *(["failed", "applied", "unknown"] * again))
        if rows:
            with suppress(Refused):
                ask(rows[pick % len(rows)], self.admin, accepts_drift=True)

    @rule(pick=st.integers(0, 9))
    def edit_on_the_device(self, pick: int) -> None:
        """Overwrite what a change has written, on the device."""
        if rows := sorted(self.held()):
            with connect(self.gateway) as device:
                edited = {self.field: f"edit-{next(numbers)}-"}
                with suppress(Refused):
                    device.write(self.feature, "update", rows[pick % len(rows)], edited)
                    device.activate(self.feature)

    # --- workers

    @rule(pick=st.integers(0, 9), fault=st.sampled_from(FAULTS))
    def work(self, pick: int, fault: str) -> None:
        change = self.due(pick)
        self.device.trouble = self.possible(fault)
        execution.work(change)
        self.device.trouble = ""
        self.told("worked")

    @rule(pick=st.integers(0, 9), step=st.sampled_from(STEPS), fault=st.sampled_from(FAULTS))
    def work_and_be_killed(self, pick: int, step: str, fault: str) -> None:
        change = self.due(pick)
        self.device.trouble = self.possible(fault)
        connections.close_all()
        child = fork.Process(target=die_after, args=(change, step))
        child.start()
        child.join()
        self.device.trouble = ""
        if child.exitcode == -signal.SIGKILL:
            self.told(f"killed when {step}")

    @precondition(lambda self: len(self.workers) < 3)
    @rule(pick=st.integers(0, 9))
    def begin_to_work(self, pick: int) -> None:
        self.workers.append(execution.steps(self.due(pick)))

    @precondition(lambda self: self.workers)
    @rule(pick=st.integers(0, 9), fault=st.sampled_from(FAULTS))
    def go_on(self, pick: int, fault: str) -> None:
        worker = self.workers[pick % len(self.workers)]
        self.device.trouble = self.possible(fault)
        if next(worker, None) is None:
            self.workers.remove(worker)
        self.device.trouble = ""
        self.told("stalled and went on")

    @rule(seconds=st.sampled_from([1, 5, 100, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.time.shift(seconds)
        self.device.pass_time(seconds)

    @rule()
    def reconcile(self) -> None:
        reconciliation.reconcile()

    @rule()
    def what_was_on_its_way_arrives(self) -> None:
        self.device.deliver()

    # --- invariants

    @invariant()
    def nothing_is_sent_twice(self) -> None:
        # There is no device before the run has started.
        marks = marked(self.device.received) if hasattr(self, "device") else []
        assert len(marks) == len(set(marks)), marks

    def end(self) -> None:
        """Check the final state: no workers left, all writes arrived, outcomes reconciled."""
        for worker in self.workers:
            worker.close()  # type: ignore[attr-defined]
        self.device.deliver()
        for _ in range(4):
            self.time.shift(1000)
            self.device.pass_time(1000)
            reconciliation.reconcile()
        done = marked(self.device.done)
        assert len(done) == len(set(done)), done
        held = str(self.held())
        for change in Change.objects.filter(gateway=self.gateway).exclude(operation="delete"):
            mark = change.payload[self.field]
            assert change.state not in {*Change.OPEN}, (change.state, change.outcome)
            if change.state == "applied":
                assert mark in done
            if change.state in Change.WAITING:
                assert mark not in done
            if change.state == "failed" and mark in done:
                # Edited on the device before the portal could read it.
                assert mark not in held
        self.told("runs")


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_twice_whoever_is_killed_or_stalls(writes: Any) -> None:
    writes.MUSTER_GATEWAY_SETTLE_SECONDS = 30
    writes.MUSTER_GATEWAY_WATCH_SECONDS = 10**7
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
    # Few runs may happen to kill none; some worker was interrupted in any case.
    assert any(what.startswith(("killed", "stalled")) for what in Machine.totals)
