"""Staged changes: FreeSDN's documented steps by curl, every feature, every fault."""

import json
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from controller.accounts.models import AuditEntry, User
from controller.accounts.rules import sites
from controller.base.errors import Conflict, TimedOut, Unreachable
from networks import tasks
from networks.gateways.engine.features import FEATURES, OPNSENSE
from networks.gateways.models import Change, ChangeEvent, Gateway
from networks.gateways.rules import changes, diff, execution, reconciliation
from tests import factories
from tests.document import parameters_of
from tests.fleet.opnsense import OPNsense
from tests.networks.applying import applied, ask, while_working, work_off

UUID = "8c1d3f2e-0000-4000-8000-000000000001"
SECRET_KEY = "B" * 42 + "A="
SAMPLES = {one.key: (one.example, one.change) for one in OPNSENSE}
AREAS_OF = {(one.vendor, one.area) for one in FEATURES.values()}
ROUTE = FEATURES["opnsense.routing.static_route"]


pytestmark = pytest.mark.usefixtures("writes")


# --- the four documented steps


def run(known: dict[str, str], script: str) -> str:
    for name, value in known.items():
        script = script.replace(name, value)
    found = subprocess.run(
        ["/bin/sh", "-c", script], check=True, capture_output=True, timeout=90
    )
    return found.stdout.decode().strip()


@pytest.mark.django_db(transaction=True)
def test_the_four_steps_work_with_curl_as_they_are_printed(
    live_server: Any, device: OPNsense, settings: Any
) -> None:
    organization = factories.organization()
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    gateway = factories.gateway(organization, device.url, site=site)
    target = device.put("wireguard/server", name="wg0", port="51000", privkey="a secret")
    known = {
        "https://freesdn.example.com": live_server.url,
        "$TOKEN": factories.bearer(factories.user(organization))["Authorization"].split()[1],
        "$CONTROLLER_ID": str(gateway.pk),
        "$GATEWAY_ID": str(gateway.pk),
        "$SITE_ID": str(site.pk),
    }

    shell = partial(run, known)
    settings.ADAPTER_READ_ONLY = True
    change = json.loads(
        shell(
            'curl -s -X POST "https://freesdn.example.com/api/v1/gateway-opnsense-vpn/'
            '$CONTROLLER_ID/changes/opnsense.vpn.wireguard?operation=update" '
            '-H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" '
            '-d \'{ "payload": {"listen_port": 51820}, '
            '"notes": "Standardise WireGuard port across all sites" }\''
        )
    )
    known["$CHANGE_ID"] = change["id"]
    assert change["target_id"] == target
    listed = shell(
        'curl -s "https://freesdn.example.com/api/v1/gateway-vpn/$CONTROLLER_ID/sites/$SITE_ID/'
        'changes?status=pending" -H "Authorization: Bearer $TOKEN"'
        " | jq '.[] | {id, feature, operation, created_at, notes}'"
    )
    assert json.loads(listed)["id"] == change["id"]
    drawer = shell(
        'curl -s "https://freesdn.example.com/api/v1/gateway-vpn/changes/by-gateway/$GATEWAY_ID'
        '?vendor=opnsense&status=pending" -H "Authorization: Bearer $TOKEN"'
    )
    assert [one["id"] for one in json.loads(drawer)] == [change["id"]]
    apply = (
        'curl -s -X POST "https://freesdn.example.com/api/v1/gateway-vpn/changes/$CHANGE_ID/'
        'apply" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" '
        "-d '{\"force\": true}'"
    )
    assert "ADAPTER_READ_ONLY" in json.loads(shell(apply))["error"]["message"]
    assert device.rows["wireguard/server"][target]["port"] == "51000"
    settings.ADAPTER_READ_ONLY, settings.MUSTER_APPLY_WAIT_SECONDS = False, 60
    assert json.loads(while_working(lambda: shell(apply)))["status"] == "applied"
    assert device.rows["wireguard/server"][target]["port"] == "51820"
    assert device.active == ["wireguard/service/reconfigure"]
    discard = (
        'curl -s -X POST "https://freesdn.example.com/api/v1/gateway-vpn/changes/$CHANGE_ID/'
        'discard?force=false" -H "Authorization: Bearer $TOKEN"'
    )
    assert json.loads(shell(discard))["error"]["code"] == 409
    other = changes.stage(
        gateway, feature=ROUTE, operation="create", payload=SAMPLES[ROUTE.key][0],
        by=factories.superuser(),
    )  # fmt: skip
    known["$CHANGE_ID"], old = str(other.pk), known["$CHANGE_ID"]
    assert json.loads(shell(discard.replace(old, str(other.pk))))["status"] == "discarded"


