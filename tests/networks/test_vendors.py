"""Every feature of every vendor on its stand-in: there, back, and through every fault."""

from collections.abc import Iterator
from typing import Any

import pytest

from controller.accounts.models import AuditEntry, User
from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from networks.api.freesdn.serializers import ChangeShape
from networks.engine.features import ALL, FEATURES, Feature, differs
from networks.engine.features.feature import inside
from networks.models import Change, Gateway
from networks.rules import changes, comparing, gateways, reconciling
from tests import make
from tests.fleet.gateway import StandIn
from tests.fleet.http import Supervisors
from tests.fleet.mikrotik import MikroTik
from tests.fleet.omada import Omada
from tests.fleet.openwrt import OpenWrt
from tests.fleet.opnsense import opnsense
from tests.fleet.pfsense import PfSense
from tests.fleet.proxmox import Proxmox
from tests.fleet.unifi import UniFi
from tests.networks.applying import applied

STAND_INS: dict[str, type[StandIn]] = {
    "mikrotik": MikroTik,
    "omada": Omada,
    "openwrt": OpenWrt,
    "pfsense": PfSense,
    "proxmox": Proxmox,
    "unifi": UniFi,
}
KEPT = [one.key for one in ALL if not one.deed]
DEEDS = [one.key for one in ALL if one.deed]


@pytest.fixture(autouse=True)
def _writes(settings: Any) -> None:
    settings.ADAPTER_READ_ONLY = False
    settings.MUSTER_LOCAL_GATEWAYS = True
    settings.MUSTER_GATEWAY_SECONDS = 20
    settings.MUSTER_GATEWAY_SETTLE_SECONDS = 0


@pytest.fixture
def feature(request: Any) -> Feature:
    return FEATURES[request.param]


@pytest.fixture
def device(feature: Feature) -> Iterator[Any]:
    if feature.vendor == "opnsense":
        with opnsense() as server:
            yield server
        return
    one = STAND_INS[feature.vendor]()
    with Supervisors(one) as loop:
        one.release = lambda: loop.loop.call_soon_threadsafe(one.released.set)  # type: ignore[attr-defined]
        yield one
        one.release()  # type: ignore[attr-defined]


@pytest.fixture
def gateway(db: Any, device: Any, feature: Feature) -> Gateway:
    return make.gateway(
        make.organization(), device.url, vendor=feature.vendor, key=device.key,
        secret=device.secret,
    )  # fmt: skip


@pytest.fixture
def admin(db: Any) -> User:
    return make.superuser()


class Desk:
    """Stages and applies changes of one feature."""

    def __init__(self, gateway: Gateway, feature: Feature, by: User) -> None:
        self.gateway, self.feature, self.by = gateway, feature, by

    def stage(self, operation: str, payload: Any = None, target: str = "") -> Change:
        return changes.stage(
            self.gateway, feature=self.feature, operation=operation, payload=payload or {},
            target_id=target, by=self.by,
        )  # fmt: skip

    def apply(self, change: Change) -> Change:
        return applied(change, self.by)

    def do(self, operation: str, payload: Any = None, target: str = "") -> Change:
        return self.apply(self.stage(operation, payload, target))

    def undo(self, change: Change) -> Change:
        back = self.apply(changes.plan_inverse(change, by=self.by))
        change.refresh_from_db()
        assert (back.state, change.state) == ("applied", "rolled_back")
        return back


@pytest.fixture
def desk(gateway: Gateway, feature: Feature, admin: User) -> Desk:
    return Desk(gateway, feature, admin)


def lacks(device: Any, feature: Feature, target: str, payload: Any) -> list[str]:
    """What of a payload the gateway does not hold, secrets too."""
    row = device.held(feature, target)
    assert row is not None
    found = {n: feature.text(inside(row, n)) for n in feature.properties}
    wanted = {n: v for n, v in feature.values(payload).items() if n not in feature.identity}
    return differs(wanted, found)


@pytest.mark.parametrize("feature", KEPT, indirect=True)
def test_every_feature_goes_there_and_back(feature: Feature, desk: Desk, device: Any) -> None:
    target = ""
    if "create" in feature.operations:
        made = desk.do("create", feature.example)
        target = made.target_id
        assert not lacks(device, feature, target, feature.example)
        assert_is_secret(feature, made)
    if "update" in feature.operations:
        target = there_and_back(feature, desk, device, target)
    if "delete" in feature.operations:
        gone = desk.do("delete", target=target)
        assert device.held(feature, target) is None
        if not feature.secret:
            again = desk.undo(gone).target_id
            assert not lacks(device, feature, again, feature.example)
            back = desk.apply(
                changes.plan_inverse(Change.objects.latest("created"), by=desk.by)
            )
            assert back.operation == "delete"
            assert device.held(feature, again) is None


def assert_is_secret(feature: Feature, made: Change) -> None:
    """What was secret was written (see above), and is in nothing that is shown or kept open."""
    secret = [str(v) for n, v in feature.example.items() if feature.is_secret(n)]
    shown = [made.payload, made.before, made.after, made.intent, made.outcome]
    shown += AuditEntry.objects.values_list("before", "after", "detail")
    shown.append(ChangeShape(made).data)
    assert not [one for one in secret if one in str(shown)]
    assert set(made.after or {}).isdisjoint(feature.secret)


