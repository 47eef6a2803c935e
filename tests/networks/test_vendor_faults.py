"""What a vendor answers that is not a plain yes: told apart by its own statuses, on each driver."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from controller.accounts.models import User
from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from networks.gateways.drivers.contract import Rejected
from networks.gateways.drivers.waiting import is_done_within
from networks.gateways.engine.features import FEATURES, VENDORS
from networks.gateways.engine.features.versions import KNOWN, caution
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import gateways
from networks.gateways.rules.gateway_connections import connect
from tests import factories
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS as STAND_INS
from tests.fleet.http import JSON
from tests.networks.applying import Desk, at_a_desk

pytestmark = pytest.mark.usefixtures("writes")
KEPT = {
    "mikrotik": "mikrotik.dhcp.lease_static", "omada": "dhcp.reservation",
    "openwrt": "openwrt.dhcp.static_host", "opnsense": "opnsense.routing.static_route",
    "pfsense": "pfsense.routing.static_route", "proxmox": "proxmox.firewall.alias",
    "unifi": "unifi.dns.static",
}  # fmt: skip
ODD: list[Any] = [[], {}, None, "text", 7, {"data": None}, {"result": [0]}, {"rows": 1}]


@pytest.fixture
def desk(request: Any, admin: User) -> Iterator[Desk]:
    with at_a_desk(request.param, admin) as one:
        yield one


def gateway_of(vendor: str, device: Any) -> Gateway:
    return factories.gateway(
        factories.organization(), device.url, vendor=vendor, key=device.key,
        secret=device.secret,
    )  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_answer_that_no_one_expects_is_told_and_hides_no_other_gateway(
    vendor: str, db: Any
) -> None:
    device = STAND_INS[vendor]()
    with serving(device):
        gateway = gateway_of(vendor, device)
        for odd in ODD:
            device.answer = lambda _, odd=odd: (200, JSON, json.dumps(odd))  # type: ignore[method-assign]
            with pytest.raises(Refused), connect(gateway) as there:
                there.write(FEATURES[KEPT[vendor]], "create", "", {"name": "x"})
        other = factories.gateway(gateway.organization, "http://127.0.0.1:9")
        assert gateways.poll() == 2
    other.refresh_from_db()
    assert other.polled is not None


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_version_that_is_not_known_is_told_and_only_read(vendor: str, admin: User) -> None:
    with at_a_desk(KEPT[vendor], admin, version="99.1") as desk:
        change = desk.stage("create", desk.feature.example)
        with pytest.raises(Refused, match="is not known to this portal"):
            desk.apply(change)
        change.refresh_from_db()
        desk.gateway.refresh_from_db()
        assert (change.state, desk.device.writes) == ("pending", [])
        assert "99.1" in desk.gateway.version
        assert "it is read" in desk.gateway.caution
        with connect(desk.gateway) as device:
            assert device.ids(desk.feature, {}) == []


def test_the_first_and_the_last_known_version_are_written() -> None:
    for vendor, (first, last) in KNOWN.items():
        assert not caution(vendor, first)
        assert not caution(vendor, f"{last}.3 (stable)")
        assert caution(vendor, "1.0")
        assert caution(vendor, "")


# Statuses that a vendor's own description says mean that nothing was done, and that do not.
STATUSES = [
    ("pfsense", 424, Rejected), ("pfsense", 503, Unreachable), ("pfsense", 500, OutcomeUnknown),
    ("unifi", 429, Unreachable), ("unifi", 409, Rejected), ("unifi", 502, OutcomeUnknown),
    ("opnsense", 404, Rejected), ("opnsense", 503, OutcomeUnknown),
    ("mikrotik", 400, Rejected), ("mikrotik", 500, OutcomeUnknown),
    ("proxmox", 501, Rejected), ("proxmox", 596, OutcomeUnknown),
    ("omada", 429, Unreachable), ("omada", 504, OutcomeUnknown),
]  # fmt: skip


@pytest.mark.parametrize(("vendor", "status", "kind"), STATUSES)
def test_refusals_and_unknown_outcomes_are_told_apart_by_the_status(
    vendor: str, status: int, kind: type[Refused], db: Any
) -> None:
    device, feature = STAND_INS[vendor](), FEATURES[KEPT[vendor]]
    with serving(device):
        gateway = gateway_of(vendor, device)
        honest = device.answer
        device.answer = lambda request: (  # type: ignore[method-assign]
            (status, JSON, "{}") if device.is_write(request) else honest(request)
        )
        device.respond = _plain(device)  # type: ignore[method-assign]
        with pytest.raises(kind), connect(gateway) as there:
            there.write(feature, "create", "", feature.values(feature.example))


def _plain(device: Any) -> Any:
    async def respond(request: Any, writer: Any) -> None:
        await device._send(writer, *device.answer(request))

    return respond


@pytest.mark.parametrize("desk", ["unifi.clients.reservation"], indirect=True)
def test_a_reservation_is_made_of_the_client_that_is_known(desk: Desk) -> None:
    known = {"_id": "a" * 24, "mac": "02:00:00:00:00:05", "name": "Laser", "use_fixedip": False}
    desk.device.rows["user"]["a" * 24] = dict(known)
    change = desk.do("create", {"mac": "02:00:00:00:00:05", "fixed_ip": "192.168.1.5"})
    assert change.target_id == "a" * 24
    assert desk.device.rows["user"]["a" * 24]["fixed_ip"] == "192.168.1.5"
    desk.do("delete", target="a" * 24)
    assert desk.device.rows["user"]["a" * 24]["name"] == "Laser"


@pytest.mark.parametrize("desk", ["firewall.port_forward"], indirect=True)
def test_a_forward_keeps_the_addresses_that_the_portal_does_not_know(desk: Desk) -> None:
    made = desk.do("create", desk.feature.example).target_id
    before = desk.device.rows["nat/port-forwardings"][made]["wanIps"]
    desk.do("update", desk.feature.change, made)
    assert desk.device.rows["nat/port-forwardings"][made]["wanIps"] == before


@pytest.mark.parametrize("desk", ["opnsense.nat.source_rule"], indirect=True)
def test_source_nat_is_refused_in_the_mode_that_uses_no_rules(desk: Desk) -> None:
    desk.device.snat_mode = "automatic"
    with pytest.raises(Refused, match="hybrid"):
        desk.do("create", desk.feature.example)
    assert not desk.device.writes


@pytest.mark.parametrize("desk", ["opnsense.interfaces.vlan"], indirect=True)
def test_a_vlan_keeps_the_name_of_its_device(desk: Desk) -> None:
    made = desk.do("create", {**desk.feature.example, "vlanif": "vlan0.77"}).target_id
    desk.do("update", {"description": "Phones"}, made)
    assert desk.device.rows["interfaces/vlan_settings"][made]["vlanif"] == "vlan0.77"


@pytest.mark.parametrize("desk", ["pfsense.firewall.rule"], indirect=True)
def test_interfaces_by_another_name_are_told_before_anything_is_sent(desk: Desk) -> None:
    desk.device.names_interfaces_by = "descr"
    with pytest.raises(Refused, match="Internal ID"):
        desk.do("create", desk.feature.example)
    assert not desk.device.writes


@pytest.mark.parametrize("desk", ["pfsense.firewall.rule"], indirect=True)
def test_what_may_be_empty_is_emptied_and_taken_back(desk: Desk) -> None:
    made = desk.do("create", {**desk.feature.example, "gateway": "WANGW"}).target_id
    change = desk.do("update", {"protocol": "any"}, made)
    assert desk.device.held(desk.feature, made)["protocol"] is None
    desk.undo(change)
    assert desk.device.held(desk.feature, made)["protocol"] == "tcp"
    ports = desk.do("update", {"destination_port": "8000-8010"}, made)
    assert desk.device.held(desk.feature, made)["destination_port"] == "8000:8010"
    desk.undo(ports)
    assert desk.device.held(desk.feature, made)["destination_port"] == "443"


def test_what_a_kind_needs_besides_is_told_at_staging() -> None:
    vlan = FEATURES["unifi.networks.vlan"]
    found = vlan.problems("create", {**vlan.example, "management": "GATEWAY"})
    assert "payload.internetAccessEnabled" in found
    policy = FEATURES["unifi.firewall.policy"]
    found = policy.problems("create", {**policy.example, "action.type": "ALLOW"})
    assert list(found) == ["payload.action.allowReturnTraffic"]
    record = FEATURES["unifi.dns.static"]
    assert record.problems("create", {"type": "A_RECORD", "enabled": True, "domain": "a.b"})
    forward = FEATURES["pfsense.nat.port_forward"]
    payload = {n: v for n, v in forward.example.items() if n != "local_port"}
    assert list(forward.problems("create", payload)) == ["payload.local_port"]


@pytest.mark.parametrize("desk", ["proxmox.sdn.zone", "proxmox.node.network"], indirect=True)
def test_networks_are_applied_when_the_task_that_reloads_them_has_ended(desk: Desk) -> None:
    desk.device.runs_for = 2
    assert desk.do("create", desk.feature.example).state == "applied"
    (task,) = desk.device.tasks
    assert task["looks"] == 3
    desk.device.exitstatus = "reload failed"
    change = desk.stage("delete", target=Change.objects.get().target_id)
    with pytest.raises(OutcomeUnknown, match="reload failed"):
        desk.apply(change)


@pytest.mark.parametrize("desk", ["pfsense.firewall.alias"], indirect=True)
def test_what_pfsense_reloads_after_its_answer_is_waited_for(desk: Desk) -> None:
    desk.device.reloads_for = 2
    assert desk.do("create", desk.feature.example).state == "applied"
    assert desk.device.reloading == 0
    assert desk.device.paths.count(("GET", "/api/v2/firewall/apply")) == 2


def test_what_takes_too_long_to_be_in_effect_is_not_waited_for_forever() -> None:
    looks: list[int] = []
    assert not is_done_within(0, lambda: bool(looks.append(1)))
    assert looks == [1]