# --- secrets


def test_secrets_are_written_and_never_shown(
    staged: Any, device: OPNsense, admin: User
) -> None:
    key = "opnsense.vpn.wireguard.server"
    change = applied(staged("create", key, payload=SAMPLES[key][0]), admin)
    assert device.rows["wireguard/server"][change.target_id]["privkey"] == SECRET_KEY
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=factories.bearer(admin)["Authorization"])
    told = client.get(f"/api/v1/gateway-vpn/changes/by-gateway/{change.gateway_id}").content
    assert b"***" in told
    assert SECRET_KEY.encode() not in told
    with connection.cursor() as cursor:
        cursor.execute("select * from networks_change")
        assert SECRET_KEY not in str(cursor.fetchall())
    noted = list(AuditEntry.objects.values_list("before", "after", "detail"))
    assert SECRET_KEY not in str(noted)
    assert change.gateway.secret not in str(noted)


# --- faults


def test_a_worker_that_was_killed_leaves_what_the_reconciler_finds_out(
    staged: Any, device: OPNsense, admin: User
) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    before_sending = staged("create", payload=SAMPLES[ROUTE.key][0])
    execution.claim(ask(before_sending, admin))
    Change.objects.update(leased_until=long_ago)
    reconciliation.reconcile()
    before_sending.refresh_from_db()
    assert before_sending.state == "pending"

    execution.claim(ask(before_sending, admin))
    with execution.connect(before_sending.gateway) as there:
        execution.prepare(before_sending, there)
        there.write(ROUTE, "create", "", before_sending.wanted)
    Change.objects.update(leased_until=long_ago)
    reconciliation.reconcile()
    before_sending.refresh_from_db()
    assert before_sending.state == "applied"
    assert len(device.writes) == 1


def test_what_somebody_else_changed_meanwhile_is_not_written_over(
    staged: Any, device: OPNsense, admin: User
) -> None:
    target = device.put("routes/routes", **ROUTE.values(SAMPLES[ROUTE.key][0]))
    change = staged("update", payload={"disabled": True}, target_id=target)
    device.rows["routes/routes"][target]["gateway"] = "OTHER_GW"
    assert diff.differences(change)[1]
    with pytest.raises(Conflict):
        applied(change, admin)
    assert not device.writes
    assert applied(Change.objects.get(pk=change.pk), admin, accepts_drift=True).after == {
        "network": "10.5.0.0/16", "gateway": "OTHER_GW", "disabled": "1", "descr": "",
    }  # fmt: skip


