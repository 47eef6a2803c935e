"""Ambiguous requests, and hostile answers of devices."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync

from controller.accounts.models import Organization, User
from controller.base.errors import Refused, Unreachable
from supervisor_proxy.drivers.balena import Balena
from supervisor_proxy.drivers.contract import Order, Target
from supervisor_proxy.drivers.http import dialled
from supervisor_proxy.engine import balena as table
from supervisor_proxy.models import Supervisor, SupervisorCall
from supervisor_proxy.rules import call_requests
from tests import factories
from tests.fleet import http as fleet
from tests.fleet.balena import BalenaSupervisor

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(balena: BalenaSupervisor, organization: Organization) -> Supervisor:
    return factories.supervisor(balena, organization)


@pytest.fixture
def post(api: Any, admin: User, row: Supervisor) -> Callable[..., Any]:
    def post(path: str, **body: Any) -> Any:
        extra = body.pop("extra", {})
        return api(admin).post(f"/supervisor/{path}", {"deviceId": row.pk} | body, **extra)

    return post


class TestRequests:
    @pytest.mark.parametrize(
        "path",
        [
            "v1/../v1/reboot", "v1/./reboot", "../admin/", "v1%2freboot", "v1%252freboot",
            "v1/reboot%3fapikey=x", "v1/reboot%23x", "v1%5creboot", "v1/reboot%00",
            "v1/reboot%0d%0aX-Evil: 1", "v1/reboot;x=1", "v1/reb%6fot%20", "http://evil/ping",
            "v1/apps/42%2f..%2f..", "v1/reboot%C0%AF", "x" * 600,
        ],
    )  # fmt: skip
    def test_a_path_that_means_two_things_is_refused_and_recorded(
        self, post: Any, balena: BalenaSupervisor, path: str
    ) -> None:
        answer = post(path, extra={"RAW_PATH": f"/supervisor/{path}"})
        assert answer.status_code in {400, 404}, answer.content
        assert not balena.requests
        call = SupervisorCall.objects.get()
        assert call.state == "refused"
        assert call.reason

    @pytest.mark.parametrize("query", ["apikey=x", "apikey=x&apikey=y", "service=main", "a=b"])
    def test_parameters_of_the_address_are_refused_and_recorded(
        self, post: Any, balena: BalenaSupervisor, query: str
    ) -> None:
        answer = post(f"v1/reboot?{query}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "bad_query"
        assert not balena.requests
        assert SupervisorCall.objects.get().state == "refused"

    def test_a_parameter_that_is_known_cannot_bring_another(
        self, post: Any, balena: BalenaSupervisor
    ) -> None:
        post("v2/containerId?service=a%26apikey=x", method="GET")
        assert balena.requests[-1].query == [("service", "a&apikey=x")]

    def test_double_slashes_are_one(self, post: Any, balena: BalenaSupervisor) -> None:
        assert post("/ping", method="GET").status_code == 200
        assert balena.paths == [("GET", "/ping")]

    @pytest.mark.parametrize(
        "data",
        [
            {"appId": 42, "force": "yes"}, {"appId": "42; reboot"}, {"appId": -1},
            {"appId": {"$ne": 1}}, {"appId": 42, "host": "evil"},
        ],
    )  # fmt: skip
    def test_values_that_are_none_are_refused(self, post: Any, balena: Any, data: Any) -> None:
        assert post("v1/restart", data=data).status_code == 400
        assert not balena.requests

    def test_what_is_too_large_is_refused(self, post: Any, balena: BalenaSupervisor) -> None:
        assert post("v1/restart", data={"x": "y" * 70_000}).status_code == 400
        assert not balena.requests

    def test_nothing_of_a_request_becomes_a_header(
        self, post: Any, balena: BalenaSupervisor
    ) -> None:
        post("v1/blink", extra={"HTTP_X_REQUEST_ID": "a\r\nX-Evil: 1"})
        (sent,) = balena.requests
        assert "x-evil" not in sent.head.lower()
        assert sent.headers["host"] == f"127.0.0.1:{balena.port}"


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        ["169.254.169.254", "127.0.0.1", "::ffff:127.0.0.1", "fd00:ec2::254", "8.8.8.8"],
    )
    def test_an_address_outside_of_the_networks_is_not_dialled(
        self, post: Any, row: Supervisor, settings: Any, address: str
    ) -> None:
        settings.MUSTER_SUPERVISOR_NETWORKS = ["10.0.0.0/8", "fc00::/7"]
        Supervisor.objects.filter(pk=row.pk).update(address=address)
        answer = post("v1/blink")
        assert answer.status_code == 503
        assert answer.json()["code"] == "no_address"
        assert SupervisorCall.objects.get().state == "unreachable"

    def test_what_a_device_tells_is_never_dialled(self, post: Any, row: Supervisor) -> None:
        device = row.device
        device.management_ip, device.management_ip_is_told = "127.0.0.1", True
        device.save()
        Supervisor.objects.filter(pk=row.pk).update(
            address=None, reported={"ip_address": "127.0.0.1"}
        )
        assert post("v1/blink").json()["code"] == "no_address"
        device.management_ip_is_told = False
        device.save()
        assert post("v1/blink").status_code == 200

    @pytest.mark.allow_hosts(["192.0.2.1", "127.0.0.1", fleet.own_address()])
    def test_names_and_the_portals_own_addresses_are_not_dialled(self, settings: Any) -> None:
        settings.MUSTER_SUPERVISOR_NETWORKS = ["private", "192.0.2.0/24", "127.0.0.0/8"]
        with pytest.raises(Unreachable):
            dialled(Target("localhost", 48484))
        probe = fleet.own_address()
        if probe:
            with pytest.raises(Unreachable, match="one of the portal's own"):
                dialled(Target(probe, 48484))


FAULTS = {
    "redirects": (fleet.redirects, 502, "unknown"),
    "endless": (fleet.endless, 502, "unknown"),
    "garbage": (fleet.garbage, 502, "unknown"),
    "hangs up": (fleet.hangs_up, 502, "unknown"),
    "packed": (fleet.packed, 502, "unknown"),
    "a page": (fleet.says(200, "text/html", b"<script>alert(1)</script>"), 502, "unknown"),
    "an error page": (fleet.says(500, "text/html", b"<h1>no</h1>"), 502, "failed"),
    "no JSON": (fleet.says(200, "application/json", b"{nope"), 502, "unknown"),
    "deep": (fleet.says(200, "application/json", b"[" * 5000 + b"]" * 5000), 502, "unknown"),
    "an image": (fleet.says(200, "image/png", b"\x89PNG"), 502, "unknown"),
    "a scope": (fleet.says(401, "application/json", b'{"status":"failed"}'), 502, "failed"),
}


class TestAnswers:
    @pytest.mark.parametrize(("fault", "status", "state"), FAULTS.values(), ids=FAULTS)
    def test_an_answer_that_is_none_is_not_passed_on(
        self, post: Any, balena: BalenaSupervisor, fault: Any, status: int, state: str
    ) -> None:
        balena.fault = fault
        answer = post("v1/blink")
        assert answer.status_code == status, answer.content
        assert answer["X-Supervisor-Proxy"] == "portal"
        assert "169.254" not in answer.content.decode()
        call = SupervisorCall.objects.get()
        assert (call.state, bool(call.reason)) == (state, True)
        assert balena.key not in f"{call.reason}{call.answer}"
        row = Supervisor.objects.get()
        assert row.lease is None

    def test_a_slow_drip_ends_with_the_time_of_the_call(
        self, post: Any, balena: BalenaSupervisor, monkeypatch: Any
    ) -> None:
        rows = [replace(one, seconds=0.5) for one in table.TABLE]
        monkeypatch.setitem(cast(Any, call_requests.TABLES), "balena", rows)
        balena.fault = fleet.drips
        began = time.monotonic()
        answer = post("v1/blink")
        # The complete body would take a minute.
        assert time.monotonic() - began < 25
        assert answer.status_code == 504
        assert SupervisorCall.objects.get().state == "unknown"

    def test_no_cookie_of_a_device_reaches_the_caller(
        self, post: Any, balena: BalenaSupervisor
    ) -> None:
        balena.fault = fleet.says(200, "text/plain", b"fine")
        answer = post("v1/blink")
        assert answer.content == b"fine"
        assert not answer.cookies
        assert answer["X-Content-Type-Options"] == "nosniff"

    def test_a_page_for_an_unknown_call_is_said_in_words(
        self, post: Any, balena: BalenaSupervisor, row: Supervisor
    ) -> None:
        Supervisor.objects.filter(pk=row.pk).update(version="")
        answer = post("v1/tcp-ping")
        assert answer.status_code == 501
        assert "does not know /v1/tcp-ping" in answer.json()["message"]

    async def _call(self, target: Target) -> Any:
        return await Balena().call(target, Order("GET", "/ping", seconds=2))

    def test_no_error_names_the_key(self, balena: BalenaSupervisor) -> None:
        target = Target("127.0.0.1", 9, "k" * 32, "")
        with pytest.raises(Refused) as caught:
            async_to_sync(self._call)(target)
        assert "k" * 32 not in f"{caught.value!r} {caught.value.__cause__!r} {target!r}"
