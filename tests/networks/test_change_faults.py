"""Each fault on each vendor: the change's final state, and the gateway's values."""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import Conflict, OutcomeUnknown, Refused, TimedOut, Unreachable
from controller.dialects.freesdn import STATUSES
from networks import tasks
from networks.gateways.engine.features import FEATURES, VENDORS
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import changes, execution, reconciliation
from tests.fleet.opnsense import OPNsense
from tests.networks.applying import Desk, applied, ask, at_a_desk

pytestmark = pytest.mark.usefixtures("writes")
PAGE = Path(__file__).parents[2] / "docs" / "gateways.md"
OLD, NEW, FOREIGN = "what it held", "the change", "what they wrote"


@dataclass(frozen=True)
class Case:
    """Error of the request, first and final state, and the gateway's values."""

    text: str
    error: type[Refused] | None
    state: str
    end: str
    held: str


TABLE = {
    "edited before": Case(
        "somebody edits it between staging and applying",
        Conflict,
        "pending",
        "pending",
        FOREIGN,
    ),
    "unreachable": Case("it cannot be reached", Unreachable, "pending", "pending", OLD),
    "wrong key": Case("it does not accept the key", Unreachable, "pending", "pending", OLD),
    "slow": Case("it is slow, and answers in time", None, "applied", "applied", NEW),
    "refuses": Case("it refuses", Refused, "failed", "failed", OLD),
    "late before": Case(
        "no answer in time, before it was carried out", OutcomeUnknown, "unknown", "failed", OLD
    ),
    "on its way": Case(
        "no answer in time, and carried out long after",
        OutcomeUnknown,
        "unknown",
        "failed, then applied",
        NEW,
    ),
    "late after": Case(
        "no answer in time, after it was carried out", OutcomeUnknown, "unknown", "applied", NEW
    ),
    "dropped after": Case(
        "the connection breaks after the write", OutcomeUnknown, "unknown", "applied", NEW
    ),
    "edited after": Case(
        "somebody edits it between the write and the reading back",
        Refused,
        "failed",
        "failed",
        FOREIGN,
    ),
}
# A feature of each driver, and values of a concurrent edit.
DRIVERS = {
    "opnsense": (
        "opnsense.routing.static_route",
        {"gateway": "SOMEBODY_ELSES", "disabled": False},
    ),
    "openwrt": ("openwrt.dhcp.static_host", {"ip": "192.168.1.99"}),
    "mikrotik": ("mikrotik.dhcp.lease_static", {"address": "192.168.88.99"}),
    "mikrotik, binary": ("mikrotik.dhcp.lease_static", {"address": "192.168.88.99"}),
    "proxmox": ("proxmox.firewall.alias", {"cidr": "192.168.99.0/24"}),
    "pfsense": (
        "pfsense.routing.static_route",
        {"gateway": "SOMEBODY_ELSES", "disabled": False},
    ),
    "unifi": ("unifi.dns.static", {"ipv4Address": "192.168.1.99"}),
    "unifi, the older API": ("unifi.firewall.group", {"group_members": ["192.168.1.99"]}),
    "omada": ("dhcp.reservation", {"ip": "192.168.0.99"}),
    "omada, with no id told": ("firewall.port_forward", {"forwardIp": "192.168.0.99"}),
}
# These roll back by themselves, so a late confirmation finds nothing to confirm.
WITH_WAY_BACK, GONE_BACK = {"openwrt"}, {"on its way"}
OPERATIONS = ("update", "create", "delete")


def cells() -> Iterator[Any]:
    """Yield every driver with every fault, varying the operations."""
    for at, (driver, fault) in enumerate(product(DRIVERS, TABLE)):
        turn = at // len(TABLE) + at
        is_edit = TABLE[fault].held == FOREIGN
        operation = "update" if is_edit else OPERATIONS[turn % len(OPERATIONS)]
        yield pytest.param(driver, fault, operation, id=f"{driver}-{fault}-{operation}")