def test_of_fifty_who_saw_it_pending_one_writes(
    staged: Any, device: OPNsense, admin: User
) -> None:
    change = staged("create", payload=SAMPLES[ROUTE.key][0])
    seen = [Change.objects.get(pk=change.pk) for _ in range(50)]
    assert sum(_tried(one, admin) for one in seen) == 1
    assert device.writes == ["routes/routes/addroute"]


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_the_same_moment_one_writes_and_the_others_get_409(
    device: OPNsense, settings: Any
) -> None:
    admin = factories.superuser()
    gateway = factories.gateway(factories.organization(), device.url)
    change = changes.stage(
        gateway, feature=ROUTE, operation="create", payload=SAMPLES[ROUTE.key][0], by=admin
    )
    headers = factories.bearer(admin)
    path = f"/api/v1/gateway-vpn/changes/{change.pk}/apply"

    def attempt(_: int) -> int:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=headers["Authorization"])
        try:
            found: int = client.post(path, {"force": True}, format="json").status_code
            tasks.apply_change(str(change.pk))
            return found
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        told = Counter(pool.map(attempt, range(50)))
    assert told == {202: 1, 409: 49}
    assert device.writes == ["routes/routes/addroute"]


def _tried(change: Change, by: User) -> bool:
    try:
        applied(change, by)
    except Conflict:
        return False
    return True


# --- permissions and refusals


def test_a_catastrophic_change_takes_a_site_administrator_at_staging_already(
    gateway: Gateway, device: OPNsense, api: Any
) -> None:
    path = f"/api/v1/gateway-opnsense-system/{gateway.pk}/changes/opnsense.system.reboot"
    operator = factories.user(gateway.organization, "operator")
    assert api(operator).post(f"{path}?operation=create", {}, format="json").status_code == 403
    answer = api(factories.user(gateway.organization)).post(
        f"{path}?operation=create", {}, format="json"
    )
    assert answer.status_code == 201
    assert device.booted == 1
    done = api(factories.user(gateway.organization)).post(
        f"/api/v1/gateway-vpn/changes/{answer.data['id']}/apply", {"force": True}, format="json"
    )
    assert (done.status_code, done.data["status"]) == (202, "scheduled")
    work_off()
    assert device.booted == 2


