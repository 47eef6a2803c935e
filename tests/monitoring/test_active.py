"""Checks by schedule and on demand, of real servers on loopback and in network namespaces."""

import asyncio
import os
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import Refused
from controller.monitoring.drivers import icmp
from controller.monitoring.engine import active as engine
from controller.monitoring.models import Check, CheckRun, Condition, MonitoredDevice, Sample
from controller.monitoring.rules import active_checks, device_polling
from controller.monitoring.rules.health import judge_all
from tests import factories
from tests.fleet.namespaces import cable, entered, give_address, make_space, tried, why_not
from tests.fleet.ports import closed_ports, free_port
from tests.fleet.ssh import SshDevice
from tests.monitoring.test_checks import newest

IPERF3 = shutil.which("iperf3")
needs_iperf3 = pytest.mark.skipif(IPERF3 is None, reason="iperf3 is not installed")


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = {"/": 200, "/away": 503, "/moved": 301}.get(self.path, 404)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"all is well")

    def log_message(self, *_: Any) -> None:
        pass


class Names(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        name = question.question[0].name
        if str(name) == "device.example.":
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.5"))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        sock.sendto(answer.to_wire(), self.client_address)


@contextmanager
def served(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


def check_of(organization: Organization, kind: str, **parameters: Any) -> Check:
    return active_checks.create_check(
        organization=organization, name=f"{kind} check", kind=kind, parameters=parameters,
        seconds=300,
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({}, ""),
        ({"path": "/away"}, "It answers 503."),
        ({"path": "/away", "status": 503}, ""),
        # Redirects are not followed.
        ({"path": "/moved", "status": 301}, ""),
        ({"text": "all is well"}, ""),
        ({"text": "on fire"}, "Its answer does not contain the expected text."),
        ({"status": 204}, "It answers 200 instead of 204."),
    ],
)
def test_pages_are_checked(
    organization: Organization, parameters: dict[str, Any], reason: str
) -> None:
    device = factories.device(organization, management_ip="127.0.0.1")
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as port:
        check_of(organization, "http", port=port, **parameters)
        assert active_checks.run_due() == 1
    run = CheckRun.objects.get()
    assert (run.reason, run.is_good) == (reason, not reason)
    assert newest(device)["check http check"] == float(not reason)
    assert (run.milliseconds is None) == bool(reason)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"name": "device.example"}, ""),
        ({"name": "device.example", "answer": "192.0.2.5"}, ""),
        ({"name": "device.example", "answer": "192.0.2.6"}, "It answers 192.0.2.5."),
        ({"name": "nothing.example"}, "It answers NXDOMAIN."),
    ],
)
def test_names_are_checked(
    organization: Organization, parameters: dict[str, Any], reason: str
) -> None:
    factories.device(organization, management_ip="127.0.0.1")
    with served(socketserver.UDPServer(("127.0.0.1", 0), Names)) as port:
        check_of(organization, "dns", port=port, **parameters)
        assert active_checks.run_due() == 1
    assert CheckRun.objects.get().reason == reason


@pytest.mark.django_db
def test_ports_and_ssh_servers_are_checked(organization: Organization, tmp_path: Path) -> None:
    device = factories.device(organization, management_ip="127.0.0.1")
    with SshDevice(tmp_path) as ssh, closed_ports(1) as (closed,):
        check_of(organization, "ssh", port=ssh.port)
        check_of(organization, "tcp", port=closed)
        assert active_checks.run_due() == 2
    good, bad = CheckRun.objects.order_by("-is_good")
    assert (good.parent.kind, good.is_good, good.reason) == ("ssh", True, "")
    assert (bad.parent.kind, bad.is_good) == ("tcp", False)
    assert "connection refused" in bad.reason
    # Both are one sample of the same moment.
    assert Sample.objects.filter(kind=Sample.Kind.ACTIVE).count() == 1
    found = newest(device)
    assert (found["check ssh check"], found["check tcp check"]) == (1, 0)


@pytest.mark.django_db
def test_a_failing_check_makes_a_problem_and_its_name_is_told(
    organization: Organization,
) -> None:
    device = factories.device(organization, management_ip="127.0.0.1")
    with closed_ports(1) as (closed,):
        check_of(organization, "tcp", port=closed)
        active_checks.run_due()
    start = timezone.now()
    judge_all(start)
    judge_all(start + timedelta(minutes=11))
    condition = Condition.objects.get()
    assert condition.text == "A check fails (tcp check)"
    assert condition.told_at is not None
    assert MonitoredDevice.objects.get(device=device).health == "problem"
    Check.objects.get().delete()
    judge_all(start + timedelta(minutes=12))
    assert MonitoredDevice.objects.get(device=device).health == "unknown"


