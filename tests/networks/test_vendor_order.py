"""Rules are put where they belong: before, after, first, last; moved, taken back, and where they were."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.html import escape

from controller.accounts.models import User
from controller.base.errors import OutcomeUnknown, Refused
from networks.gateways.drivers.contract import Rejected
from networks.gateways.engine.features import ALL, FEATURES
from networks.gateways.engine.features.positions import arranged, is_at, position_of
from networks.gateways.rules import diff, dry_run, neighboring_rules, reconciliation
from networks.gateways.rules.gateway_connections import connect
from networks.gateways.rules.scheduling import ApplyOptions
from tests.networks.applying import Desk, at_a_desk

pytestmark = pytest.mark.usefixtures("writes")
ORDERED = [one.key for one in ALL if one.is_ordered]
MOVED = [one.key for one in ALL if one.is_ordered and "update" in one.operations]


@pytest.fixture
def desk(request: Any, admin: User) -> Iterator[Desk]:
    with at_a_desk(request.param, admin) as one:
        yield one


def make(desk: Desk, name: str, position: str = "") -> str:
    """A rule of this name, and its desired position."""
    feature = desk.feature
    named = next(
        n for n in ("comment", "descr", "description", "name") if n in feature.properties
    )
    payload = {**feature.example, named: name, **({"position": position} if position else {})}
    return str(desk.do("create", payload).target_id)


def order(desk: Desk, of: list[str]) -> list[str]:
    """The rules of a test in the order of the gateway."""
    with connect(desk.gateway) as device:
        found = device.ids(desk.feature, {})
        if desk.feature.vendor in {"unifi", "omada", "proxmox"}:
            found = device.ordered(desk.feature, of[0], {})
    return [one for one in found if one in of]


@pytest.mark.parametrize("desk", ORDERED, indirect=True)
def test_a_new_rule_is_put_where_it_belongs(desk: Desk) -> None:
    one, two = make(desk, "one"), make(desk, "two", "last")
    head = make(desk, "head", "first")
    middle = make(desk, "middle", f"after:{one}")
    third = make(desk, "third", f"before:{two}")
    assert order(desk, [one, two, head, middle, third]) == [head, one, middle, third, two]


@pytest.mark.parametrize("desk", MOVED, indirect=True)
def test_a_rule_is_moved_and_taken_back_and_comes_again_where_it_was(desk: Desk) -> None:
    rules = [make(desk, name, "last") for name in ("one", "two", "three")]
    one, two, three = rules
    change = desk.do("update", {"position": "first"}, three)
    assert order(desk, rules) == [three, one, two]
    (told,) = [line for line in diff.differences(change)[0] if line.name == "position"]
    assert told.desired == "first"
    desk.undo(change)
    assert order(desk, rules) == rules
    gone = desk.do("delete", target=two)
    assert order(desk, rules) == [one, three]
    if not desk.feature.secret:
        again = desk.undo(gone).target_id
        assert order(desk, [one, again, three]) == [one, again, three]


@pytest.mark.parametrize("desk", MOVED, indirect=True)
def test_a_rule_beside_one_that_is_gone_is_refused(desk: Desk) -> None:
    one = make(desk, "one")
    with pytest.raises(Refused, match="There is no rule at"):
        desk.do("update", {"position": "before:00000000"}, one)
    assert order(desk, [one]) == [one]


@pytest.mark.parametrize("desk", ["mikrotik.firewall.filter_rule"], indirect=True)
def test_a_move_that_locks_the_portal_out_is_taken_back_by_the_router(desk: Desk) -> None:
    rules = [make(desk, name, "last") for name in ("one", "two", "three")]
    change = desk.stage("update", {"position": "first", "log": True}, rules[2])
    before = dict(desk.device.held(desk.feature, rules[2]))
    desk.device.locks_out = True
    with pytest.raises(OutcomeUnknown):
        desk.apply(change)
    desk.device.locks_out = False
    desk.device.pass_time(60)
    assert order(desk, rules) == rules
    assert desk.device.held(desk.feature, rules[2]) == before
    reconciliation.reconcile()
    change.refresh_from_db()
    assert change.state == "failed"


def test_a_position_is_a_place_among_the_others() -> None:
    ids = ["a", "b", "c"]
    assert position_of(ids, "b") == "after:a before:c"
    assert position_of(ids, "a") == "first before:b"
    assert position_of(ids, "d") == ""
    assert arranged(ids, "c", "first") == ["c", "a", "b"]
    assert arranged(ids, "d", "after:a before:b") == ["a", "d", "b", "c"]
    # The one above is gone meanwhile, and the one below is not.
    assert arranged(ids, "d", "after:x before:c") == ["a", "b", "d", "c"]
    assert arranged(ids, "d", "after:x") is None
    assert is_at("last", position_of(ids, "c"))
    assert not is_at("first", position_of(ids, "c"))
    assert is_at("after:gone before:gone", position_of(ids, "c"))


@pytest.mark.parametrize("desk", [one.key for one in ALL if one.final], indirect=True)
def test_a_dry_run_shows_the_rules_around_and_warns_of_one_that_drops_everything(
    desk: Desk, client: Any
) -> None:
    client.force_login(desk.by)
    feature = desk.feature
    named = next(
        n for n in ("comment", "descr", "description", "name") if n in feature.properties
    )
    needed = {*feature.chain, *feature.required, *feature.everything}
    same = {n: v for n, v in feature.example.items() if n in needed}
    ends: Any = feature.final[1]
    ends = int(ends) if ends.isdigit() else ends
    drop = {**same, feature.final[0]: ends, named: "the last"}
    final = desk.do("create", drop).target_id
    change = desk.stage("create", {**same, named: "behind", "position": "last"})
    found = neighboring_rules.surroundings(change)
    assert [one["is_this"] for one in found.rules][-1]
    assert final in found.warning
    assert "the last" in found.warning
    ahead = desk.stage("create", {**same, named: "ahead", "position": f"before:{final}"})
    found = neighboring_rules.surroundings(ahead)
    assert found.warning == ""
    assert found.rules[-1]["target_id"] == final
    page = client.get(f"/admin/networks/change/{change.pk}/change/").content.decode()
    assert "Neighboring rules" in page
    assert escape(neighboring_rules.surroundings(change).warning) in page


def test_every_vendor_with_rules_in_an_order_knows_what_ends_them() -> None:
    assert {one.vendor for one in ALL if one.is_ordered} == {
        one.vendor for one in ALL if one.final
    }


@pytest.mark.parametrize("desk", ["proxmox.firewall.guest_rule"], indirect=True)
def test_a_rule_of_a_list_that_was_changed_meanwhile_is_not_moved(desk: Desk) -> None:
    one, two = make(desk, "one", "last"), make(desk, "two", "last")
    with connect(desk.gateway) as device:
        rows = desk.device.rows["nodes/pve/qemu/100/firewall/rules"]
        honest = device._sole  # type: ignore[attr-defined]

        def looked_up(*args: Any) -> Any:
            row = honest(*args)
            rows.insert(0, {"type": "in", "action": "DROP", "enable": 1})
            return row

        device._sole = looked_up  # type: ignore[attr-defined]
        with pytest.raises(Rejected, match="detected modified configuration"):
            device.write(desk.feature, "update", two, {"position": f"before:{one}"})
    assert order(desk, [one, two]) == [one, two]


def test_the_binary_api_moves_too(admin: User) -> None:
    with at_a_desk("mikrotik.firewall.nat_rule", admin, is_binary=True) as desk:
        one, two = make(desk, "one"), make(desk, "two", "first")
        assert order(desk, [one, two]) == [two, one]
        desk.do("update", {"position": "last"}, two)
        assert order(desk, [one, two]) == [one, two]


def test_a_version_that_cannot_move_is_told_before_anything_is_written(admin: User) -> None:
    with at_a_desk("opnsense.firewall.rule", admin, version="24.7") as desk:
        change = desk.stage("create", {**desk.feature.example, "position": "first"})
        with pytest.raises(Refused, match=r"position needs OPNsense 25\.7"):
            desk.apply(change)
        assert desk.device.writes == []
        assert desk.do("create", desk.feature.example).state == "applied"


def test_a_dry_run_warns_where_the_gateway_does_not_go_back_by_itself(admin: User) -> None:
    for version, warned in (("26.7.2", True), ("26.1.11", False)):
        with at_a_desk("opnsense.firewall.rule", admin, version=version) as desk:
            desk.do("create", desk.feature.example)
            change = desk.stage("create", desk.feature.example)
            change.gateway.refresh_from_db()
            plan = dry_run.plan(change, by=admin, how=ApplyOptions())
            assert any("does not go back" in one for one in plan.warnings) is warned


def test_all_filter_rules_of_a_router_are_ordered_at_once_and_put_back(admin: User) -> None:
    with at_a_desk("mikrotik.firewall.filter_rule", admin) as rules:
        made = [make(rules, name) for name in ("one", "two", "three", "four")]
        one, two, three, four = made
        whole = Desk(
            FEATURES["mikrotik.firewall.filter_reorder"], rules.device, rules.gateway, admin
        )
        change = whole.do("update", {"order": [four, two, one, three]})
        assert order(rules, made) == [four, two, one, three]
        whole.undo(change)
        assert order(rules, made) == made
        with pytest.raises(Refused, match="name each rule"):
            whole.do("update", {"order": [four, two, one]})
        assert order(rules, made) == made


def test_a_rule_is_turned_off_by_its_id_as_clients_of_freesdn_do(admin: User) -> None:
    with at_a_desk("mikrotik.firewall.filter_rule", admin) as rules:
        one = make(rules, "one")
        toggle = Desk(
            FEATURES["mikrotik.firewall.filter_toggle"], rules.device, rules.gateway, admin
        )
        change = toggle.do("create", {"disabled": True}, one)
        assert rules.device.menus["ip/firewall/filter"][one]["disabled"] == "true"
        toggle.undo(change)
        assert rules.device.menus["ip/firewall/filter"][one]["disabled"] == "false"