def there_and_back(feature: Feature, desk: Desk, device: Any, target: str) -> str:
    target = target or device.sample(feature)
    changed = desk.stage("update", feature.change, target)
    found, drift = comparing.differences(changed)
    assert not drift
    assert {one.name: one.desired for one in found} == feature.values(feature.change)
    before = dict(device.held(feature, changed.target_id))
    done = desk.apply(changed)
    assert not lacks(device, feature, done.target_id, feature.change)
    back = desk.undo(done)
    after = device.held(feature, back.target_id)
    was = {n: feature.text(inside(before, n)) for n in feature.properties}
    now = {n: feature.text(inside(after, n)) for n in feature.properties}
    assert not differs(was, now)
    return back.target_id


@pytest.mark.parametrize("feature", DEEDS, indirect=True)
def test_every_deed_is_done_once(feature: Feature, desk: Desk, device: Any) -> None:
    done = desk.do("create", feature.example)
    assert done.state == "applied"
    assert len([*device.writes, *device.active]) == 1
    with pytest.raises(Refused):
        changes.plan_inverse(done, by=desk.by)


# --- what goes wrong

FAULTED = {
    "mikrotik": "mikrotik.dhcp.lease_static",
    "omada": "dhcp.reservation",
    "omada, with no id told": "firewall.port_forward",
    "openwrt": "openwrt.dhcp.static_host",
    "pfsense": "pfsense.routing.static_route",
    "proxmox": "proxmox.firewall.alias",
    "unifi": "unifi.dns.static",
    "unifi, the older API": "unifi.firewall.group",
}
FAULT_TABLE = {
    # the fault: how applying ends, the state then, the state once the truth is known, writes
    "late before": (OutcomeUnknown, "unknown", "failed", 0),
    "late after": (OutcomeUnknown, "unknown", "applied", 1),
    "dropped after": (OutcomeUnknown, "unknown", "applied", 1),
    "refuses": (Refused, "failed", "failed", 0),
}


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
@pytest.mark.parametrize("fault", FAULT_TABLE)
@pytest.mark.parametrize("feature", FAULTED.values(), indirect=True)
def test_every_fault_ends_in_the_state_that_is_true(
    fault: str, operation: str, feature: Feature, desk: Desk, device: Any, settings: Any
) -> None:
    error, state, end, writes = FAULT_TABLE[fault]
    target = "" if operation == "create" else desk.do("create", feature.example).target_id
    payload = {"create": feature.example, "update": feature.change}.get(operation)
    change = desk.stage(operation, payload, target)
    device.writes.clear()
    device.trouble = fault
    settings.MUSTER_GATEWAY_SECONDS = 0.5 if "late" in fault else 20
    with pytest.raises(error):
        desk.apply(change)
    change.refresh_from_db()
    assert change.state == state
    settings.MUSTER_GATEWAY_SECONDS = 20
    device.trouble = ""
    device.release()
    device.pass_time(60)
    reconciling.reconcile()
    change.refresh_from_db()
    assert (change.state, len(device.writes)) == (end, writes)
    if (fault, end) == ("late before", "failed"):
        assert desk.apply(changes.stage_again(change, by=desk.by)).state == "applied"
        assert len(device.writes) == 1


GUARDED = ["mikrotik.firewall.filter_rule", "openwrt.firewall.rule", "openwrt.dhcp.static_host"]


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
@pytest.mark.parametrize("feature", GUARDED, indirect=True)
def test_a_change_that_locks_the_portal_out_is_taken_back_by_the_gateway(
    operation: str, feature: Feature, desk: Desk, device: Any
) -> None:
    there = desk.do("create", feature.example).target_id
    before = dict(device.held(feature, there))
    payload = {"create": feature.example, "update": feature.change}.get(operation)
    change = desk.stage(operation, payload, "" if operation == "create" else there)
    device.locks_out = True
    with pytest.raises(OutcomeUnknown):
        desk.apply(change)
    device.locks_out = False
    device.pass_time(60)
    reconciling.reconcile()
    change.refresh_from_db()
    assert change.state == "failed"
    assert device.held(feature, there) == before
    done = desk.do(operation, payload, "" if operation == "create" else there)
    assert done.state == "applied"
    if operation != "delete":
        assert not lacks(device, feature, done.target_id, payload)


@pytest.mark.parametrize("feature", FAULTED.values(), indirect=True)
def test_what_somebody_else_changed_is_not_written_over(
    feature: Feature, desk: Desk, device: Any
) -> None:
    target = desk.do("create", feature.example).target_id
    change = desk.stage("update", feature.change, target)
    desk.do("update", feature.change, target)
    device.writes.clear()
    with pytest.raises(Refused, match="not as it was"):
        desk.apply(change)
    assert not device.writes


@pytest.mark.parametrize("feature", FAULTED.values(), indirect=True)
def test_a_wrong_password_is_told_and_changes_nothing(
    feature: Feature, desk: Desk, device: Any, gateway: Gateway
) -> None:
    assert gateways.look(gateway).version
    Gateway.objects.update(secret="another one")
    gateway.refresh_from_db()
    with pytest.raises(Unreachable):
        desk.do("create", feature.example)
    assert not device.writes
    assert Change.objects.get().state == "pending"
