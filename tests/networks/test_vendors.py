"""Every feature of every vendor on its stand-in: apply and roll back."""

from collections.abc import Iterator
from typing import Any

import pytest

from controller.accounts.models import AuditEntry, User
from controller.base.errors import OutcomeUnknown, Refused
from networks.gateways.api.serializers import ChangeShape
from networks.gateways.engine.features import ALL, Feature
from networks.gateways.engine.features.versions import parsed
from networks.gateways.models import Change
from networks.gateways.rules import changes, diff, reconciliation
from tests.fleet.contract import contract_of, holds
from tests.fleet.gateways import VENDORS
from tests.networks.applying import Desk, at_a_desk

pytestmark = pytest.mark.usefixtures("writes")
# Versions with published, differing APIs; "" is the newest one.
VERSIONS = {
    "opnsense": ("", "25.7", "26.1.9", "26.1.11"),
    "unifi": ("", "9.5.21", "10.0.162", "10.1.68", "10.1.89"),
    "pfsense": ("", "2.2.0", "2.4.3", "2.6.8"),
    "mikrotik": ("", "7.9", "7.15.3"),
    "omada": ("", "5.15.20.18"),
    "proxmox": ("", "8.4.1"),
    "openwrt": ("", "22.03.7"),
}


def is_other_in(one: Feature, version: str) -> bool:
    """Whether a version has other calls or fields for a feature than the newest one has."""
    newest = VENDORS[one.vendor].version
    if not version or one.has_savepoint or one.spellings or one.since:
        return True
    calls = contract_of(one.vendor).calls
    if not any(call.told.get("versions") for call in calls):
        # Nothing is published of what differs.
        return True
    for call in calls:
        if one.key in call.told.get("feature", []):
            body = call.told.get("body") or {}
            told = [call.told, *(call.told.get("body_changes") or {}).values(), *body.values()]
            spans = [each for each in told if isinstance(each, dict)]
            if any(holds(each, version) != holds(each, newest) for each in spans):
                return True
    return False


KEPT = [
    pytest.param((one.key, version), id=f"{one.key} {version}".strip())
    for one in ALL
    if not one.action
    for version in VERSIONS[one.vendor]
    if is_other_in(one, version)
]
DEEDS = [pytest.param((one.key, ""), id=one.key) for one in ALL if one.action]


@pytest.fixture
def desk(request: Any, admin: User) -> Iterator[Desk]:
    key, version = request.param
    with at_a_desk(key, admin, version=version) as one:
        yield one


def lacks(device: Any, feature: Feature, target: str, payload: Any) -> list[str]:
    """Return the payload's properties that the gateway lacks, including secrets."""
    row = device.held(feature, target)
    assert row is not None
    found = device.told(feature, row)
    wanted = {n: v for n, v in feature.values(payload).items() if n not in feature.identity}
    return feature.differs(wanted, found)


@pytest.mark.parametrize("desk", KEPT, indirect=True)
def test_every_feature_goes_there_and_back(desk: Desk) -> None:
    feature, device, target = desk.feature, desk.device, ""
    if feature.lacking(parsed(device.version), feature.values(feature.example)):
        assert_is_refused(desk)
        return
    if "create" in feature.operations:
        made = desk.do("create", feature.example)
        target = made.target_id
        assert not lacks(device, feature, target, feature.example)
        assert_is_secret(feature, made)
    if "update" in feature.operations and "position" not in feature.change:
        target = there_and_back(desk, target)
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


def assert_is_refused(desk: Desk) -> None:
    """Assert that an unsupported feature is refused and nothing is sent."""
    operation = desk.feature.operations[0]
    payload = desk.feature.example if operation == "create" else desk.feature.change
    with pytest.raises(Refused, match=r"needs .* or newer"):
        desk.apply(desk.stage(operation, payload, desk.device.sample(desk.feature)))
    # What is to change is read, and so refused, before it is staged.
    assert [one.state for one in Change.objects.all()] == ["pending"] * (operation == "create")
    assert desk.device.received == []


def assert_is_secret(feature: Feature, made: Change) -> None:
    """Assert that secrets appear in no output and in no unencrypted column."""
    secret = [str(v) for n, v in feature.example.items() if feature.is_secret(n)]
    shown = [made.payload, made.before, made.after, made.intent, made.outcome]
    shown += AuditEntry.objects.values_list("before", "after", "detail")
    shown.append(ChangeShape(made).data)
    assert not [one for one in secret if one in str(shown)]
    assert set(made.after or {}).isdisjoint(feature.secret)


def there_and_back(desk: Desk, target: str) -> str:
    feature, device = desk.feature, desk.device
    target = target or device.sample(feature)
    changed = desk.stage("update", feature.change, target)
    found, drift = diff.differences(changed)
    assert not drift
    assert {one.name: one.desired for one in found} == feature.values(feature.change)
    before = dict(device.held(feature, changed.target_id))
    done = desk.apply(changed)
    assert not lacks(device, feature, done.target_id, feature.change)
    back = desk.undo(done)
    after = device.held(feature, back.target_id)
    assert not feature.differs(device.told(feature, before), device.told(feature, after))
    return back.target_id


@pytest.mark.parametrize("desk", DEEDS, indirect=True)
def test_every_deed_is_done_once(desk: Desk) -> None:
    done = desk.do("create", desk.feature.example)
    assert done.state == "applied"
    assert len([*desk.device.writes, *desk.device.active]) == 1
    with pytest.raises(Refused):
        changes.plan_inverse(done, by=desk.by)


GUARDED = [
    pytest.param(("mikrotik.firewall.filter_rule", ""), id="mikrotik"),
    pytest.param(("openwrt.firewall.rule", ""), id="openwrt"),
    pytest.param(("openwrt.dhcp.static_host", ""), id="openwrt dhcp"),
    pytest.param(("opnsense.firewall.rule", "26.1.11"), id="opnsense"),
]


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
@pytest.mark.parametrize("desk", GUARDED, indirect=True)
def test_a_change_that_locks_the_portal_out_is_taken_back_by_the_gateway(
    operation: str, desk: Desk
) -> None:
    feature, device = desk.feature, desk.device
    there = desk.do("create", feature.example).target_id
    before = dict(device.held(feature, there))
    payload = {"create": feature.example, "update": feature.change}.get(operation)
    change = desk.stage(operation, payload, "" if operation == "create" else there)
    device.locks_out = True
    with pytest.raises(OutcomeUnknown):
        desk.apply(change)
    device.locks_out = False
    device.pass_time(60)
    reconciliation.reconcile()
    change.refresh_from_db()
    assert change.state == "failed"
    assert device.held(feature, there) == before
    done = desk.do(operation, payload, "" if operation == "create" else there)
    assert done.state == "applied"
    if operation != "delete":
        assert not lacks(device, feature, done.target_id, payload)
