"""OData as balena's clients send it: what was asked for and nothing else, or a sentence."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.devices.models import Device, Presence
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.supervisors import report
from tests import factories
from tests.fleet.balena import BalenaSupervisor

pytestmark = pytest.mark.django_db(transaction=True)
Api = Callable[[User | None], APIClient]


@pytest.fixture
def row(balena: BalenaSupervisor, organization: Organization) -> Supervisor:
    return factories.supervisor(balena, organization)


@pytest.fixture
def client(api: Api, admin: User) -> APIClient:
    return api(admin)


def test_clients_learn_who_they_are(api: Api, client: APIClient, admin: User) -> None:
    for path in ("/actor/v1/whoami", "/user/v1/whoami"):
        found = client.get(path).json()
        assert found["actorType"] == "user"
        assert isinstance(found["id"], int)
        assert (found["username"], found["email"]) == (admin.username, admin.email)
        assert api(None).get(path).status_code == 401


def test_members_are_those_that_were_named(client: APIClient, row: Supervisor) -> None:
    url = f"/v7/device({row.pk})"
    (found,) = client.get(f"{url}?$select=id,is_pinned_on__release,overall_status").json()["d"]
    assert found == {
        "id": row.pk,
        "is_pinned_on__release": None,
        "overall_status": "disconnected",
    }
    wanted = (
        "$select=id&$expand=belongs_to__application($select=slug,x),image_install($select=id)"
    )
    (found,) = client.get(f"{url}?{wanted}").json()["d"]
    assert found == {
        "id": row.pk,
        "belongs_to__application": [{"slug": "muster/app-42", "x": None}],
        "image_install": [{"id": 555}],
    }
    (whole,) = client.get(url).json()["d"]
    assert whole["belongs_to__application"] == {"__id": 42}


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ("is_online eq false", 2), ("is_online eq true", 0), ("not(is_online eq true)", 2),
        ("device_name eq 'first'", 1), ("contains(device_name,'ir')", 1),
        ("device_name in ('first','x')", 1), ("belongs_to__application eq 42", 2),
        ("belongs_to__application/any(b:b/slug eq 'muster/app-42')", 2),
        ("belongs_to__application/any(b:b/slug eq 'other/app')", 0),
        ("device_name eq 'first' or device_name eq 'second'", 2),
        ("device_name eq 'first' and device_name eq 'second'", 0),
        ("startswith(uuid,'zz')", 0), ("device_name ne 'first'", 1),
        ("tolower(device_name) eq 'first'", 1), ("os_version eq null", 2),
        ("belongs_to__application/slug eq 'muster/app-42'", 2),
        ("belongs_to__application/all(b:b/id in (42,43))", 2),
        ("created_at gt datetime'2020-01-01T00:00:00Z'", 2), ("created_at gt now()", 0),
        ("last_connectivity_event lt 2020-01-01", 0), ("device_tag/any(t:t/tag_key eq 'x')", 0),
        ("is_of__device_type/any(t:t/slug eq 'unknown')", 2), ("id in ()", 0),
        ("is_online or device_name eq 'second'", 1), ("overall_status eq 'disconnected'", 2),
    ],
)  # fmt: skip
def test_filters_and_counts(
    client: APIClient,
    balena: BalenaSupervisor,
    organization: Organization,
    wanted: str,
    count: int,
) -> None:
    for name in ("first", "second"):
        row = factories.supervisor(balena, organization)
        Device.objects.filter(pk=row.device_id).update(name=name)
    found = client.get("/v7/device", {"$filter": wanted, "$select": "id"})
    assert len(found.json()["d"]) == count, found.content
    assert client.get("/v7/device/$count", {"$filter": wanted}).json() == {"d": count}


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": "nothing eq true"}, {"$filter": "id eq 'x'"}, {"$filter": "id eq"},
        {"$filter": "id eq 1)"}, {"$filter": "(" * 500}, {"$filter": "uuid gt 5"},
        {"$orderby": "nothing"}, {"$count": "x"}, {"$apply": "x"},
        {"$filter": "image_install/any(i:i/id eq 1)"}, {"$top": "x"}, {"$expand": "a($select=)b"},
        {"$select": "a(b)"}, {"$expand": "a($expand=" * 100 + "b" + ")" * 100},
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(client: APIClient, row: Supervisor, query: Any) -> None:
    answer = client.get("/v7/device", query)
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "odata"


def test_applications_are_what_devices_run(client: APIClient, row: Supervisor) -> None:
    wanted = {"$select": "id,slug,app_name", "$expand": "organization"}
    app = {"id": 42, "slug": "muster/app-42", "app_name": "app-42", "organization": []}
    for path in (
        "/v7/application",
        "/v7/application(42)",
        "/v7/application(slug='muster/app-42')",
    ):
        assert client.get(path, wanted).json() == {"d": [app]}, path
    assert client.get("/v7/application(43)").json() == {"d": []}
    assert client.get("/v7/application", {"$filter": "slug eq 'x'"}).json() == {"d": []}
    assert client.get("/v7/application/$count").json() == {"d": 1}
    other = client.get("/v7/release", {"$select": "id"})
    assert (other.status_code, other.json()["code"]) == (404, "no_resource")


def test_rows_are_ordered_cut_and_counted(
    client: APIClient, balena: BalenaSupervisor, organization: Organization
) -> None:
    names = ("b", "c", "a")
    for name in names:
        row = factories.supervisor(balena, organization)
        Device.objects.filter(pk=row.device_id).update(name=name)

    def told(query: dict[str, str]) -> Any:
        found = client.get("/v7/device", {"$select": "device_name", **query})
        assert found.status_code == 200, found.content
        return [one["device_name"] for one in found.json()["d"]]

    assert told({"$orderby": "device_name"}) == ["a", "b", "c"]
    assert told({"$orderby": "is_online desc,device_name desc"}) == ["c", "b", "a"]
    assert told({"$orderby": "belongs_to__application/slug,id"}) == ["b", "c", "a"]
    assert told({"$orderby": "device_name", "$skip": "1", "$top": "1"}) == ["b"]
    assert told({"$top": "0"}) == []
    counted = client.get("/v7/device/", {"$count": "true", "$top": "1", "$select": "id"})
    assert (counted.json()["@odata.count"], len(counted.json()["d"])) == (3, 1)
    nested = "owns__device($select=device_name;$orderby=device_name desc;$top=2)"
    (app,) = client.get("/v7/application", {"$select": "id", "$expand": nested}).json()["d"]
    assert app == {"id": 42, "owns__device": [{"device_name": "c"}, {"device_name": "b"}]}
    (app,) = client.get(
        "/v7/application(42)",
        {"$select": "id", "$expand": "owns__device/$count($filter=device_name ne 'a')"},
    ).json()["d"]
    assert app == {"id": 42, "owns__device": 2}
    for wanted, count in (
        ("owns__device/any(d:d/device_name eq 'a')", 1),
        ("owns__device/any(d:d/is_online eq true)", 0),
        ("owns__device/$count gt 2", 1), ("id gt 42", 0), ("startswith(slug,'muster/')", 1),
    ):  # fmt: skip
        found = client.get("/v7/application/$count", {"$filter": wanted})
        assert found.json() == {"d": count}, wanted


def test_every_device_is_listed_however_many(
    client: APIClient, balena: BalenaSupervisor, organization: Organization
) -> None:
    row = factories.supervisor(balena, organization)
    devices = [factories.device(organization, name=f"many-{number}") for number in range(120)]
    Supervisor.objects.bulk_create(
        Supervisor(device=device, uuid=f"{number:032x}", app_id=42)
        for number, device in enumerate(devices)
    )
    with CaptureQueriesContext(connection) as queries:
        found = client.get("/v7/device", {"$select": "id"}).json()["d"]
    assert len(found) == Supervisor.objects.count() > 120
    assert found[0] == {"id": row.pk}
    assert len(queries) < 20


def test_devices_are_renamed_and_noted(api: Api, client: APIClient, row: Supervisor) -> None:
    url = f"/v7/device(uuid='{row.uuid}')"
    assert client.patch(url, {"device_name": "renamed"}).json() == "OK"
    assert client.patch(url, {"note": "roof"}).status_code == 200
    device = Device.objects.get(pk=row.device_id)
    assert (device.name, device.notes) == ("renamed", "roof")
    bad = client.patch(url, {"device_name": "a b"})
    assert (bad.status_code, "message" in bad.json()) == (400, True)
    assert client.patch(url, {"is_web_accessible": True}).status_code == 400
    assert client.patch("/v7/device", {"note": "x"}).status_code == 400
    assert client.patch("/v7/device(9999)", {"note": "x"}).status_code == 404
    viewer = api(factories.user(device.organization, "viewer"))
    assert viewer.patch(url, {"note": "x"}).status_code == 403


def test_an_application_is_restarted_on_all_of_its_devices(
    client: APIClient, balena: BalenaSupervisor, row: Supervisor
) -> None:
    assert client.post("/application/42/restart").status_code == 200
    assert balena.paths[-1] == ("POST", "/v1/restart")


def test_a_device_that_reports_or_answers_is_there(client: APIClient, row: Supervisor) -> None:
    Presence.objects.update(state="unknown", last_seen=None)
    report(row.device, uuid=row.uuid, facts={"mac_address": "00:11:22:33:44:55"})
    url = f"/v7/device({row.pk})?$select=is_online,api_heartbeat_state,mac_address"
    assert client.get(url).json()["d"] == [
        {"is_online": True, "api_heartbeat_state": "online", "mac_address": "00:11:22:33:44:55"}
    ]
    Presence.objects.update(state="unknown", last_seen=None)
    client.post("/supervisor/ping", {"deviceId": row.pk, "method": "GET"})
    assert Presence.objects.get().state == "online"


def test_a_version_that_nobody_entered_is_asked_for(client: APIClient, row: Supervisor) -> None:
    Supervisor.objects.update(version="")
    (found,) = client.get(f"/v7/device({row.pk})?$select=supervisor_version").json()["d"]
    assert found == {"supervisor_version": "19.0.5"}


def test_a_call_may_be_a_form(
    client: APIClient, balena: BalenaSupervisor, row: Supervisor
) -> None:
    body = urlencode({"deviceId": row.pk, "appId": 42, "data": '{"appId": 42}'})
    kind = "application/x-www-form-urlencoded"
    assert client.post("/supervisor/v1/purge", body, content_type=kind).status_code == 200
    assert balena.paths[-1] == ("POST", "/v1/purge")
    wrong = urlencode({"deviceId": row.pk, "data": "[1]"})
    answer = client.post("/supervisor/v1/update", wrong, content_type=kind)
    assert answer.json()["message"].startswith("data: Expected a dictionary")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "deviceId, uuid or appId is required."),
        ({"deviceId": "x"}, "deviceId: A valid integer is required."),
        ({"deviceId": 1, "method": "FLY"}, "method: One of GET, HEAD, POST, PUT, PATCH, DELETE is expected."),
        ([], "Invalid data. Expected a dictionary, but got list."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_call_is_a_sentence(
    client: APIClient, row: Supervisor, body: Any, message: str
) -> None:
    answer = client.post("/supervisor/ping", body, format="json")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_the_target_state_is_not_kept_here(
    api: Api, client: APIClient, row: Supervisor
) -> None:
    for version in ("v2", "v3"):
        path = f"/device/{version}/{row.uuid}/state"
        assert client.get(path).status_code == 405
        assert api(None).patch(path, {}).status_code == 401
