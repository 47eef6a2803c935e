"""OpenWrt over ubus as rpcd and procd behave: late reloads, names of places, restarts of doors."""

from collections.abc import Iterator
from typing import Any

import pytest

from controller.accounts.models import User
from controller.base.errors import Conflict, OutcomeUnknown, Refused
from networks.gateways.rules import reconciliation
from tests.networks.applying import Desk, at_a_desk

pytestmark = pytest.mark.usefixtures("writes")
RULE = "openwrt.firewall.rule"


@pytest.fixture
def desk(admin: User) -> Iterator[Desk]:
    with at_a_desk(RULE, admin) as one:
        yield one


@pytest.fixture
def rules(desk: Desk) -> list[str]:
    """Three rules without names, as OpenWrt's own are."""
    device = desk.device
    return [
        device.put("firewall", "rule", name=name, target="ACCEPT")
        for name in ("R1", "R2", "R3")
    ]


def file_of(*rules: tuple[str, dict[str, str]]) -> str:
    """The file of the firewall, byte by byte."""
    found = ""
    for name, options in rules:
        named = f" '{name}'" if name else ""
        found += f"\nconfig rule{named}\n"
        found += "".join(f"\toption {n} '{v}'\n" for n, v in options.items())
    return found


def accepting(name: str, **more: str) -> dict[str, str]:
    return {"name": name, "target": "ACCEPT", **more}


def held(desk: Desk) -> dict[str, dict[str, Any]]:
    rows = desk.device.files["firewall"].values()
    return {row["name"]: row for row in rows}


def id_of(desk: Desk, name: str) -> str:
    rows = desk.device.files["firewall"].items()
    return next(one for one, row in rows if row["name"] == name)


def test_sections_without_a_name_are_told_apart_after_one_is_deleted(
    desk: Desk, rules: list[str]
) -> None:
    desk.do("update", {"enabled": False}, rules[1])
    desk.do("delete", target=id_of(desk, "R1"))
    third = id_of(desk, "R3")
    desk.do("update", {"target": "DROP"}, third)
    assert {name: row["target"] for name, row in held(desk).items()} == {
        "R2": "ACCEPT", "R3": "DROP",
    }  # fmt: skip
    second, third = id_of(desk, "R2"), id_of(desk, "R3")
    assert desk.device.text("firewall") == file_of(
        (second, accepting("R2", enabled="0")), (third, {"name": "R3", "target": "DROP"})
    )


def test_deleting_a_section_without_a_name_leaves_the_one_that_takes_its_place(
    desk: Desk, rules: list[str]
) -> None:
    change = desk.do("delete", target=rules[0])
    assert change.state == "applied"
    assert desk.device.text("firewall") == file_of(("", accepting("R2")), ("", accepting("R3")))
    again = desk.undo(change)
    assert desk.device.text("firewall") == file_of(
        (again.target_id, accepting("R1")), ("", accepting("R2")), ("", accepting("R3"))
    )


def test_a_change_of_what_moved_meanwhile_is_not_written_to_its_neighbor(
    desk: Desk, rules: list[str]
) -> None:
    change = desk.stage("update", {"target": "DROP"}, rules[1])
    del desk.device.files["firewall"][rules[0]]
    desk.device.reread("firewall")
    with pytest.raises(Conflict):
        desk.apply(change)
    assert desk.device.text("firewall") == file_of(("", accepting("R2")), ("", accepting("R3")))


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
def test_it_is_confirmed_only_when_it_is_in_effect(
    operation: str, desk: Desk, writes: Any
) -> None:
    """Services are reloaded after the apply: what locks the portal out does so only then."""
    there = desk.do("create", desk.feature.example).target_id
    before = desk.device.text("firewall")
    writes.MUSTER_GATEWAY_EFFECT_SECONDS = 0.2
    desk.device.reload_delay, desk.device.locks_out = 0.05, True
    payload = {"create": desk.feature.example, "update": desk.feature.change}.get(operation)
    with pytest.raises(OutcomeUnknown):
        desk.do(operation, payload, "" if operation == "create" else there)
    desk.device.pass_time(60)
    assert desk.device.text("firewall") == before
    reconciliation.reconcile()
    assert desk.gateway.changes.latest("created").state == "failed"


def test_sessions_are_ended(desk: Desk, rules: list[str]) -> None:
    desk.do("update", {"enabled": False}, rules[1])
    assert desk.device.sessions == {}


@pytest.mark.parametrize("name", ["uhttpd", "rpcd"])
def test_restarting_what_the_portal_comes_in_by_ends_known(name: str, admin: User) -> None:
    with at_a_desk("openwrt.services.restart", admin) as desk:
        assert desk.do("create", {"name": name}).state == "applied"
        assert desk.device.writes == ["rc init restart"]


def test_what_the_portal_comes_in_by_is_not_stopped(admin: User) -> None:
    with at_a_desk("openwrt.services.stop", admin) as desk:
        with pytest.raises(Refused, match="restarted, not stopped"):
            desk.do("create", {"name": "uhttpd"})
        assert not desk.device.writes