@pytest.mark.parametrize(("driver", "fault", "operation"), list(cells()))
def test_every_fault_ends_as_the_table_says(
    driver: str, fault: str, operation: str, admin: User, writes: Any
) -> None:
    case, (key, foreign) = TABLE[fault], DRIVERS[driver]
    writes.MUSTER_GATEWAY_SECONDS = 20
    with at_a_desk(key, admin, is_binary="binary" in driver) as desk:
        target, payload = "", desk.feature.example
        if operation != "create":
            target = desk.do("create", payload).target_id
            payload = {"update": desk.feature.change}.get(operation, {})
        change = desk.stage(operation, payload, target)
        old = deepcopy(desk.device.held(desk.feature, target)) if target else None
        desk.device.received.clear()
        go_wrong(desk, fault, target, foreign)
        with pytest.raises(case.error) if case.error else nullcontext():
            apply_late(desk, change, writes) if "late" in fault else desk.apply(change)
        change.refresh_from_db()
        assert change.state == case.state
        writes.MUSTER_GATEWAY_SECONDS = 20
        goes_back = driver in WITH_WAY_BACK and fault in GONE_BACK
        assert settled(desk, change) == ("failed" if goes_back else case.end)
        assert len(desk.device.received) <= 1, "it was sent twice"
        held = desk.device.held(desk.feature, change.target_id) if change.target_id else None
        if case.held == OLD or goes_back:
            assert held == old
        elif operation == "delete":
            assert held is None
        else:
            wanted = foreign if case.held == FOREIGN else payload
            told = desk.device.told(desk.feature, held or {})
            assert not desk.feature.differs(desk.feature.values(wanted), told)


def apply_late(desk: Desk, change: Change, writes: Any) -> None:
    """Apply a change with little patience, until it is the write that was not answered."""
    writes.MUSTER_GATEWAY_SECONDS = 0.5
    while not desk.device.received:
        # On a busy machine the readings before it may take longer than that, too.
        with suppress(TimedOut):
            desk.apply(Change.objects.get(pk=change.pk))


def go_wrong(desk: Desk, fault: str, target: str, foreign: dict[str, Any]) -> None:
    def edit() -> None:
        desk.device.overwrite(desk.feature, target, foreign)

    desk.device.edit, desk.device.trouble = edit, fault
    if fault == "edited before":
        edit()
    if fault == "unreachable":
        Gateway.objects.update(url="http://127.0.0.1:9")
    if fault == "wrong key":
        Gateway.objects.update(secret="another one")


def settled(desk: Desk, change: Change) -> str:
    """Return the state after reconciliation, and again after late writes have arrived."""
    desk.device.trouble = ""
    desk.device.release()
    desk.device.pass_time(60)
    states = []
    for _ in range(2):
        reconciliation.reconcile()
        change.refresh_from_db()
        states.append(change.state)
        desk.device.deliver()
        Change.objects.update(modified=timezone.now() - timedelta(minutes=5))
    return ", then ".join(dict.fromkeys(states))


def row(case: Case) -> str:
    code = 200
    if case.error:
        code = next(code for kind, code in STATUSES if issubclass(case.error, kind))
    end = "" if case.end == case.state else case.end
    return f"| {case.text} | {code} | {case.state} | {end} | {case.held} |".replace(
        "|  |", "| |"
    )


def test_the_page_tells_of_every_fault() -> None:
    assert "\n".join(map(row, TABLE.values())) in PAGE.read_text()
    assert {FEATURES[key].vendor for key, _ in DRIVERS.values()} == set(VENDORS)


@pytest.mark.parametrize("step", ["prepared", "sent"])
def test_a_worker_that_stalls_longer_than_its_lease_sends_nothing_twice(
    step: str, staged: Any, device: OPNsense, admin: User, time_machine: Any
) -> None:
    change = ask(staged("create", payload={"network": "10.9.0.0/16", "gateway": "LTE"}), admin)
    worker = execution.steps(Change.objects.get(pk=change.pk))
    for done in worker:
        if done == step:
            break
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    tasks.reconcile_changes()
    change.refresh_from_db()
    assert change.state == ("failed" if step == "prepared" else "applied")
    list(worker)
    assert len(device.received) == (0 if step == "prepared" else 1)
    change.refresh_from_db()
    assert change.state == ("failed" if step == "prepared" else "applied")
    assert len(device.rows["routes/routes"]) == len(device.received)


def test_what_failed_is_asked_for_no_more_and_staged_again(
    staged: Any, device: OPNsense, admin: User
) -> None:
    change = staged("create", payload={"network": "10.9.0.0/16", "gateway": "LTE"})
    device.trouble = "on its way"
    with pytest.raises(OutcomeUnknown):
        applied(change, admin)
    device.trouble = ""
    reconciliation.reconcile()
    change.refresh_from_db()
    assert (change.state, bool(change.outcome)) == ("failed", True)
    with pytest.raises(Conflict):
        ask(change, admin)
    assert applied(changes.stage_again(change, by=admin), admin).state == "applied"
    assert device.active == ["routes/routes/reconfigure"]