@pytest.mark.django_db
def test_checks_and_pings_do_not_wipe_each_other_out(
    organization: Organization, settings: Any
) -> None:
    device = factories.device(organization, management_ip="127.0.0.1")
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as port:
        check_of(organization, "http", port=port)
        active_checks.run_due()
    if icmp.way() != "none":
        settings.MUSTER_PING_SECONDS = 300
        device_polling.ping_due()
        assert newest(device)["reachable"] == 1
    assert newest(device)["check http check"] == 1


@pytest.mark.django_db
def test_a_check_follows_its_group_and_runs_when_it_is_due(organization: Organization) -> None:
    group = factories.group(organization)
    inside = factories.device(organization, management_ip="127.0.0.1", group=group)
    factories.device(organization, management_ip="127.0.0.2")
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Page)) as port:
        row = active_checks.create_check(
            organization=organization, group=group, name="web", kind="http",
            parameters={"port": port}, seconds=300,
        )  # fmt: skip
        assert (active_checks.run_due(), active_checks.run_due()) == (1, 0)
        assert CheckRun.objects.get().monitored.device == inside
        # On demand it runs at once.
        assert active_checks.run_now(row) == 1
        assert active_checks.run_due() == 1
    inside.group = None
    inside.save()
    active_checks.run_due()
    assert not CheckRun.objects.exists()
    with pytest.raises(Refused):
        active_checks.run_now(row)


@pytest.mark.parametrize(
    ("kind", "parameters", "problem"),
    [
        ("http", {"port": 0}, "port: a port from 1 to 65535 is expected."),
        ("http", {"path": "no slash"}, "path: a path that begins with / is expected."),
        ("http", {"color": "red"}, "There is no parameter 'color'."),
        ("dns", {}, "name: it is required."),
        ("tcp", {}, "port: it is required."),
        ("iperf3", {"server": "-V; reboot"}, "server: a host name or address is expected."),
        ("iperf3", {"server": "a.example", "seconds": 600}, "seconds: 1 to 60 seconds are expected."),
        ("ssh", ["x"], "An object is expected."),
    ],
)  # fmt: skip
def test_parameters_are_checked(kind: str, parameters: Any, problem: str) -> None:
    assert engine.problems(kind, parameters) == [problem]


def test_an_unknown_kind_is_told_at_its_own_field() -> None:
    assert engine.problems("", {}) == []
    assert engine.problems("gopher", {"port": 70}) == []


