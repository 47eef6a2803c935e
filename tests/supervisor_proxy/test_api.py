"""Supervisor calls over the API: permissions, forwarding and answers."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from supervisor_proxy.models import Supervisor, SupervisorCall
from tests import factories
from tests.fleet.balena import BalenaSupervisor
from tests.fleet.http import says

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(balena: BalenaSupervisor, organization: Organization) -> Supervisor:
    return factories.supervisor(balena, organization)


@pytest.fixture
def post(api: Any, admin: User) -> Callable[..., Any]:
    def post(path: str, *, user: User | None = None, headers: Any = None, **body: Any) -> Any:
        client = api(user or admin)
        return client.post(f"/supervisor/{path}", body, headers=headers or {})

    return post


class TestWhom:
    def test_nobody_calls_without_a_token(self, api: Any, row: Supervisor) -> None:
        answer = api(None).post("/supervisor/ping", {"deviceId": row.pk, "method": "GET"})
        assert answer.status_code == 401
        assert answer.json()["message"] == answer.json()["detail"]
        assert answer["X-Supervisor-Proxy"] == "portal"

    def test_a_browser_session_is_no_token(self, client: Any, admin: User, row: Any) -> None:
        client.force_login(admin)
        body = {"deviceId": row.pk}
        answer = client.post("/supervisor/v1/blink", body, content_type="application/json")
        assert answer.status_code == 401

    def test_a_device_is_named_by_number_uuid_or_application(
        self, post: Any, row: Supervisor
    ) -> None:
        for named in ({"deviceId": row.pk}, {"uuid": row.uuid}, {"appId": 42},
                      {"deviceId": str(row.pk), "appId": "42"}):  # fmt: skip
            answer = post("ping", method="GET", **named)
            assert (answer.status_code, answer.content) == (200, b"OK")
            assert answer["Content-Type"] == "text/plain; charset=utf-8"
            assert answer["X-Supervisor-Proxy"] == "device"

    def test_names_that_do_not_fit_each_other_name_nobody(
        self, post: Any, row: Supervisor
    ) -> None:
        answer = post("ping", method="GET", deviceId=row.pk, appId=43)
        assert answer.status_code == 404
        assert answer.json()["message"] == "No online device(s) found"

    def test_a_stranger_gets_the_answer_of_a_device_that_is_not(
        self, post: Any, row: Supervisor
    ) -> None:
        stranger = factories.user(factories.organization())
        own = post("ping", method="GET", deviceId=row.pk, user=stranger)
        none = post("ping", method="GET", deviceId=row.pk + 1, user=stranger)
        assert own.status_code == none.status_code == 404
        assert own.json()["message"] == none.json()["message"]
        assert not SupervisorCall.objects.exists()

    @pytest.mark.parametrize("body", [{}, {"deviceId": "x"}, {"deviceId": 1, "data": []}])
    def test_a_body_that_names_nobody_is_refused(self, post: Any, row: Any, body: Any) -> None:
        answer = post("ping", **body)
        assert answer.status_code == 400
        assert answer.json()["message"]

    @pytest.mark.parametrize(
        ("role", "path", "status"),
        [
            ("viewer", "v1/blink", 403),
            ("operator", "v1/blink", 200),
            ("operator", "v1/reboot", 202),
            ("operator", "v1/purge", 403),
            ("operator", "v1/regenerate-api-key", 403),
            ("org_admin", "v1/regenerate-api-key", 200),
        ],
    )
    def test_each_kind_of_call_has_a_permission(
        self, post: Any, row: Supervisor, role: str, path: str, status: int
    ) -> None:
        user = factories.user(row.device.organization, role)
        assert post(path, deviceId=row.pk, user=user).status_code == status
        call = SupervisorCall.objects.get()
        assert call.actor == user.username
        assert call.state == ("refused" if status == 403 else "succeeded")

    def test_forcing_is_a_permission_of_its_own(self, post: Any, row: Supervisor) -> None:
        user = factories.user(row.device.organization, "operator")
        answer = post("v1/restart", deviceId=row.pk, data={"force": True}, user=user)
        assert answer.status_code == 403
        assert "supervisor:force" in answer.json()["message"]

    def test_a_viewer_reads(self, post: Any, row: Supervisor) -> None:
        user = factories.user(row.device.organization, "viewer")
        answer = post("v1/device", deviceId=row.pk, method="get", user=user)
        assert answer.json()["supervisor_version"] == "19.0.5"

    def test_a_device_out_of_service_is_not_called(self, post: Any, row: Supervisor) -> None:
        row.device.is_deactivated = True
        row.device.save()
        assert post("ping", method="GET", deviceId=row.pk).status_code == 404


class TestWhat:
    def test_an_answer_without_a_body_has_no_type(self, post: Any, row: Supervisor) -> None:
        answer = post("v1/update", deviceId=row.pk, data={"force": True})
        assert answer.status_code == 204
        assert not answer.content
        assert not answer.has_header("Content-Type")

    def test_a_lock_is_told_as_today_whatever_the_version(
        self, post: Any, run: Any, organization: Organization
    ) -> None:
        for version in ("1.5.0", "19.0.5"):
            device = run(version)
            device.locked = True
            row = factories.supervisor(device, organization)
            answer = post("v1/restart", deviceId=row.pk)
            assert answer.status_code == 423, version
            assert SupervisorCall.objects.first().state == "locked"
            assert post("v1/restart", deviceId=row.pk, data={"force": True}).status_code == 200

    def test_the_application_is_filled_in_and_another_one_refused(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        assert post("v1/purge", deviceId=row.pk).json() == {"Data": "OK", "Error": ""}
        assert balena.requests[-1].data == {"appId": 42}
        answer = post("v1/purge", deviceId=row.pk, data={"appId": 43})
        assert answer.status_code == 404
        assert "does not run application 43" in answer.json()["message"]
        answer = post("v2/applications/43/restart", deviceId=row.pk)
        assert answer.status_code == 404
        assert len(balena.requests) == 1

    def test_a_call_that_is_none_never_reaches_the_device(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        for path in ("v2/local/target-state", "v1/images", "", "v9/reboot"):
            answer = post(path or "x", deviceId=row.pk)
            assert answer.status_code == 404
            assert "no such call" in answer.json()["message"]
        wrong = post("v1/reboot", deviceId=row.pk, method="GET")
        assert wrong.status_code == 405
        assert not balena.requests
        assert set(SupervisorCall.objects.values_list("state", flat=True)) == {"refused"}

    def test_what_the_version_does_not_have_is_said_in_words(
        self, post: Any, run: Any, row: Supervisor, organization: Organization
    ) -> None:
        gone = post("v1/tcp-ping", deviceId=row.pk)
        assert gone.status_code == 501
        assert "since version 7.0.0" in gone.json()["message"]
        old = factories.supervisor(run("1.5.0"), organization)
        early = post("v2/state/status", deviceId=old.pk, method="GET")
        assert early.status_code == 501
        assert early.json()["code"] == "unsupported_by_device"

    def test_secrets_of_containers_are_masked(self, post: Any, row: Supervisor) -> None:
        shown = post("v1/apps/42", deviceId=row.pk, method="GET").json()
        assert shown["env"] == {"PATH": "/bin", "DB_PASSWORD": "********"}

    def test_the_journal_has_a_type_and_a_limit(self, post: Any, row: Supervisor) -> None:
        answer = post("v2/journal-logs", deviceId=row.pk, data={"count": 3})
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.content.count(b"\n") == 3
        for data in ({"count": 10**6}, {"follow": True}, {"unit": "a;rm -rf /"}):
            assert post("v2/journal-logs", deviceId=row.pk, data=data).status_code == 400

    def test_only_what_the_call_takes_goes_to_the_device(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        post("v2/containerId?service=main", deviceId=row.pk, method="GET",
             headers={"X-Forwarded-For": "10.0.0.1", "Cookie": "sessionid=mine"})  # fmt: skip
        sent = balena.requests[-1]
        assert sent.query == [("service", "main")]
        assert sent.headers["authorization"] == f"Bearer {balena.key}"
        assert not {"cookie", "x-forwarded-for"} & set(sent.headers)
        assert post("v1/blink", deviceId=row.pk, data={"x": 1}).status_code == 400

    def test_the_key_goes_the_way_that_the_version_reads(
        self, post: Any, run: Any, organization: Organization
    ) -> None:
        for version, header in (
            ("1.5.0", ""),
            ("6.0.0", "ApiKey"),
            ("12.0.0", "Bearer"),
            ("", ""),
        ):
            device = run(version or "19.0.5")
            row = factories.supervisor(device, organization, version=version)
            assert post("v1/blink", deviceId=row.pk).status_code == 200, version
            sent = device.requests[-1]
            assert sent.headers.get("authorization", "").partition(" ")[0] == header
            assert sent.query == ([] if header else [("apikey", device.key)])


class TestKeys:
    def test_a_devices_401_is_not_the_callers(self, post: Any, balena: Any, row: Any) -> None:
        balena.key = "f" * 32
        answer = post("v1/blink", deviceId=row.pk)
        assert answer.status_code == 502
        assert answer.json()["code"] == "device_unauthorized"
        row.refresh_from_db()
        assert row.key_state == "invalid"

    def test_a_new_key_is_stored_before_the_reply(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        before = row.key
        answer = post("v1/regenerate-api-key", deviceId=row.pk)
        row.refresh_from_db()
        assert answer.content.decode() == row.key == balena.key != before
        assert (row.previous_key, row.key_state) == (before, "good")
        assert post("v1/blink", deviceId=row.pk).status_code == 200
        for call in SupervisorCall.objects.all():
            assert balena.key not in f"{call.answer}{call.reason}{call.asked}"

    def test_a_lost_new_key_is_known_to_be_unknown(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        balena.fault = says(200, "text/plain", b"no key at all")
        answer = post("v1/regenerate-api-key", deviceId=row.pk)
        assert answer.status_code == 502
        row.refresh_from_db()
        assert row.key_state == "unknown"
        assert SupervisorCall.objects.get().state == "unknown"

    def test_keys_are_written_and_never_read(
        self, api: Any, admin: User, row: Supervisor, balena: BalenaSupervisor
    ) -> None:
        url = f"/api/v1/controller/supervisor/{row.pk}/"
        client = api(admin)
        assert balena.key not in client.get(url).content.decode()
        answer = client.patch(url, {"key": "e" * 32})
        assert "e" * 32 not in answer.content.decode()
        assert answer.json()["key_state"] == "unproven"
        bad = client.patch(url, {"key": "x y"})
        assert bad.status_code == 400
        assert "key" in bad.json()


class TestInventory:
    def test_a_supervisor_is_added_where_the_caller_may(
        self, api: Any, organization: Organization
    ) -> None:
        device = factories.device(organization)
        body = {"device": str(device.pk), "app_id": 7, "address": "127.0.0.1"}
        url = "/api/v1/controller/supervisor/"
        viewer = api(factories.user(organization, "viewer"))
        assert viewer.post(url, body).status_code == 403
        made = api(factories.user(organization)).post(url, body)
        assert made.status_code == 201, made.content
        assert made.json()["uuid"] == device.pk.hex
        stranger = api(factories.user(factories.organization()))
        assert stranger.post(url, body).status_code == 400
        assert stranger.get(f"{url}{made.json()['id']}/").status_code == 404
        assert stranger.get(url).json()["count"] == 0

    @pytest.mark.parametrize(
        "address", ["169.254.169.254", "8.8.8.8", "::1", "224.0.0.1", "not one"]
    )
    def test_only_addresses_of_the_portals_networks_are_taken(
        self, api: Any, admin: User, row: Supervisor, address: str
    ) -> None:
        url = f"/api/v1/controller/supervisor/{row.pk}/"
        answer = api(admin).patch(url, {"address": address})
        assert answer.status_code == 400
        assert "address" in answer.json()

    def test_lists_take_the_same_queries_however_long(
        self, api: Any, admin: User, organization: Organization, balena: Any, row: Any,
        django_assert_max_num_queries: Any,
    ) -> None:  # fmt: skip
        for _ in range(5):
            factories.supervisor(balena, organization)
        client = api(admin)
        with django_assert_max_num_queries(8):
            assert client.get("/api/v1/controller/supervisor/").json()["count"] == 6
        with django_assert_max_num_queries(8):
            assert client.get("/api/v1/controller/supervisor-call/").json()["count"] == 0
