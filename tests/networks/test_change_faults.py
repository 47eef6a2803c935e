"""Each thing that can go wrong: how the change ends, and what the gateway holds then."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import Conflict, OutcomeUnknown, Refused, Unreachable
from networks import tasks
from networks.models import Change, Gateway
from networks.rules import applying, reconciling
from tests.fleet.opnsense import OPNsense
from tests.networks.applying import applied, ask

pytestmark = pytest.mark.usefixtures("writes")
KIND = "routes/routes"
OLD, NEW, FOREIGN = "WAN_GW", "LTE_GW", "SOMEBODY_ELSES"


@dataclass(frozen=True)
class Case:
    """The state when the request is answered, once the truth is known, and what is held."""

    error: type[Refused] | None
    state: str
    end: str
    held: str


# As in docs/gateways.md.
TABLE = {
    "edited before": Case(Conflict, "pending", "pending", FOREIGN),
    "unreachable": Case(Unreachable, "pending", "pending", OLD),
    "slow": Case(None, "applied", "applied", NEW),
    "refuses": Case(Refused, "failed", "failed", OLD),
    "late before": Case(OutcomeUnknown, "unknown", "failed", OLD),
    "on its way": Case(OutcomeUnknown, "unknown", "failed", OLD),
    "late after": Case(OutcomeUnknown, "unknown", "applied", NEW),
    "dropped after": Case(OutcomeUnknown, "unknown", "applied", NEW),
    "edited after": Case(Refused, "failed", "failed", FOREIGN),
}


@pytest.mark.parametrize("fault", TABLE)
def test_every_fault_ends_as_the_table_says(
    fault: str, staged: Any, device: OPNsense, admin: User
) -> None:
    case = TABLE[fault]
    target = device.put(KIND, network="10.9.0.0/16", gateway=OLD)
    change = staged("update", payload={"gateway": NEW}, target_id=target)
    device.fault = fault
    if fault == "edited before":
        device.rows[KIND][target]["gateway"] = FOREIGN
    if fault == "unreachable":
        Gateway.objects.update(url="http://127.0.0.1:9")
        change = Change.objects.get(pk=change.pk)
    if case.error is None:
        applied(change, admin)
    else:
        with pytest.raises(case.error):
            applied(change, admin)
    change.refresh_from_db()
    assert change.state == case.state
    device.fault = ""
    device.released.set()
    reconciling.reconcile()
    change.refresh_from_db()
    assert change.state == case.end
    assert device.rows[KIND][target]["gateway"] == case.held
    assert len([path for path, _ in device.received if "setroute" in path]) <= 1


def test_a_write_that_arrives_hours_later_is_found_and_was_sent_once(
    staged: Any, device: OPNsense, admin: User, time_machine: Any
) -> None:
    change = staged("create", payload={"network": "10.9.0.0/16", "gateway": NEW})
    device.fault = "on its way"
    with pytest.raises(OutcomeUnknown):
        applied(change, admin)
    device.fault = ""
    reconciling.reconcile()
    change.refresh_from_db()
    assert change.state == "failed"
    with pytest.raises(Conflict):
        ask(change, admin)
    device.deliver()
    Change.objects.update(modified=change.created)
    time_machine.move_to(timezone.now() + timedelta(minutes=30))
    reconciling.reconcile()
    change.refresh_from_db()
    assert change.state == "applied"
    assert device.active == ["routes/routes/reconfigure"]
    assert len(device.received) == 1


@pytest.mark.parametrize("step", ["prepared", "sent"])
def test_a_worker_that_stalls_longer_than_its_lease_sends_nothing_twice(
    step: str, staged: Any, device: OPNsense, admin: User, time_machine: Any
) -> None:
    change = ask(staged("create", payload={"network": "10.9.0.0/16", "gateway": NEW}), admin)
    worker = applying.steps(Change.objects.get(pk=change.pk))
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
    assert len(device.rows[KIND]) == len(device.received)