@pytest.mark.parametrize(
    "case",
    [
        ("vpn", "opnsense.vpn.nothing", "create", {}, 400, ""),
        ("vpn", "opnsense.firewall.alias", "create", {}, 400, ""),
        ("routing", ROUTE.key, "create", {"payload": {"network": "10.0.0.0/8"}}, 422,
         "body.payload.gateway"),
        ("routing", ROUTE.key, "sing", {}, 422, "query.operation"),
        ("vpn", "opnsense.vpn.wireguard", "update", {"payload": {"listen_port": 70000}}, 422,
         "body.payload.listen_port"),
        ("vpn", "opnsense.vpn.wireguard", "update", {"payload": {"lisen_port": 1}}, 422,
         "body.payload.lisen_port"),
        ("vpn", "opnsense.vpn.wireguard", "update", {"payload": {"listen_port": 1}}, 422,
         "body.target_id"),
        ("routing", ROUTE.key, "update", {"payload": {"disabled": True}, "target_id": UUID}, 422,
         "body.target_id"),
        ("routing", ROUTE.key, "create", {"payload": []}, 422, "body.payload"),
        ("routing", ROUTE.key, "create", {"pay": {}}, 422, "body.pay"),
        ("routing", ROUTE.key, "create", [], 422, "body"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_named(
    case: tuple[str, str, str, Any, int, str], gateway: Gateway, api: Any, admin: User
) -> None:
    area, feature, operation, body, status, field = case
    path = f"/api/v1/gateway-opnsense-{area}/{gateway.pk}/changes/{feature}"
    answer = api(admin).post(f"{path}?operation={operation}", body, format="json")
    assert answer.status_code == status, answer.data
    told = {one["field"] for one in answer.data["error"].get("details", [])}
    assert not field or field in told
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("vendor", "area"), sorted({(one.vendor, one.area) for one in FEATURES.values()})
)
def test_every_area_of_every_vendor_has_the_urls_of_the_seed(
    vendor: str, area: str, api: Any, admin: User, organization: Any
) -> None:
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    gateway = factories.gateway(organization, vendor=vendor, site=site)
    client = api(admin)
    feature = next(one for one in FEATURES.values() if (one.vendor, one.area) == (vendor, area))
    other = next((a for v, a in AREAS_OF if v == vendor and a != area), "nothing")
    operation = feature.operations[0]
    for base in (
        f"/api/v1/gateway-{vendor}-%s/{gateway.pk}/changes",
        f"/api/v1/gateway-%s/{gateway.pk}/sites/{site.pk}/changes",
    ):
        path = f"{base % area}/{feature.key}?operation={operation}"
        told = client.post(path, {"payload": {"no such": 1}}, format="json")
        assert told.status_code == 422, told.data
        assert "body.payload.no such" in str(told.data)
        wrong = client.post(path.replace(f"-{area}/", f"-{other}/"), {}, format="json")
        assert wrong.status_code in {400, 404}
        assert client.get(base % area).data == []
        assert client.get(base % "nonsense").status_code == 404


def test_openapi_names_every_vendor_and_area(client: Any) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    name = "/api/v1/gateway-{vendor}-{area}/{controller_id}/changes/{feature}"
    asked = next(paths[path]["post"] for path in paths if path.rstrip("/") == name)
    known = {one["name"]: one["schema"].get("enum") for one in parameters_of(asked)}
    assert set(known["vendor"]) == {vendor for vendor, _ in AREAS_OF}
    assert set(known["area"]) == {area for _, area in AREAS_OF}
    assert set(known["operation"]) == {"create", "update", "delete"}


def test_no_more_than_so_many_wait(staged: Any, settings: Any) -> None:
    settings.MUSTER_PENDING_CHANGES = 1
    staged("create", payload=SAMPLES[ROUTE.key][0])
    with pytest.raises(Conflict):
        staged("create", payload=SAMPLES[ROUTE.key][0])


def test_a_stranger_finds_nothing_and_without_force_nothing_is_written(
    staged: Any, device: OPNsense, api: Any
) -> None:
    change = staged("create", payload=SAMPLES[ROUTE.key][0])
    path = f"/api/v1/gateway-vpn/changes/{change.pk}"
    stranger = api(factories.user(factories.organization()))
    for name in ("apply", "discard", "rollback"):
        assert (
            stranger.post(f"{path}/{name}", {"force": True}, format="json").status_code == 404
        )
    assert stranger.get(f"{path}/diff").status_code == 404
    owner = api(factories.user(change.gateway.organization))
    assert owner.post(f"{path}/apply", {}, format="json").status_code == 403
    assert not device.writes


def test_what_happened_is_told_in_order_and_in_the_audit(
    staged: Any, device: OPNsense, api: Any
) -> None:
    change = staged("create", payload=SAMPLES[ROUTE.key][0])
    owner = api(factories.user(change.gateway.organization))
    path = f"/api/v1/gateway-vpn/changes/{change.pk}"
    asked = owner.post(f"{path}/apply", {"force": True}, format="json")
    assert (asked.status_code, asked["Location"]) == (202, f"http://testserver{path}")
    work_off()
    assert owner.get(path).data["status"] == "applied"
    events = owner.get(f"{path}/diff").data["events"]
    states = ["pending", "scheduled", "verifying", "applied"]
    assert [one["state"] for one in events] == states
    assert AuditEntry.objects.filter(action="change.apply", object_id=str(change.pk)).exists()
    with pytest.raises(TypeError):
        ChangeEvent.objects.earliest("id").save()


def test_a_gateway_is_kept_with_its_secrets_to_itself(
    gateway: Gateway, api: Any, device: OPNsense
) -> None:
    owner = api(factories.user(gateway.organization))
    answer = owner.get(f"/api/v1/gateways/{gateway.pk}/")
    assert "secret" not in answer.data
    assert "key" not in answer.data
    checked = owner.post(f"/api/v1/gateways/{gateway.pk}/check/", {}, format="json")
    assert checked.data["version"] == "26.7.2"
    refused = owner.patch(
        f"/api/v1/gateways/{gateway.pk}/", {"url": "https://me:you@127.0.0.1"}, format="json"
    )
    assert refused.status_code == 422


def test_only_where_it_is_allowed_is_a_gateway_on_this_machine(
    gateway: Gateway, settings: Any
) -> None:
    settings.MUSTER_LOCAL_GATEWAYS, settings.MUSTER_GATEWAY_NETWORKS = False, ["private"]
    with pytest.raises(Unreachable), execution.connect(gateway) as device:
        device.facts()
    gateway.url = "https://169.254.169.254"
    with pytest.raises(Unreachable), execution.connect(gateway) as device:
        device.facts()
    assert issubclass(TimedOut, Unreachable)


def test_lists_ask_the_same_number_of_questions_however_long(
    staged: Any, gateway: Gateway, api: Any, admin: User
) -> None:
    path = f"/api/v1/gateway-vpn/changes/by-gateway/{gateway.pk}"
    client, counts = api(admin), []
    client.get(path)
    for _ in range(2):
        staged("create", payload=SAMPLES[ROUTE.key][0])
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]


FIVE = {"pending", "applying", "applied", "discarded", "failed"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("pending", {"pending", "approved", "scheduled"}), ("applying", {"applying", "verifying"}),
        ("failed", {"failed", "unknown"}), ("discarded", {"discarded", "expired"}),
        ("applied", {"applied"}), ("approved", {"approved"}), ("draft", {"draft"}),
    ],
)  # fmt: skip
def test_freesdns_states_find_what_its_clients_take_for_them(
    asked: str, found: set[str], staged: Any, gateway: Gateway, api: Any, admin: User
) -> None:
    key = "opnsense.vpn.wireguard.server"
    change = staged("create", key, payload=SAMPLES[key][0])
    path = f"/api/v1/gateway-vpn/changes/by-gateway/{gateway.pk}?status={asked}"
    client = api(admin)
    for state in Change.State.values:
        sent = timezone.now() if state in {"unknown", "verifying"} else None
        Change.objects.filter(pk=change.pk).update(
            state=state, leased_until=timezone.now(), intent={} if sent else None, sent=sent
        )
        (listed,) = client.get(path).json() or [None]
        assert (listed is not None) == (state in found), state
        # Its status is one that the client shows, and it tells its own state beside.
        assert listed is None or listed["state"] == state
        assert listed is None or listed["status"] in FIVE