@contextmanager
def iperf_server(host: str, space: str = "") -> Iterator[int]:
    port = free_port()
    command = [str(IPERF3), "-s", "-B", host, "-p", str(port), "--forceflush"]
    if space:
        command = ["ip", "netns", "exec", space, *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while "Server listening" not in process.stdout.readline():
            assert process.poll() is None
        yield port
    finally:
        process.terminate()
        process.wait(20)


@needs_iperf3
@pytest.mark.django_db
def test_bandwidth_is_measured_on_the_device_over_ssh(
    organization: Organization, tmp_path: Path
) -> None:
    with SshDevice(tmp_path) as ssh, iperf_server("127.0.0.1") as port:
        device = factories.device(organization, management_ip=ssh.host)
        factories.connection(
            device,
            factories.credentials(
                organization,
                params={"username": ssh.username, "port": ssh.port,
                        "key": ssh.client_key_path.read_text()},
            ),
        )  # fmt: skip
        row = active_checks.create_check(
            organization=organization, name="to HQ", kind="iperf3", seconds=0,
            parameters={"server": "127.0.0.1", "port": port, "seconds": 1},
        )  # fmt: skip
        # Without a schedule it waits until somebody asks for it.
        assert active_checks.test_bandwidth_due() == 0
        active_checks.run_now(row)
        assert active_checks.test_bandwidth_due() == 1
    run = CheckRun.objects.get()
    assert (run.is_good, run.reason, run.next_run) == (True, "", None)
    found = newest(device)
    assert found["tcp_rate to HQ"] > 1e6
    assert found["retransmits to HQ"] >= 0


@needs_iperf3
@pytest.mark.django_db
def test_tests_against_one_server_run_one_at_a_time(organization: Organization) -> None:
    for at in range(3):
        factories.device(organization, management_ip=f"127.0.0.{10 + at}")
    row = check_of(organization, "iperf3", server="hq.example")
    active_checks.spread([row])
    leased = active_checks.lease(active_checks.Q(parent=row), 10, by_server=True)
    assert len(leased) == 1
    # The test is running: no other one begins.
    assert active_checks.lease(active_checks.Q(parent=row), 10, by_server=True) == []
    # Its worker died: after its lease the next one may.
    CheckRun.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert len(active_checks.lease(active_checks.Q(parent=row), 10, by_server=True)) == 1


@pytest.fixture
def spaces() -> Iterator[tuple[str, str]]:
    names = f"mmp{os.getpid()}", f"mmd{os.getpid()}"
    for name in names:
        make_space(name)
    try:
        cable(names[0], "hub0", names[1], "edge0")
        give_address(names[0], "hub0", "10.77.0.1/24")
        give_address(names[1], "edge0", "10.77.0.2/24")
        yield names
    finally:
        for name in names:
            tried("ip", "netns", "del", name)


@pytest.mark.skipif(bool(why_not()), reason="no network namespaces here")
def test_a_device_behind_a_cable_is_pinged_until_the_cable_is_cut(
    spaces: tuple[str, str], settings: Any
) -> None:
    portal, device = spaces
    settings.MUSTER_DEVICE_NETWORKS = ["10.77.0.0/24"]
    with entered(portal):
        (found,) = asyncio.run(icmp.ping_many(["10.77.0.2"], rounds=3, patience=20))
        assert (found.sent, found.loss) == (3, 0)
        tried("ip", "-n", device, "link", "set", "edge0", "down")
        (found,) = asyncio.run(icmp.ping_many(["10.77.0.2"], rounds=2, patience=0.5))
        assert (found.sent, found.loss) == (2, 100)


@needs_iperf3
@pytest.mark.skipif(bool(why_not()), reason="no network namespaces here")
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_bandwidth_between_two_machines(spaces: tuple[str, str], protocol: str) -> None:
    server, device = spaces
    with iperf_server("10.77.0.1", server) as port:
        command, seconds = engine.iperf_command(
            {"server": "10.77.0.1", "port": port, "seconds": 1, "protocol": protocol,
             "bandwidth": "5M"}
        )  # fmt: skip
        done = subprocess.run(
            ["ip", "netns", "exec", device, "sh", "-c", command],
            check=False, capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip
    found = engine.read_iperf(done.returncode, done.stdout)
    assert found.is_good, found.reason
    names = {
        "tcp": {"tcp_rate", "tcp_bytes", "retransmits"},
        "udp": {
            "udp_rate", "udp_bytes", "jitter", "datagram_loss", "datagrams", "lost_datagrams",
        },
    }  # fmt: skip
    assert set(found.values) == names[protocol]


def test_what_iperf3_cannot_do_is_said() -> None:
    assert engine.read_iperf(127, "").reason == "iperf3 is not installed on the device."
    assert engine.read_iperf(1, "garbage").reason == "iperf3 ended with 1 and told nothing."
    refused = '{"end": {}, "error": "unable to connect to server: Connection refused"}'
    assert "Connection refused" in engine.read_iperf(1, refused).reason


@pytest.mark.django_db
def test_checks_by_the_api(api: Any, organization: Organization) -> None:
    device = factories.device(organization, management_ip="127.0.0.1")
    operator = factories.user(organization, "operator")
    given = {"organization": str(organization.pk), "name": "web", "kind": "http",
             "parameters": {"port": 8080}}  # fmt: skip
    client = api(operator)
    made = client.post("/api/v1/monitoring/check/", given)
    assert made.status_code == 201, made.content
    url = f"/api/v1/monitoring/check/{made.json()['id']}/"
    assert client.post(f"{url}run/", {}).json() == {"devices": 1}
    assert client.get(f"{url}result/").json()["results"] == [
        {"device": str(device.pk), "name": device.name, "at": None, "is_good": None,
         "milliseconds": None, "reason": ""},
    ]  # fmt: skip
    bad = client.patch(url, {"parameters": {"port": "x"}})
    assert (bad.status_code, list(bad.json())) == (400, ["parameters"])
    viewer: User = factories.user(organization, "viewer")
    assert api(viewer).post(f"{url}run/", {}).status_code == 403
    assert api(factories.user(factories.organization(), "operator")).get(url).status_code == 404
