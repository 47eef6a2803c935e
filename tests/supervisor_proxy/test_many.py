"""Batch calls, leases, queued calls, repeats and unknown outcomes."""

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.monitoring.engine.vectors import known
from controller.monitoring.models import LatestSample
from supervisor_proxy.models import Supervisor, SupervisorBatch, SupervisorCall
from supervisor_proxy.rules import (
    call_execution,
    call_queue,
    call_requests,
    call_verification,
)
from tests import factories
from tests.fleet.balena import BalenaSupervisor
from tests.fleet.http import hangs_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(balena: BalenaSupervisor, organization: Organization) -> Supervisor:
    return factories.supervisor(balena, organization)


@pytest.fixture
def post(api: Any, admin: User) -> Any:
    def post(path: str, *, user: User | None = None, headers: Any = None, **body: Any) -> Any:
        return api(user or admin).post(f"/supervisor/{path}", body, headers=headers or {})

    return post


class TestFleet:
    def test_a_hundred_devices_with_ten_dead_answer_in_bounded_time(
        self, post: Any, run: Any, closed: list[int], organization: Organization
    ) -> None:
        devices = run(*(BalenaSupervisor("19.0.5") for _ in range(90)))
        devices[0].locked = True
        dead = [BalenaSupervisor("19.0.5", port=port) for port in closed]
        for device in (*devices, *dead):
            factories.supervisor(device, organization)
        began = time.monotonic()
        answer = post("v1/reboot", appId=42)
        # Eight seconds on an idle machine; this is the limit of a request.
        assert time.monotonic() - began < 45
        assert answer.status_code == 207
        parts = answer.json()
        codes = [part["statusCode"] for part in parts]
        assert {code: codes.count(code) for code in set(codes)} == {202: 89, 423: 1, 503: 10}
        assert len({part["deviceId"] for part in parts}) == 100
        assert {part["error"] for part in parts if part["statusCode"] == 503} == {"offline"}
        batch = SupervisorBatch.objects.counted().get()
        assert (batch.succeeded, batch.locked, batch.unreachable) == (89, 1, 10)
        assert not Supervisor.objects.filter(lease__isnull=False).exists()

    def test_what_is_not_permitted_on_one_device_does_not_hide_the_others(
        self, post: Any, run: Any, organization: Organization
    ) -> None:
        rows = [factories.supervisor(device, organization) for device in run("19.0.5", "1.5.0")]
        answer = post("v1/tcp-ping", appId=42)
        assert [part["statusCode"] for part in answer.json()] == [501, 204]
        viewer = factories.user(organization, "viewer")
        answer = post("v1/reboot", appId=42, user=viewer)
        assert [part["statusCode"] for part in answer.json()] == [403, 403]
        assert len(rows) == 2

    def test_one_application_number_of_two_organizations_is_ambiguous(
        self, post: Any, run: Any, organization: Organization
    ) -> None:
        first, second = run("19.0.5", "19.0.5")
        factories.supervisor(first, organization)
        factories.supervisor(second, factories.organization())
        answer = post("v1/reboot", appId=42)
        assert answer.status_code == 409
        assert not first.requests
        own = factories.user(organization)
        assert post("v1/reboot", appId=42, user=own).status_code == 202

    def test_a_worker_does_it_for_who_prefers_not_to_wait(
        self, api: Any, admin: User, post: Any, run: Any, organization: Organization
    ) -> None:
        devices = run("19.0.5", "18.0.0")
        for device in devices:
            factories.supervisor(device, organization)
        answer = post("v1/restart", appId=42, headers={"Prefer": "respond-async"})
        assert answer.status_code == 202
        url = answer["Location"]
        assert api(admin).get(url).json()["results"]["queued"] == 2
        assert call_queue.run_due() == 2
        assert api(admin).get(url).json()["results"]["succeeded"] == 2
        calls = api(admin).get(
            f"/api/v1/controller/supervisor-call/?batch={answer.json()['id']}"
        )
        assert {one["answer"] for one in calls.json()["results"]} == {"OK"}
        assert devices[0].paths == [("POST", "/v1/restart")]