def test_a_list_has_the_same_shape_as_one_of_it(
    staged: Any, gateway: Gateway, api: Any, admin: User
) -> None:
    key = "opnsense.vpn.wireguard.server"
    change = staged("create", key, payload=SAMPLES[key][0])
    client = api(admin)
    one = client.get(f"/api/v1/gateway-vpn/changes/{change.pk}").json()
    assert client.get(f"/api/v1/gateway-vpn/changes/by-gateway/{gateway.pk}").json() == [one]
    assert one["payload"]["privkey"] == "***"


def test_the_review_page_shows_the_difference_and_applies(
    staged: Any, device: OPNsense, admin: User, client: Any
) -> None:
    target = device.put("routes/routes", **ROUTE.values(SAMPLES[ROUTE.key][0]))
    change = staged("update", payload={"gateway": "LTE_GW"}, target_id=target)
    client.force_login(admin)
    page = client.get(f"/admin/networks/change/{change.pk}/change/").content.decode()
    assert "WAN_GW" in page
    assert "LTE_GW" in page
    assert "Apply to the live gateway" in page
    assert change.gateway.name in page
    assert admin.get_username() in page
    client.post(f"/admin/networks/change/{change.pk}/do/apply/")
    work_off()
    change.refresh_from_db()
    assert change.state == "applied"
    assert client.get("/admin/networks/gateway/").status_code == 200
    assert client.get(f"/admin/networks/gateway/{change.gateway_id}/change/").status_code == 200
    assert client.get("/admin/networks/change/").status_code == 200
