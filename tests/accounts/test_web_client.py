"""What FreeSDN's unmodified web client asks, sends and listens to."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import sync_to_async
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token, sites
from controller.accounts.rules.audit import record_audit
from controller.base.errors import Conflict
from controller.devices.models import Presence
from controller.devices.rules import Observation, record_observations
from controller.notifications.models import Notice, Notification
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Change
from networks.gateways.rules import changes, scheduling
from tests import factories
from tests.sockets import Listener, played

pytestmark = pytest.mark.django_db(transaction=True)
Api = Callable[[User | None], APIClient]
BASE = "/api/v1"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def client(api: Api, admin: User) -> APIClient:
    return api(admin)


def test_the_menu_and_its_pages_open(
    api: Api, client: APIClient, admin: User, organization: Organization
) -> None:
    anybody = api(None)
    assert anybody.get(f"{BASE}/setup/status").json()["is_complete"] is True
    assert anybody.get(f"{BASE}/auth/sso/providers/public").json() == []
    me = client.get(f"{BASE}/auth/me").json()
    assert me["organization_id"] == str(Organization.objects.order_by("created").first().pk)
    assert {"settings:read", "role:read"} <= set(me["permissions"])
    found = client.get(f"{BASE}/modules/org/{organization.pk}?include_disabled=true").json()
    assert [(one["module_id"], one["is_enabled"]) for one in found["modules"]] == [
        ("firewall", True), ("hypervisor", True),
    ]  # fmt: skip
    stranger = api(factories.user(factories.organization(), "admin"))
    assert stranger.get(f"{BASE}/modules/org/{organization.pk}").status_code == 404
    assert "read_only" in client.get(f"{BASE}/system/settings/adapter-read-only").json()
    rows = stranger.get(f"{BASE}/organizations?per_page=200").json()
    assert [row["user_count"] for row in rows["items"]] == [1]


def test_the_dashboard_tells_what_there_is(
    api: Api, client: APIClient, organization: Organization
) -> None:
    oslo = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    devices = [factories.device(organization, site=oslo) for _ in range(2)]
    Presence.objects.filter(device=devices[0]).update(state="online")
    factories.gateway(organization, site=oslo)
    summary = client.get(f"{BASE}/analytics/dashboard/summary").json()
    assert (summary["total_devices"], summary["devices_online"]) == (2, 1)
    assert summary["total_sites"] == 1
    fleet = client.get(f"{BASE}/analytics/dashboard/enterprise?hours=24").json()
    assert fleet["fleet"]["total"] == 2
    assert [row["devices"] for row in fleet["sites"]] == [2]
    assert [row["status"] for row in fleet["controllers"]] == ["disconnected"]
    health = client.get(f"{BASE}/enterprise/health/organization?site_id={oslo.pk}").json()
    assert health["sites"][0]["avg_health_score"] == 50.0
    assert client.get(f"{BASE}/analytics/alerts").json() == []
    assert client.get(f"{BASE}/system/info").json()["app_name"] == "Muster"
    bad = client.get(f"{BASE}/analytics/dashboard/summary?site_id=x")
    assert (bad.status_code, bad.json()["error"]["details"][0]["field"]) == (
        422,
        "query.site_id",
    )
    other = api(factories.user(factories.organization(), "viewer"))
    assert other.get(f"{BASE}/analytics/dashboard/summary").json()["total_devices"] == 0


def test_users_are_listed_made_changed_and_removed(
    api: Api, client: APIClient, organization: Organization
) -> None:
    manager = factories.user(organization, "org_admin")
    mine = api(manager)
    asked = {
        "username": "carol", "email": "carol@example.org", "full_name": "Carol Danvers",
        "password": "a-long-enough-Passw0rd", "role": "operator",
        "organization_id": str(organization.pk),
    }  # fmt: skip
    made = mine.post(f"{BASE}/users", asked)
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["role"], row["full_name"], row["organization_id"]) == (
        "operator", "Carol Danvers", str(organization.pk),
    )  # fmt: skip
    assert mine.post(f"{BASE}/users", asked).json()["error"]["details"][0]["field"]
    page = mine.get(f"{BASE}/users?page=1&per_page=100").json()
    assert {one["role"] for one in page["items"]} == {"org_admin", "operator"}
    assert page["total"] == 2
    url = f"{BASE}/users/{row['id']}"
    changed = mine.patch(url, {"role": "viewer", "full_name": "C D", "email": None}).json()
    assert (changed["role"], changed["full_name"]) == ("viewer", "C D")
    assert mine.patch(url, {"role": "super_admin"}).status_code == 403
    assert client.get(f"{BASE}/users?per_page=100").json()["total"] >= 3
    stranger = api(factories.user(factories.organization(), "org_admin"))
    assert stranger.get(url).status_code == 404
    assert api(factories.user(organization, "viewer")).get(f"{BASE}/users").status_code == 403
    assert mine.delete(url).status_code == 204
    assert mine.get(url).status_code == 404


def test_roles_are_listed_with_their_permissions(
    api: Api, client: APIClient, organization: Organization
) -> None:
    factories.user(organization, "operator")
    found = client.get(f"{BASE}/roles?include_system=true").json()
    rows = {one["slug"]: one for one in found["items"]}
    assert found["total"] == len(rows) == 7
    assert rows["operator"]["user_count"] == 1
    assert rows["super_admin"]["user_count"] == 1
    assert "device:read" in rows["viewer"]["permissions"]
    assert "device:update" not in rows["viewer"]["permissions"]
    assert rows["org_admin"]["level"] > rows["viewer"]["level"]
    mine = api(factories.user(organization, "org_admin")).get(f"{BASE}/roles").json()
    assert {one["slug"]: one["user_count"] for one in mine["items"]}["operator"] == 1


def test_the_bell(api: Api, organization: Organization) -> None:
    user = factories.user(organization, "viewer")
    notice = Notice.objects.create(
        organization=organization, kind="config_error", family="config", permission="device:read",
        object_type="devices.device", object_id="x", text="It failed.",
    )  # fmt: skip
    row = Notification.objects.create(notice=notice, recipient=user)
    client = api(user)
    found = client.get(
        f"{BASE}/notifications/in-app?limit=20&offset=0&unread_only=false"
    ).json()
    assert (found["total"], found["unread_count"]) == (1, 1)
    assert (found["items"][0]["body"], found["items"][0]["read"]) == ("It failed.", False)
    mark = {"ids": [str(row.pk)], "action": "read"}
    stranger = api(factories.user(organization, "viewer"))
    assert stranger.post(f"{BASE}/notifications/in-app/mark", mark).json() == {"marked": 0}
    assert client.post(f"{BASE}/notifications/in-app/mark", mark).json() == {"marked": 1}
    assert client.get(f"{BASE}/notifications/in-app/unread-count").json() == {"total": 0}
    assert client.post(f"{BASE}/notifications/in-app/mark-all-read").json() == {"marked": 0}
    assert client.post(f"{BASE}/notifications/in-app/mark", {"ids": "x"}).status_code == 422


def test_an_error_has_its_sentence_beside_it(client: APIClient) -> None:
    for answer in (client.get(f"{BASE}/sites/x/"), client.get(f"{BASE}/sites/?page=0")):
        found = answer.json()
        assert isinstance(found["detail"], str)
        assert found["detail"]
    assert found["error"]["details"][0]["field"] == "query.page"
    wrong = client.get(f"{BASE}/devices/?organization=x").json()
    assert wrong["error"]["details"][0]["field"] == "query.organization"
    wrong = client.post(f"{BASE}/sites/", {}).json()
    assert wrong["error"]["details"][0]["field"].startswith("body.")
    door = client.post(f"{BASE}/access-control/doors/1/lock")
    assert (door.status_code, door.json()["error"]["code"]) == (501, 501)


@pytest.mark.parametrize("key", sorted(one.key for one in FEATURES.values() if one.action))
@pytest.mark.parametrize("operation", ["update", "delete"])
def test_actions_are_asked_for_by_any_operation(key: str, operation: str) -> None:
    feature = FEATURES[key]
    asked = feature.as_asked(operation, feature.example, "")
    assert asked == ("create", feature.example, "")
    assert not feature.problems(asked[0], asked[1])


def test_a_target_names_what_an_action_is_for() -> None:
    feature = FEATURES["unifi.clients.block"]
    name = next(iter(feature.example))
    asked = feature.as_asked("update", {}, str(feature.example[name]))
    assert asked == ("create", {name: feature.example[name]}, "")


def test_null_is_nothing_in_a_change(client: APIClient, organization: Organization) -> None:
    gateway = factories.gateway(organization)
    url = f"{BASE}/gateway-opnsense-firewall/{gateway.pk}/changes/opnsense.firewall.alias"
    feature = FEATURES["opnsense.firewall.alias"]
    sent = {"payload": dict(feature.example), "target_id": None, "notes": None}
    made = client.post(f"{url}?operation=create", sent)
    assert made.status_code == 201, made.content
    assert Change.objects.get().notes == ""
    wrong = client.post(f"{url}?operation=explode", sent).json()
    assert wrong["error"]["details"][0]["field"] == "query.operation"


def test_objects_are_taken_from_forms_as_text(
    client: APIClient, organization: Organization
) -> None:
    gateway = factories.gateway(organization)
    url = f"{BASE}/gateway-opnsense-firewall/{gateway.pk}/changes/opnsense.firewall.alias"
    feature = FEATURES["opnsense.firewall.alias"]

    def send(path: str, **values: str) -> Any:
        return client.post(path, urlencode(values), content_type=FORM)

    # The token is what the form of a page sends besides.
    made = send(
        f"{url}?operation=create",
        payload=json.dumps(dict(feature.example)), csrfmiddlewaretoken="x", notes="ü",
    )  # fmt: skip
    assert made.status_code == 201, made.content
    assert Change.objects.get().payload == dict(feature.example)
    for bad in ("x", "[1]", '"a"', "5"):
        wrong = send(f"{url}?operation=create", payload=bad)
        assert wrong.json()["error"]["details"][0]["field"] == "body.payload", bad
    site = send(
        f"{BASE}/sites/", name="Öst", slug="ost", organization_id=str(organization.pk),
        settings='{"a": {"b": 1}}',
    )  # fmt: skip
    assert site.json()["settings"] == {"a": {"b": 1}}


def test_an_apply_that_loses_against_a_discard_is_a_conflict(
    admin: User, organization: Organization, settings: Any
) -> None:
    settings.ADAPTER_READ_ONLY = False
    feature = FEATURES["opnsense.firewall.alias"]
    gateway = factories.gateway(organization)
    for ends in (changes.discard, scheduling.unschedule):
        change = changes.stage(
            gateway, feature=feature, operation="create", payload=feature.example, by=admin
        )
        scheduling.schedule(change, by=admin, how=scheduling.ApplyOptions(force=True))
        ends(Change.objects.get(pk=change.pk), by=admin)
        with pytest.raises(Conflict, match="Nothing was written"):
            scheduling.outcome(change, seconds=0)


def test_its_socket(organization: Organization) -> None:
    device = factories.device(organization, name="router-1")
    user = factories.user(organization, "viewer")
    headers = {"authorization": f"Bearer {issue_token(user, name='tests')}"}

    async def scene() -> None:
        listener = Listener("/api/v1/ws", **headers)
        assert await listener.connect() == 0
        assert (await listener.hears())["type"] == "connected"
        await listener.says({"type": "subscribe", "subscriptions": ["device.*"]})
        assert (await listener.hears())["type"] == "subscribed"
        await listener.says({"type": "ping"})
        assert await listener.hears() == {"type": "pong"}
        await sync_to_async(record_observations)([Observation(device.pk, "online")])
        told = await listener.hears()
        assert (told["type"], told["event"]["event_type"]) == ("event", "device.status")
        assert told["event"]["payload"]["status"] == "online"
        await listener.says({"type": "unsubscribe"})
        assert (await listener.hears())["type"] == "unsubscribed"
        await listener.leaves()

    played(scene)


def test_who_is_not_signed_in_is_told_to_refresh() -> None:
    async def scene() -> None:
        listener = Listener("/api/v1/ws", authorization="Bearer nonsense")
        assert await listener.connect() == 0
        message: Any = await listener.hears()
        assert (message["type"], message["code"]) == ("error", 1008)

    played(scene)


def test_the_audit_is_a_log_for_the_web_client(
    client: APIClient, admin: User, organization: Organization
) -> None:
    for outcome in ("done", "refused", "failed"):
        record_audit("sign_in", organization, by=admin, outcome=outcome, detail="why")
    told = client.get(f"{BASE}/logs?per_page=50&level=error").json()
    assert [(one["level"], one["user_email"]) for one in told["items"]] == [
        ("error", admin.username)
    ]
    assert told["items"][0]["message"].endswith("why")
    health = client.get(f"{BASE}/logs/health").json()
    counts = ("error_count_24h", "warning_count_24h", "failed_logins_24h")
    assert [health[name] for name in counts] == [1, 1, 2]
    assert sum(one["count"] for one in health["daily_histogram"]) == health["total_events_7d"]
    stats = client.get(f"{BASE}/logs/stats?hours=2").json()
    assert stats["by_level"] == {"info": stats["total"] - 2, "warning": 1, "error": 1}
    assert client.get(f"{BASE}/logs/stats?hours=x").status_code == 422
    events = client.get(f"{BASE}/audit/security?per_page=200").json()["items"]
    assert sum(not one["success"] for one in events) == 2
    for name in ("modules/", "alert-rules/stats", "correlation/stats"):
        assert client.get(f"{BASE}/{name}").status_code == 200
    assert client.get(f"{BASE}/modules/states").json()[0]["state"] == "running"
