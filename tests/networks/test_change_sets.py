"""Change sets, approvals, maintenance windows, idempotency and expiry."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from controller.accounts.models import User
from controller.accounts.rules import api_keys, sites
from controller.base.errors import Conflict, NotPermitted, OutcomeUnknown, Refused
from networks import tasks
from networks.gateways.engine import maintenance_windows
from networks.gateways.models import Change, ChangeSet, Gateway
from networks.gateways.rules import approvals, change_sets, changes, scheduling
from networks.gateways.rules import gateways as gateway_rules
from tests import factories
from tests.fleet.opnsense import OPNsense
from tests.networks.applying import applied, ask, work_off

pytestmark = pytest.mark.usefixtures("writes")
ROUTES = "routes/routes"


def route(number: int) -> dict[str, Any]:
    return {"network": f"10.{number}.0.0/16", "gateway": "WAN_GW"}


def run(row: ChangeSet) -> ChangeSet:
    """Run the workers until the set is over."""
    for _ in range(40):
        tasks.advance_set(str(row.pk))
        work_off()
        row.refresh_from_db()
        if row.state not in ChangeSet.ACTIVE:
            return row
    raise AssertionError(f"it is {row.state} still")


@pytest.fixture
def three(staged: Any, admin: User) -> ChangeSet:
    parts = [staged("create", payload=route(number)) for number in (1, 2, 3)]
    return change_sets.create_set(parts, by=admin, name="Three routes")


# --- order, stop and rollback


def test_a_set_is_applied_in_its_order(staged: Any, admin: User, device: OPNsense) -> None:
    parts = [staged("create", payload=route(number)) for number in (1, 2, 3)]
    row = change_sets.create_set([parts[2], parts[0], parts[1]], by=admin, name="Routes")
    with pytest.raises(Conflict, match="part of a set"):
        ask(Change.objects.get(pk=parts[0].pk), admin)
    change_sets.apply_set(row, by=admin, force=True)
    assert run(row).state == "applied"
    held = [one["network"] for one in device.rows[ROUTES].values()]
    assert held == ["10.3.0.0/16", "10.1.0.0/16", "10.2.0.0/16"]
    assert set(row.changes.values_list("state", flat=True)) == {"applied"}


@pytest.mark.parametrize(
    ("on_failure", "state", "held"), [("stop", "failed", 1), ("roll_back", "rolled_back", 0)]
)
def test_where_one_fails_a_set_stops_or_goes_back(
    on_failure: str, state: str, held: int, staged: Any, admin: User, device: OPNsense
) -> None:
    target = device.put(ROUTES, network="10.9.0.0/16", gateway="WAN_GW", disabled="0")
    parts = [
        staged("create", payload=route(1)),
        staged("update", payload={"disabled": True}, target_id=target),
        staged("create", payload=route(3)),
    ]
    row = change_sets.create_set(parts, by=admin, name="Routes", on_failure=on_failure)
    device.rows[ROUTES][target]["gateway"] = "SOMEBODY_ELSES"
    change_sets.apply_set(row, by=admin, force=True)
    assert run(row).state == state
    assert "Change static route" in row.outcome
    assert len(device.rows[ROUTES]) == 1 + held
    states = [Change.objects.get(pk=one.pk).state for one in parts]
    assert states == ["applied" if held else "rolled_back", "pending", "pending"]


def test_a_set_that_stopped_goes_on_where_it_was(
    three: ChangeSet, admin: User, device: OPNsense
) -> None:
    device.trouble = "refuses"
    change_sets.apply_set(three, by=admin, force=True)
    assert run(three).state == "failed"
    assert not device.writes
    failed = three.changes.get(state="failed")
    device.trouble = ""
    change_sets.apply_set(three, by=admin, force=True)
    row = run(three)
    assert (row.state, f"{failed} (failed)" in row.outcome) == ("failed", True)
    # A failed change is skipped and can be staged again.
    held = [one["network"] for one in device.rows[ROUTES].values()]
    assert held == ["10.2.0.0/16", "10.3.0.0/16"]
    assert changes.stage_again(failed, by=admin).state == "pending"


def test_what_a_set_did_is_taken_back_the_last_first(
    three: ChangeSet, admin: User, device: OPNsense
) -> None:
    change_sets.apply_set(three, by=admin, force=True)
    assert run(three).state == "applied"
    change_sets.roll_back_set(three, by=admin)
    assert run(three).state == "rolled_back"
    assert not device.rows[ROUTES]
    assert len(device.writes) == 6
    backs = three.changes.filter(position=None).order_by("created")
    assert [one.inverse_of.position for one in backs] == [2, 1, 0]


def test_a_set_waits_for_what_is_unknown(
    three: ChangeSet, admin: User, device: OPNsense
) -> None:
    device.trouble = "dropped after"
    change_sets.apply_set(three, by=admin, force=True)
    tasks.advance_set(str(three.pk))
    tasks.back_up_gateways()
    tasks.advance_set(str(three.pk))
    work_off()
    assert three.changes.filter(state="unknown").count() == 1
    device.trouble = ""
    tasks.reconcile_changes()
    assert run(three).state == "applied"
    assert len(device.writes) == 3


def test_sets_by_the_api(staged: Any, gateway: Gateway, api: Any, device: OPNsense) -> None:
    parts = [str(staged("create", payload=route(number)).pk) for number in (1, 2)]
    owner = api(factories.user(gateway.organization))
    body = {"name": "Two", "changes": parts[::-1], "on_failure": "roll_back"}
    made = owner.post("/api/v1/change-sets/", body, format="json")
    assert made.status_code == 201
    assert [one["id"] for one in made.data["changes"]] == parts[::-1]
    path = f"/api/v1/change-sets/{made.data['set']['id']}/"
    assert owner.post(f"{path}apply/", {}, format="json").status_code == 403
    assert owner.post(f"{path}apply/", {"force": True}, format="json").status_code == 202
    run(ChangeSet.objects.get())
    assert owner.get(path).data["set"]["status"] == "applied"
    assert owner.get("/api/v1/change-sets/?status=applied").data["total"] == 1
    assert owner.post("/api/v1/change-sets/", body, format="json").status_code == 422
    body["changes"] = [parts[0], str(gateway.pk)]
    assert owner.post("/api/v1/change-sets/", body, format="json").status_code == 404
    stranger = api(factories.user(factories.organization()))
    assert stranger.get(path).status_code == 404
    body["changes"] = parts
    assert stranger.post("/api/v1/change-sets/", body, format="json").status_code == 404


# --- approvals


def test_a_second_person_approves_and_only_what_was_there(
    staged: Any, gateway: Gateway, admin: User, device: OPNsense
) -> None:
    gateway.approval = Gateway.Approval.EVERY
    gateway.save()
    change = staged("create", payload=route(1))
    other = factories.user(gateway.organization)
    with pytest.raises(NotPermitted, match="another person"):
        ask(change, admin)
    with pytest.raises(NotPermitted, match="another person"):
        approvals.approve(change, by=admin)
    with pytest.raises(NotPermitted):
        approvals.approve(change, by=factories.user(gateway.organization, "operator"))
    assert approvals.approve(change, by=other).state == "approved"
    changes.amend(change, by=admin, payload=route(2))
    assert change.state == "pending"
    with pytest.raises(NotPermitted):
        ask(change, admin)
    approvals.approve(change, by=other)
    assert applied(change, admin).state == "applied"
    assert [one["network"] for one in device.rows[ROUTES].values()] == ["10.2.0.0/16"]


def test_who_amended_a_change_is_none_of_its_approvers(
    staged: Any, gateway: Gateway, admin: User, device: OPNsense
) -> None:
    gateway.approval = Gateway.Approval.EVERY
    gateway.save()
    change, other = staged("create", payload=route(1)), factories.user(gateway.organization)
    third = factories.user(gateway.organization)
    approvals.approve(change, by=other)
    # Agreed to before it was amended, and by the amender: that counts for nothing.
    changes.amend(change, by=other, payload=route(2))
    for person in (other, admin):
        with pytest.raises(NotPermitted, match="amended"):
            approvals.approve(change, by=person)
    row = change_sets.create_set([change], name="alone", by=other)
    with pytest.raises(NotPermitted, match="amended"):
        change_sets.approve_set(row, by=other)
    assert not approvals.is_approved(change)
    change_sets.approve_set(row, by=third)
    change.refresh_from_db()
    assert approvals.is_approved(change)


def test_who_may_no_longer_write_has_not_approved(
    staged: Any, gateway: Gateway, admin: User, device: OPNsense
) -> None:
    gateway.approval = Gateway.Approval.EVERY
    gateway.save()
    change, other = staged("create", payload=route(1)), factories.user(gateway.organization)
    ask(approvals.approve(change, by=other), admin)
    other.is_active = False
    other.save()
    work_off()
    change.refresh_from_db()
    assert (change.state, change.trouble) == ("pending", "not permitted")
    assert not device.writes


def test_a_narrowed_key_approves_nothing(
    staged: Any, gateway: Gateway, api: Any, settings: Any
) -> None:
    change, other = staged("create", payload=route(1)), factories.user(gateway.organization)
    secret = api_keys.create_key(
        other, name="key", scopes=["firewall:write", "network:read"]
    )[1]  # fmt: skip
    client = api(None)
    client.credentials(HTTP_X_API_KEY=secret)
    path = f"/api/v1/gateway-vpn/changes/{change.pk}/approve"
    assert client.post(path, {}, format="json").status_code == 403
    assert api(other).post(path, {}, format="json").data["status"] == "approved"


# --- scheduling


@pytest.mark.parametrize(
    ("text", "at", "opens"),
    [
        # In Oslo it is 2026-11-26, a Thursday, UTC+1.
        ("Mon-Fri 22:00-06:00", "2026-11-26T12:00", "2026-11-26T21:00"),
        ("Mon-Fri 22:00-06:00", "2026-11-26T03:00", "2026-11-26T03:00"),
        ("Sat 00:00-24:00", "2026-11-26T12:00", "2026-11-27T23:00"),
        ("Wed 22:00-23:00", "2026-11-26T12:00", "2026-12-02T21:00"),
        ("02:30-03:30, Sun 10:00-11:00", "2026-11-26T12:00", "2026-11-27T01:30"),
        # The nights in which 02:00 to 03:00 occurs twice and not at all (daylight saving).
        ("Sun 02:30-04:00", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("Sun 02:30-04:00", "2026-03-28T12:00", "2026-03-29T01:30"),
        ("", "2026-11-26T12:00", None),
    ],
)
def test_windows_open_by_the_clock_of_the_site(text: str, at: str, opens: str | None) -> None:
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    found = maintenance_windows.next_opening(
        maintenance_windows.parse(text), now, ZoneInfo("Europe/Oslo")
    )
    assert found == (opens and datetime.fromisoformat(opens).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["Mon 22-23", "Mon 22:00-22:00", "Foo 01:00-02:00", "25:00-26:00"]
)
def test_a_window_that_is_none_is_refused(text: str, gateway: Gateway) -> None:
    with pytest.raises(Refused):
        gateway_rules.update_gateway(gateway, maintenance=text)


def test_outside_of_the_window_a_change_waits_for_the_next(
    staged: Any, gateway: Gateway, admin: User, device: OPNsense, time_machine: Any
) -> None:
    gateway.site = sites.create_site(
        organization=gateway.organization, name="Oslo", slug="oslo", timezone="Europe/Oslo"
    )
    gateway.maintenance = "22:00-06:00"
    gateway.save()
    time_machine.move_to(datetime(2026, 11, 26, 12, tzinfo=UTC))
    change = staged("create", payload=route(1))
    with pytest.raises(Conflict, match="2026-11-26 22:00 CET"):
        ask(change, admin)
    assert ask(change, admin, in_window=True).state == "scheduled"
    work_off()
    assert not device.writes
    time_machine.move_to(datetime(2026, 11, 26, 21, 1, tzinfo=UTC))
    tasks.apply_due()
    work_off()
    change.refresh_from_db()
    assert change.state == "applied"


def test_what_is_scheduled_can_be_held_and_what_nobody_applies_expires(
    staged: Any, admin: User, device: OPNsense
) -> None:
    change = staged("create", payload=route(1))
    tomorrow = timezone.now() + timedelta(days=1)
    assert ask(change, admin, not_before=tomorrow).state == "scheduled"
    assert scheduling.unschedule(change, by=admin).state == "pending"
    with pytest.raises(Conflict, match="expires"):
        ask(change, admin, not_before=timezone.now() + timedelta(days=90))
    Change.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert tasks.expire_changes() == 1
    change.refresh_from_db()
    assert change.state == "expired"
    with pytest.raises(Conflict):
        ask(change, admin)
    assert changes.stage_again(change, by=admin).state == "pending"


def test_a_draft_is_submitted_before_it_is_applied(staged: Any, admin: User) -> None:
    change = staged("create", payload=route(1), state="draft")
    with pytest.raises(Conflict, match="draft"):
        ask(change, admin)
    assert changes.submit(change, by=admin).state == "pending"


# --- idempotency and dry run


def test_a_repeated_request_is_done_once(
    staged: Any, gateway: Gateway, api: Any, device: OPNsense
) -> None:
    owner = api(factories.user(gateway.organization))
    path = (
        f"/api/v1/gateway-opnsense-routing/{gateway.pk}/changes/opnsense.routing.static_route"
    )

    def stage(number: int, key: str) -> Any:
        return owner.post(
            f"{path}?operation=create", {"payload": route(number)}, format="json",
            headers={"Idempotency-Key": key},
        )  # fmt: skip

    first = stage(1, "a")
    assert stage(1, "a").data["id"] == first.data["id"]
    assert stage(1, "b").data["id"] != first.data["id"]
    assert stage(2, "a").status_code == 400
    apply = f"/api/v1/gateway-vpn/changes/{first.data['id']}/apply"
    once = {"headers": {"Idempotency-Key": "c"}, "format": "json"}
    assert owner.post(apply, {"force": True}, **once).status_code == 202
    work_off()
    again = owner.post(apply, {"force": True}, **once)
    assert (again.status_code, again.data["status"]) == (200, "applied")
    assert owner.post(apply, {"force": True}, format="json").status_code == 409
    assert len(device.writes) == 1


def test_a_dry_run_tells_what_would_be_and_does_nothing(
    staged: Any, gateway: Gateway, api: Any, device: OPNsense, settings: Any
) -> None:
    settings.ADAPTER_READ_ONLY = True
    target = device.put(ROUTES, network="10.9.0.0/16", gateway="WAN_GW")
    change = staged("update", payload={"gateway": "LTE_GW"}, target_id=target)
    device.rows[ROUTES][target]["gateway"] = "OTHER_GW"
    owner = api(factories.user(gateway.organization))
    told = owner.post(
        f"/api/v1/gateway-vpn/changes/{change.pk}/apply", {"dry_run": True}, format="json"
    )
    assert told.status_code == 200
    assert told.data["drift"] is True
    assert len(told.data["obstacles"]) == 2
    assert told.data["steps"][1]["values"] == {"gateway": "LTE_GW"}
    (line,) = told.data["differences"]
    assert (line["base"], line["live"], line["desired"]) == ("WAN_GW", "OTHER_GW", "LTE_GW")
    assert not device.writes
    assert Change.objects.get().state == "pending"


# --- gateways


def test_gateways_are_polled_and_read_live(
    gateway: Gateway, api: Any, device: OPNsense, settings: Any
) -> None:
    dead = factories.gateway(gateway.organization, "http://127.0.0.1:9")
    assert tasks.poll_gateways() == 2
    assert tasks.poll_gateways() == 0
    settings.MUSTER_GATEWAY_POLL_SECONDS = 0
    assert tasks.poll_gateways() == 2
    gateway.refresh_from_db()
    dead.refresh_from_db()
    assert (gateway.version, gateway.trouble) == ("26.7.2", "")
    assert dead.trouble
    assert dead.last_seen is None
    target = device.put("wireguard/server", name="wg0", port="51820", privkey="a secret")
    path = f"/api/v1/gateways/{gateway.pk}/live/opnsense.vpn.wireguard/"
    told = api(factories.user(gateway.organization, "viewer")).get(path)
    assert told.data[0]["target_id"] == target
    values = told.data[0]["values"]
    assert (values["name"], values["port"]) == ("wg0", "51820")
    assert "privkey" not in values
    assert api(factories.user(factories.organization())).get(path).status_code == 404
    assert (
        api(factories.superuser()).get(path.replace(str(gateway.pk), str(dead.pk))).status_code
        == 502
    )


def test_a_set_with_a_part_that_was_discarded_meanwhile_is_not_called_applied(
    three: ChangeSet, admin: User
) -> None:
    change_sets.apply_set(three, by=admin, force=True)
    last = change_sets.parts_of(three)[-1]
    changes.discard(last, by=admin)
    row = run(three)
    assert row.state == "failed"
    assert f"{last} (discarded)" in row.outcome
    states = [one.state for one in change_sets.parts_of(row)]
    assert states == ["applied", "applied", "discarded"]


def test_a_change_whose_gateway_died_can_be_given_up(
    client: Client, staged: Any, admin: User, device: OPNsense, gateway: Gateway, settings: Any
) -> None:
    settings.MUSTER_GATEWAY_SETTLE_SECONDS = 90
    change = staged("create", payload=route(7))
    device.trouble = "dropped after"
    with pytest.raises(OutcomeUnknown):
        applied(change, admin)
    change.refresh_from_db()
    assert change.state == "unknown"
    with pytest.raises(Conflict, match="a moment ago"):
        changes.discard(change, by=admin)
    Change.objects.filter(pk=change.pk).update(sent=timezone.now() - timedelta(hours=1))
    change.refresh_from_db()
    page = f"/admin/networks/change/{change.pk}/"
    operator = factories.user(gateway.organization, "operator", is_staff=True)
    client.force_login(operator)
    assert "Give up" not in client.get(f"{page}change/").content.decode()
    with pytest.raises(NotPermitted):
        changes.discard(change, by=operator)
    client.force_login(admin)
    assert "Give up" in client.get(f"{page}change/").content.decode()
    client.post(f"{page}do/discard/")
    change.refresh_from_db()
    assert change.state == "failed"
    assert "Given up by" in change.outcome
    gateway_rules.delete_gateway(gateway)


def test_one_gateway_with_an_odd_answer_hides_no_other(gateway: Gateway, admin: User) -> None:
    other = factories.gateway(gateway.organization, gateway.url, vendor="mikrotik")
    Gateway.objects.update(polled=None)
    Gateway.objects.filter(pk=other.pk).update(polled=timezone.now() - timedelta(hours=1))
    assert gateway_rules.poll() == 2
    gateway.refresh_from_db()
    assert gateway.last_seen is not None
