"""Dry runs of changes, and conflicts between changes."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import User
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import diff, dry_run
from networks.gateways.rules.gateways import look, poll
from networks.gateways.rules.scheduling import ApplyOptions
from tests.fleet.opnsense import OPNsense
from tests.networks.applying import at_a_desk
from tests.networks.test_change_faults import DRIVERS

pytestmark = pytest.mark.usefixtures("writes")
ROUTES = "routes/routes"
URL = "/api/v1/gateway-vpn/changes"


def page(change: Change, tail: str = "change") -> str:
    return f"/admin/networks/change/{change.pk}/{tail}/"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_dry_run_tells_every_request_and_sends_none(
    driver: str, admin: User, writes: Any
) -> None:
    key, _ = DRIVERS[driver]
    with at_a_desk(key, admin, is_binary="binary" in driver) as desk:
        target = desk.do("create", desk.feature.example).target_id
        desk.device.received.clear()
        for operation, payload in (
            ("create", desk.feature.example), ("update", desk.feature.change), ("delete", {}),
        ):  # fmt: skip
            change = desk.stage(operation, payload, "" if operation == "create" else target)
            plan = dry_run.plan(change, by=admin, how=ApplyOptions(force=True))
            told = str(plan.requests)
            assert plan.requests
            if operation != "delete":
                value = str(next(iter(payload.values())))
                assert value.lower() in told.lower() or operation == "update"
            assert desk.device.secret not in told
        assert not desk.device.received
        # A dry run does not prevent applying.
        assert desk.apply(change).state == "applied"


def test_a_dry_run_shows_no_secret(staged: Any, admin: User) -> None:
    key = "opnsense.vpn.wireguard.server"
    change = staged("create", key, payload=FEATURES[key].example)
    secret = next(v for n, v in FEATURES[key].example.items() if FEATURES[key].is_secret(n))
    requests = dry_run.plan(change, by=admin, how=ApplyOptions()).requests
    assert [one.path for one in requests] == [
        "/api/wireguard/server/addServer", "/api/wireguard/service/reconfigure",
    ]  # fmt: skip
    assert requests[0].body["server"]["privkey"] == "***"
    assert secret not in str(requests)


def test_what_is_told_besides_is_masked_where_it_may_be_secret() -> None:
    wlan = FEATURES["unifi.wlans.ssid"]
    body = {"name": "Guests", "x_iapp_key": "abc", "nested": [{"auth_token": "t", "mtu": 1}]}
    assert dry_run.masked(body, wlan) == {
        "name": "Guests", "x_iapp_key": "***", "nested": [{"auth_token": "***", "mtu": 1}],
    }  # fmt: skip


def test_two_that_wait_for_the_same_are_told(
    staged: Any, device: OPNsense, gateway: Gateway, api: Any, admin: User, client: Any
) -> None:
    target = device.put(ROUTES, network="10.9.0.0/16", gateway="WAN_GW")
    first = staged("update", payload={"gateway": "LTE_GW"}, target_id=target)
    second = staged("delete", target_id=target)
    other = staged("create", payload={"network": "10.8.0.0/16", "gateway": "WAN_GW"})
    twin = staged("create", payload={"network": "10.8.0.0/16", "gateway": "WAN_GW"})
    calls = api(admin)
    assert calls.get(f"{URL}/{second.pk}").json()["conflicts_with"] == [str(first.pk)]
    listed = calls.get(f"{URL}/by-gateway/{gateway.pk}").json()
    assert {one["id"]: one["conflicts_with"] for one in listed} == {
        str(first.pk): [str(second.pk)], str(second.pk): [str(first.pk)],
        str(other.pk): [str(twin.pk)], str(twin.pk): [str(other.pk)],
    }  # fmt: skip
    client.force_login(admin)
    assert "for the same object" in " ".join(client.get(page(first)).content.decode().split())
    drawer = client.get(f"/admin/networks/gateway/{gateway.pk}/change/").content.decode()
    assert drawer.count(">Conflict</span>") == 4
    calls.post(f"{URL}/{second.pk}/discard")
    assert calls.get(f"{URL}/{first.pk}").json()["conflicts_with"] == []


def test_a_change_is_amended_on_a_form_that_holds_it(
    staged: Any, admin: User, client: Any
) -> None:
    key = "opnsense.vpn.wireguard.server"
    change = staged("create", key, payload=FEATURES[key].example, notes="Phones")
    client.force_login(admin)
    shown = client.get(page(change, "amend")).content.decode()
    secret = change.secrets["privkey"]
    assert secret not in shown
    assert "Leave it empty to keep what is stored" in shown
    payload = {n: v for n, v in change.payload.items() if not isinstance(v, bool)}
    form = {
        f"payload.{n}": "\n".join(v) if isinstance(v, list) else v for n, v in payload.items()
    } | {"payload.port": "51999", "notes": "Other phones"}
    assert client.post(page(change, "amend"), form).status_code == 302
    change.refresh_from_db()
    assert (change.payload["port"], change.notes) == (51999, "Other phones")
    assert change.secrets["privkey"] == secret
    wrong = client.post(page(change, "amend"), form | {"payload.port": "70000"})
    assert (wrong.status_code, Change.objects.get().payload["port"]) == (200, 51999)
    client.post(page(change, "do/discard"))
    assert client.get(page(change, "amend")).status_code == 302


def test_the_pages_show_a_dry_run_and_take_a_time(
    staged: Any, device: OPNsense, admin: User, client: Any
) -> None:
    target = device.put(ROUTES, network="10.9.0.0/16", gateway="WAN_GW")
    change = staged("update", payload={"gateway": "LTE_GW"}, target_id=target)
    client.force_login(admin)
    shown = client.get(page(change, "dry-run")).content.decode()
    assert f"/api/routes/routes/setroute/{target}" in shown
    assert "LTE_GW" in shown
    assert not device.received
    wrong = client.post(page(change, "do/apply"), {"not_before": "soon"}, follow=True)
    assert "Write the time as" in wrong.content.decode()
    later = {"not_before": f"{change.expires:%Y-%m-%dT00:00}"}
    client.post(page(change, "do/apply"), later)
    change.refresh_from_db()
    assert (change.state, change.not_before.hour) == ("scheduled", 0)


def test_gateways_are_not_asked_in_every_moment(
    staged: Any, device: OPNsense, admin: User
) -> None:
    target = device.put(ROUTES, network="10.9.0.0/16", gateway="WAN_GW")
    parts = [staged("update", payload={"gateway": f"GW{n}"}, target_id=target) for n in (1, 2)]
    device.requests.clear()
    diff.compare_all(parts)
    # The version, and both objects.
    assert len(device.requests) == 3
    device.rows[ROUTES][target]["gateway"] = "BY_HAND"
    assert not any(one.drift for one in diff.compare_all(parts))
    assert len(device.requests) == 3
    assert all(one.drift for one in diff.compare_all(parts, fresh=True))
    # A transition of the change invalidates its cached diff.
    Change.objects.filter(pk=parts[0].pk).update(version=9)
    diff.compare_all([Change.objects.get(pk=parts[0].pk), parts[1]])
    assert len(device.requests) == 3 + 3 + 2


def test_a_gateway_remembers_when_it_came_and_went(
    gateway: Gateway, device: OPNsense, api: Any, admin: User, client: Any
) -> None:
    look(gateway)
    look(gateway)
    long_ago = timezone.now() - timedelta(days=1)
    for _ in range(2):
        Gateway.objects.update(secret="another one", polled=long_ago)
        poll()
    told = api(admin).get(f"/api/v1/gateways/{gateway.pk}/history/").json()
    assert [one["state"] for one in told] == ["trouble", "online"]
    assert "does not accept the key" in told[0]["reason"]
    client.force_login(admin)
    shown = client.get(f"/admin/networks/gateway/{gateway.pk}/change/").content.decode()
    assert "<h2>Availability</h2>" in shown