@pytest.mark.django_db(transaction=True)
def test_of_two_reboots_at_once_one_is_told_that_the_device_is_busy(
    live_server: Any, admin: User, balena: BalenaSupervisor, organization: Organization
) -> None:
    row = factories.supervisor(balena, organization)
    balena.delay = 1.0
    found = []

    def reboot() -> None:
        answer = httpx.post(
            f"{live_server.url}/supervisor/v1/reboot",
            headers=headers,
            json={"deviceId": row.pk},
        )
        found.append((answer.status_code, answer.headers.get("retry-after")))

    headers = factories.bearer(admin)
    threads = [threading.Thread(target=reboot) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in found) == [202, 409]
    assert ("409", "2") in [(str(status), after) for status, after in found]
    assert len(balena.requests) == 1


class TestTwice:
    def test_a_repeated_request_is_answered_and_not_made_again(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        headers = {"Idempotency-Key": "one-reboot"}
        first = post("v1/reboot", deviceId=row.pk, headers=headers)
        again = post("v1/reboot", deviceId=row.pk, headers=headers)
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert again["Idempotent-Replayed"] == "true"
        assert len(balena.requests) == 1
        other = post("v1/shutdown", deviceId=row.pk, headers=headers)
        assert other.status_code == 422

    def test_a_key_is_somebodys_own(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        headers = {"Idempotency-Key": "one"}
        post("v1/blink", deviceId=row.pk, headers=headers)
        user = factories.user(row.device.organization)
        post("v1/blink", deviceId=row.pk, headers=headers, user=user)
        assert len(balena.requests) == 2

    def test_what_was_refused_may_be_asked_again(self, post: Any, row: Supervisor) -> None:
        headers = {"Idempotency-Key": "one"}
        Supervisor.objects.filter(pk=row.pk).update(lease=row.device_id, leased_until=soon())
        assert post("v1/blink", deviceId=row.pk, headers=headers).status_code == 409
        Supervisor.objects.filter(pk=row.pk).update(lease=None, leased_until=None)
        assert post("v1/blink", deviceId=row.pk, headers=headers).status_code == 200


class TestLater:
    @pytest.fixture
    def away(self, row: Supervisor, closed: list[int]) -> Supervisor:
        Supervisor.objects.filter(pk=row.pk).update(port=closed[0])
        return row

    def test_a_call_waits_for_a_device_that_is_away(
        self, post: Any, balena: BalenaSupervisor, away: Supervisor
    ) -> None:
        answer = post("v1/restart", deviceId=away.pk, queue=True, expires=3600)
        assert answer.status_code == 202
        assert answer.json()["state"] == "queued"
        same = post("v1/restart", deviceId=away.pk, queue=True)
        assert same.json()["id"] == answer.json()["id"]
        assert call_queue.run_due() == 1
        call = SupervisorCall.objects.get(pk=answer.json()["id"])
        assert call.state == "queued"
        SupervisorCall.objects.update(not_before=timezone.now())
        Supervisor.objects.update(port=balena.port)
        call_queue.run_due()
        call.refresh_from_db()
        assert (call.state, call.answer) == ("succeeded", "OK")
        assert balena.paths == [("POST", "/v1/restart")]

    def test_it_is_given_up_in_time_or_by_hand(
        self, api: Any, admin: User, post: Any, balena: BalenaSupervisor, away: Supervisor
    ) -> None:
        first = post("v1/update", deviceId=away.pk, queue=True).json()["id"]
        SupervisorCall.objects.update(expires=timezone.now())
        call_queue.run_due()
        assert SupervisorCall.objects.get(pk=first).state == "expired"
        second = post("v1/update", deviceId=away.pk, queue=True).json()["id"]
        url = f"/api/v1/controller/supervisor-call/{second}/cancel/"
        assert api(admin).post(url).json()["state"] == "canceled"
        assert api(admin).post(url).status_code == 409
        assert not balena.requests

    @pytest.mark.parametrize("path", ["v1/shutdown", "v1/purge", "v1/regenerate-api-key"])
    def test_what_would_surprise_hours_later_never_waits(
        self, post: Any, away: Supervisor, path: str
    ) -> None:
        answer = post(path, deviceId=away.pk, queue=True)
        assert answer.status_code == 400
        assert "never kept for later" in answer.json()["message"]
        assert not SupervisorCall.objects.open().exists()

    def test_without_asking_for_it_nothing_waits(self, post: Any, away: Supervisor) -> None:
        answer = post("v1/restart", deviceId=away.pk)
        assert answer.status_code == 503
        assert not SupervisorCall.objects.open().exists()


class TestUnknown:
    def test_a_later_look_says_what_became_of_it(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        balena.fault = hangs_up
        assert post("v1/restart", deviceId=row.pk).status_code == 502
        balena.fault = None
        SupervisorCall.objects.update(ended=timezone.now() - timedelta(minutes=1))
        assert call_verification.verify_unknown() == 1
        call = SupervisorCall.objects.get(state="unknown")
        assert "answers, and takes the portal's key" in call.verdict
        assert call_verification.verify_unknown() == 0

    def test_a_device_that_does_not_answer_is_asked_less_and_less_often(
        self, row: Supervisor, closed: list[int]
    ) -> None:
        Supervisor.objects.update(port=closed[0])
        SupervisorCall.objects.create(
            supervisor=row, name="restart", method="POST", path="/v1/restart", state="unknown",
            ended=timezone.now() - timedelta(minutes=1),
        )  # fmt: skip
        pauses = []
        for _ in range(3):
            assert call_verification.verify_unknown() == 1
            assert call_verification.verify_unknown() == 0
            call = SupervisorCall.objects.get()
            pauses.append((call.not_before - timezone.now()).total_seconds())
            SupervisorCall.objects.update(not_before=timezone.now())
        assert pauses == sorted(pauses)
        assert pauses[2] > 2 * pauses[0]
        SupervisorCall.objects.update(ended=timezone.now() - timedelta(hours=1))
        call_verification.verify_unknown()
        assert SupervisorCall.objects.get().verdict == "The device has not answered since."


def lost(row: Supervisor, **values: Any) -> SupervisorCall:
    """A call whose process died."""
    call = SupervisorCall.objects.create(
        supervisor=row, name="restart", method="POST", path="/v1/restart",
        lease_holder=uuid4(), leased_until=timezone.now() - timedelta(seconds=1), **values,
    )  # fmt: skip
    Supervisor.objects.filter(pk=row.pk).update(lease=call.pk, leased_until=call.leased_until)
    return call


class TestLost:
    def test_what_was_sent_is_unknown_and_never_repeated(
        self, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        lost(row, sent=timezone.now())
        call_queue.run_due()
        call = SupervisorCall.objects.get()
        assert (call.state, call.leased_until) == ("unknown", None)
        assert not balena.requests

    def test_what_was_not_sent_was_not_done(
        self, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        lost(row)
        call_queue.run_due()
        call = SupervisorCall.objects.get()
        assert (call.state, call.code) == ("unreachable", "lost")
        assert "nothing was done" in call.reason

    def test_what_a_worker_had_not_sent_waits_on_and_is_made_once(
        self, post: Any, run: Any, organization: Organization
    ) -> None:
        devices = run("19.0.5", "18.0.0", "19.0.5")
        for device in devices:
            factories.supervisor(device, organization)
        post("v1/restart", appId=42, headers={"Prefer": "respond-async"})
        calls = call_queue.lease_due()
        jobs = [call_queue.resume(call) for call in calls]
        # The worker makes the first call, and dies.
        call_execution.execute_all([job for job in jobs[:1] if job])
        past = timezone.now() - timedelta(seconds=1)
        SupervisorCall.objects.filter(state="running").update(leased_until=past)
        Supervisor.objects.filter(lease__isnull=False).update(leased_until=past)
        call_queue.settle_lost()
        assert SupervisorCall.objects.filter(state="queued").count() == 2
        SupervisorCall.objects.filter(state="queued").update(not_before=timezone.now())
        assert call_queue.run_due() == 2
        assert set(SupervisorCall.objects.values_list("state", flat=True)) == {"succeeded"}
        assert [device.paths for device in devices] == [[("POST", "/v1/restart")]] * 3

    def test_a_device_is_free_again_within_seconds(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        call = lost(row, sent=timezone.now())
        assert post("v1/restart", deviceId=row.pk).status_code == 200
        call.refresh_from_db()
        assert (timedelta(seconds=60) >= call_requests.LEASE, call.state) == (True, "running")

    def test_who_asked_and_may_no_longer_is_not_called_for(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        user = factories.user(row.device.organization)
        post("v1/restart", appId=42, user=user, headers={"Prefer": "respond-async"})
        user.memberships.all().delete()
        call_queue.run_due()
        assert SupervisorCall.objects.get().state == "refused"
        assert not balena.requests


def test_the_leases_of_a_call_and_of_its_device_are_renewed_together(
    admin: User, row: Supervisor
) -> None:
    wanted = call_requests.match_route(
        row.flavor, method="POST", path="/v1/restart", data={"appId": 42}
    )
    job = call_requests.start(admin, row, wanted)
    assert job.is_ready
    soon_over = timezone.now() + timedelta(seconds=1)
    SupervisorCall.objects.update(leased_until=soon_over)
    Supervisor.objects.update(leased_until=soon_over)
    call_requests.renew_leases([job])
    row.refresh_from_db()
    job.call.refresh_from_db()
    assert row.leased_until == job.call.leased_until > soon_over


class TestHistory:
    def test_old_calls_are_forgotten_open_ones_are_not(self, row: Supervisor) -> None:
        for state in ("succeeded", "queued"):
            SupervisorCall.objects.create(supervisor=row, method="GET", path="/", state=state)
        SupervisorCall.objects.update(created=timezone.now() - timedelta(days=400))
        assert call_queue.prune() == 1
        assert SupervisorCall.objects.get().state == "queued"


class TestReports:
    @pytest.fixture
    def report(self, api: Any) -> Any:
        def report(key: str, body: Any, path: str = "v3") -> Any:
            headers = {"Authorization": f"Bearer {key}"}
            return api(None).patch(f"/device/{path}/state", body, headers=headers)

        return report

    def test_a_device_makes_itself_known(
        self, post: Any, report: Any, balena: BalenaSupervisor, organization: Organization
    ) -> None:
        device = factories.device(organization, management_ip="127.0.0.1")
        answer = report(device.key, {"a" * 32: balena.report()})
        assert (answer.status_code, answer.content) == (200, b"")
        row = Supervisor.objects.get()
        assert (row.device, row.key, row.port) == (device, balena.key, balena.port)
        assert row.reported["ip_address"] == "192.0.2.7"
        assert balena.key not in str(row.reported)
        assert post("v1/blink", uuid="a" * 32).status_code == 200

    def test_what_a_device_measures_comes_with_its_report(
        self, report: Any, balena: BalenaSupervisor, organization: Organization
    ) -> None:
        device = factories.device(organization, management_ip="127.0.0.1")
        told = balena.report() | {
            "cpu_usage": 12, "cpu_temp": 51, "memory_usage": 250, "memory_total": 1000,
            "storage_usage": 3000, "storage_total": 12_000,
        }  # fmt: skip
        assert report(device.key, {"a" * 32: told}).status_code == 200
        latest = LatestSample.objects.get(monitored__device=device)
        found = dict(zip(latest.layout, known(latest.values, wide=True).values(), strict=True))
        assert found == {"cpu": 12, "memory": 25, "disk": 25, "temperature": 51}

    def test_a_new_key_comes_with_the_next_report(
        self, post: Any, report: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        old, balena.key = balena.key, "c" * 32
        assert post("v1/blink", deviceId=row.pk).status_code == 502
        body = {"local": {"api_secret": balena.key}}
        assert report(row.device.key, body, f"v2/{row.uuid}").status_code == 200
        assert post("v1/blink", deviceId=row.pk).status_code == 200
        row.refresh_from_db()
        assert (row.previous_key, row.key_state) == (old, "good")

    def test_only_the_device_itself_reports(
        self, report: Any, row: Supervisor, organization: Organization
    ) -> None:
        other = factories.device(organization)
        told = {row.uuid: {"api_secret": "d" * 32}}
        assert report("wrong", told).status_code == 401
        assert report("", told).status_code == 401
        assert report(other.key, told).status_code == 404
        row.refresh_from_db()
        assert row.key != "d" * 32

    @pytest.mark.parametrize(
        "body",
        [
            {}, [], {"a": 1}, {"UUID": {}}, {"a" * 32: {"api_port": 22}},
            {"a" * 32: {"api_secret": "short"}}, {"a" * 32: {"api_port": "x"}},
        ],
    )  # fmt: skip
    def test_a_report_that_makes_no_sense_changes_nothing(
        self, report: Any, organization: Organization, body: Any
    ) -> None:
        assert report(factories.device(organization).key, body).status_code == 400
        assert not Supervisor.objects.exists()


def soon() -> Any:
    return timezone.now() + timedelta(minutes=1)
