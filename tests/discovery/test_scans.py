"""Scans of a network namespace with a single router."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import Conflict
from controller.base.leases import LeaseHolder
from controller.devices.models import Device
from controller.discovery import rules
from controller.discovery.models import SCANS, Finding, Scan
from tests import factories
from tests.fleet.certificates import self_made
from tests.fleet.gateway import serving
from tests.fleet.namespaces import cable, entered, give_address, make_space, tried, why_not
from tests.fleet.proxmox import Proxmox
from tests.fleet.ssh import SshDevice

URL = "/api/v1/discovery/"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[str]:
    """Create a /24 with a router at .10 and this test, with an OpenSSH server, at .1."""
    if reason := why_not():
        pytest.skip(reason)
    tag, prefix = f"{os.getpid() % 100_000}", "10.213.7"
    here, router = f"mscan{tag}", f"mfound{tag}"
    try:
        make_space(here)
        make_space(router)
        cable(here, "here", router, "there")
        give_address(here, "here", f"{prefix}.1/24")
        give_address(router, "there", f"{prefix}.10/24")
        answering = subprocess.Popen(
            ["ip", "netns", "exec", router, sys.executable, "-m", "tests.fleet.http_answers", f"{prefix}.10"],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert answering.stdout
        assert answering.stdout.readline() == "listening\n"
        with entered(here):
            yield prefix
        answering.kill()
        answering.communicate()
    finally:
        for space in (here, router):
            tried("ip", "netns", "del", space)


def scan(organization: Organization, user: User, *wanted: str, **values: Any) -> Scan:
    return rules.start(organization, by=user, wanted=wanted, **values)


@pytest.mark.netns
@pytest.mark.enable_socket
@pytest.mark.django_db
def test_a_scan_of_a_network_finds_who_is_in_it(
    network: str, organization: Organization, api: Any, tmp_path: Path
) -> None:
    client = api(factories.user(organization))
    with SshDevice(tmp_path / "host", host=f"{network}.1") as host:
        asked = {
            "targets": [f"{network}.0/24"], "scan_methods": ["tcp_connect", "mdns", "ssdp", "snmp", "arp"],
            "tcp_ports": [22, 80, host.port],
            "options": {
                "max_concurrent_hosts": 300, "tcp_timeout": 12, "resolve_hostnames": False,
                "snmp_community": "secret",
            },
        }  # fmt: skip
        started = client.post(f"{URL}scan", asked).json()
        assert started["total_targets"] == 254
        row = Scan.objects.get(pk=started["scan_id"])
        assert row.community == "secret"
        assert rules.drive(row)
    assert Scan.objects.get().community == ""
    progress = client.get(f"{URL}scan/{started['scan_id']}/progress").json()
    assert (progress["status"], progress["progress_pct"]) == ("completed", 100.0)
    found = client.get(f"{URL}scan/{started['scan_id']}/results").json()["devices"]
    by_address = {one["ip_address"].rpartition(".")[2]: one for one in found}
    machine, router = by_address.pop("1"), by_address.pop("10")
    assert not by_address
    assert "OpenSSH" in machine["services"][f"banner:{host.port}"]
    assert (router["vendor"], router["device_type"]) == ("openwrt", "router")
    assert router["open_ports"] == [22, 80]
    assert router["discovered_via"] == ["arp", "mdns", "snmp", "ssdp", "tcp_connect"]
    said = router["services"]
    assert "MiniUPnPd" in said.pop("ssdp")["server"]
    assert said == {
        "banner:22": "SSH-2.0-dropbear", "http:80:title": "OpenWrt - LuCI",
        "http:80:server": "uhttpd", "mdns": ["_ssh._tcp.local."],
        "mdns:name": "roof.local", "snmp": "Linux roof 6.6.86 OpenWrt", "snmp:name": "roof",
    }  # fmt: skip
    assert router["hostname"] == "roof.local"
    # It is on a local network, so its MAC address is known.
    assert len(router["mac_address"]) == 17


def test_what_was_found_is_adopted_once(api: Any, organization: Organization) -> None:
    user = factories.user(organization)
    client = api(user)
    row = scan(organization, user, "10.0.0.0/24")
    seen = {
        "address": "10.0.0.9",
        "device_type": "router",
        "ports": [22],
        "ways": [],
        "said": {},
    }
    Finding.objects.create(scan=row, **seen)
    wanted = {"ip_address": "10.0.0.9", "name": "roof"}
    refused = client.post(f"{URL}adopt", wanted)
    assert refused.status_code == 422
    assert refused.json()["error"]["details"][0]["field"] == "body.mac_address"
    wanted["mac_address"] = factories.mac()
    assert client.post(f"{URL}adopt", wanted).status_code == 201
    device = Device.objects.get()
    assert (device.name, str(device.management_ip)) == ("roof", "10.0.0.9")
    assert client.post(f"{URL}adopt", wanted).status_code == 409
    stranger = api(factories.user(factories.organization()))
    assert stranger.post(f"{URL}adopt", wanted).status_code == 404
    assert (
        api(factories.user(organization, "viewer")).post(f"{URL}adopt", wanted).status_code
        == 403
    )
    history = client.get(f"{URL}scans/history").json()
    assert [one["scan_id"] for one in history] == [str(row.pk)]
    assert client.get(f"{URL}scans/latest/results").json()["scan_id"] == str(row.pk)


@pytest.mark.netns
@pytest.mark.enable_socket
@pytest.mark.django_db(transaction=True)
def test_a_cancelled_scan_stops_at_once(network: str, admin: User) -> None:
    # One silent host at a time would take minutes if the scan continued.
    row = scan(factories.organization(), admin, f"{network}.0/24", at_once=1, seconds=5)

    def drive() -> None:
        try:
            rules.drive(Scan.objects.get(pk=row.pk))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        driving = pool.submit(drive)
        while Scan.objects.get(pk=row.pk).state == "pending":
            time.sleep(0.05)
        rules.cancel(Scan.objects.get(pk=row.pk), by=admin)
        driving.result(timeout=20)
    row.refresh_from_db()
    assert row.state == "cancelled"
    assert row.scanned < 20


@pytest.mark.enable_socket
def test_a_lost_scan_is_found_and_gone_on_with(
    settings: Any, organization: Organization, admin: User
) -> None:
    settings.MUSTER_DISCOVERY_NETWORKS = ["127.0.0.0/8"]
    row = scan(organization, admin, "127.9.9.0/26", methods=["tcp_connect"], ports=[1])
    assert rules.resume_lost() == 0
    LeaseHolder(SCANS).lease(1)
    Scan.objects.update(position=60, scanned=60)
    assert not rules.drive(Scan.objects.get(pk=row.pk)), "somebody else is at it"
    past = timezone.now() - timedelta(minutes=1)
    Scan.objects.update(leased_until=past)
    assert SCANS.put_back() == 1
    Scan.objects.update(not_before=past)
    assert rules.resume_lost() == 1
    assert rules.drive(Scan.objects.get(pk=row.pk))
    row.refresh_from_db()
    assert (row.state, row.scanned, row.position, row.found) == ("completed", 62, 62, 0)


def test_known_devices_are_known_again(
    settings: Any, organization: Organization, admin: User, tmp_path: Path
) -> None:
    settings.MUSTER_DISCOVERY_NETWORKS = ["127.0.0.0/8"]
    device = factories.device(organization, management_ip="127.0.0.1")
    with SshDevice(tmp_path / "host") as host:
        row = scan(organization, admin, "127.0.0.1", methods=["tcp_connect"], ports=[host.port])
        rules.drive(row)
    assert Finding.objects.get().device == device


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"targets": ["127.0.0.1"]}, "body.targets"),
        ({"targets": ["8.8.8.8"]}, "body.targets"),
        ({"targets": ["10.0.0.0/8"]}, "body.targets"),
        ({"targets": []}, "body.targets"),
        ({"targets": ["x"]}, "body.targets"),
        ({"targets": ["10.0.0.1"], "scan_methods": ["telepathy"]}, "body.scan_methods"),
        ({"targets": ["10.0.0.1"], "tcp_ports": [70000]}, "body.tcp_ports.0"),
        ({"targets": ["10.0.0.1"], "options": {"tcp_timeout": 99}}, "body.options.tcp_timeout"),
    ],
)
def test_a_bad_scan_is_refused_by_its_field(
    api: Any, organization: Organization, body: dict[str, Any], field: str
) -> None:
    answer = api(factories.user(organization)).post(f"{URL}scan", body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["error"]["details"]] == [field]
    assert not Scan.objects.exists()


def test_only_so_many_at_a_time_and_none_for_strangers(
    api: Any, organization: Organization
) -> None:
    user = factories.user(organization)
    for _ in range(rules.MOST_ACTIVE):
        row = scan(organization, user, "10.0.0.1")
    with pytest.raises(Conflict, match="under way"):
        scan(organization, user, "10.0.0.1")
    stranger = api(factories.user(factories.organization()))
    for verb, tail in (("get", "progress"), ("get", "results"), ("post", "cancel")):
        assert getattr(stranger, verb)(f"{URL}scan/{row.pk}/{tail}").status_code == 404
    assert stranger.get(f"{URL}scans/history").json() == []
    client = api(user)
    assert client.delete(f"{URL}scan/{row.pk}").status_code == 409
    assert client.post(f"{URL}scan/{row.pk}/cancel").json()["status"] == "cancelled"
    assert client.post(f"{URL}scan/{row.pk}/cancel").status_code == 409
    assert client.delete(f"{URL}scan/{row.pk}").status_code == 204


def test_results_cost_the_same_queries_for_one_and_for_many(
    api: Any, organization: Organization, admin: User
) -> None:
    row = scan(organization, admin, "10.0.0.0/24")
    client = api(admin)

    def ask() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as asked:
            assert client.get(f"{URL}scan/{row.pk}/results").status_code == 200
        return len(asked)

    ask()
    few = ask()
    Finding.objects.bulk_create(
        Finding(
            scan=row, address=f"10.0.0.{n}", device_type="host", ports=[22], ways=[], said={}
        )
        for n in range(1, 100)
    )
    assert ask() == few


def test_a_scan_is_started_and_its_findings_are_adopted_on_the_page(
    client: Any, organization: Organization
) -> None:
    user = factories.user(organization, is_staff=True)
    client.force_login(user)
    form = {
        "organization": organization.pk, "site": "", "targets": "10.0.0.0/30\n10.0.0.9",
        "exclude_targets": "10.0.0.2", "scan_methods": ["tcp_connect"], "tcp_ports": "22, 80",
        "at_once": 10, "seconds": 1,
    }  # fmt: skip
    page = "/admin/discovery/scan/"
    wrong = client.post(f"{page}add/", form | {"targets": "8.8.8.8"})
    assert "is not in a network that may be scanned" in wrong.content.decode()
    assert client.post(f"{page}add/", form).status_code == 302
    row = Scan.objects.get()
    assert (row.total, row.ports, row.author) == (2, [22, 80], user)
    finding = Finding.objects.create(
        scan=row, address="10.0.0.9", device_type="host", ports=[22], ways=[], said={}
    )
    assert "10.0.0.9" in client.get(f"{page}{row.pk}/change/").content.decode()
    wanted = {"name": "found", "mac_address": factories.mac()}
    assert client.post(f"{page}{row.pk}/adopt/{finding.pk}/", wanted).status_code == 302
    assert Device.objects.get().name == "found"
    assert client.post(f"{page}{row.pk}/cancel/").status_code == 302
    row.refresh_from_db()
    assert row.state == "cancelled"
    client.force_login(factories.user(factories.organization(), is_staff=True))
    assert client.get(f"{page}{row.pk}/change/").status_code == 302
    assert client.post(f"{page}{row.pk}/cancel/").status_code == 404


def test_results_come_in_parts(api: Any, organization: Organization, admin: User) -> None:
    row = scan(organization, admin, "10.0.0.0/24")
    shown = {"device_type": "host", "ports": [], "ways": [], "said": {}}
    for n in range(1, 6):
        Finding.objects.create(scan=row, address=f"10.0.0.{n}", **shown)
    client = api(admin)
    url = f"{URL}scan/{row.pk}/results"
    part = client.get(f"{url}?limit=2&offset=3").json()["devices"]
    assert [one["ip_address"] for one in part] == ["10.0.0.4", "10.0.0.5"]
    assert len(client.get(url).json()["devices"]) == 5
    assert client.get(f"{url}?offset=-1").status_code == 422


def test_several_are_adopted_each_by_itself(api: Any, organization: Organization) -> None:
    user = factories.user(organization)
    row = scan(organization, user, "10.0.0.0/24")
    shown = {
        "device_type": "router",
        "ports": [22],
        "ways": [],
        "said": {},
        "vendor": "openwrt",
    }
    for n in (1, 2):
        Finding.objects.create(
            scan=row, address=f"10.0.0.{n}", mac_address=factories.mac(), **shown
        )
    client = api(user)
    asked = [{"ip_address": f"10.0.0.{n}", "name": f"roof-{n}"} for n in (1, 2, 3)]
    told = client.post(f"{URL}adopt/bulk", {"devices": asked}).json()
    assert [one["name"] for one in told["adopted"]] == ["roof-1", "roof-2"]
    assert [one["ip_address"] for one in told["failed"]] == ["10.0.0.3"]
    assert Device.objects.count() == 2
    found = client.post(f"{URL}match-drivers", {"ip_address": "10.0.0.1"}).json()["matches"]
    assert [one["driver_id"] for one in found] == ["openwrt", "ssh"]
    stranger = api(factories.user(factories.organization()))
    assert stranger.post(f"{URL}match-drivers", {"ip_address": "10.0.0.1"}).status_code == 404


@pytest.mark.enable_socket
def test_one_host_is_asked_at_once(
    api: Any, organization: Organization, settings: Any, tmp_path: Path
) -> None:
    settings.MUSTER_DISCOVERY_NETWORKS = ["127.0.0.0/8"]
    client = api(factories.user(organization))
    with SshDevice(tmp_path / "host") as host:
        asked = {"ip_address": "127.0.0.1", "ports": [host.port]}
        told = client.post(f"{URL}fingerprint", asked).json()
    assert told["open_ports"] == [host.port]
    assert "OpenSSH" in told["services"][f"banner:{host.port}"]
    assert not Finding.objects.exists()
    assert client.post(f"{URL}fingerprint", {"ip_address": "8.8.8.8"}).status_code == 422


def test_credentials_are_tried_and_not_kept(
    api: Any, organization: Organization, settings: Any, tmp_path: Path
) -> None:
    settings.MUSTER_DISCOVERY_NETWORKS = ["127.0.0.0/8"]
    settings.MUSTER_LOCAL_GATEWAYS = True
    client, device = api(factories.user(organization)), Proxmox()
    pem, device.tls = self_made(tmp_path / "pve.pem")
    with serving(device):
        asked = {
            "ip_address": "127.0.0.1", "driver_id": "proxmox", "port": device.port,
            "username": device.key, "password": device.secret, "ca_certificate": pem,
        }  # fmt: skip
        told = client.post(f"{URL}test-credentials", asked)
        assert told.json() == {
            "success": True,
            "message": "",
            "version": told.json()["version"],
        }
        told = client.post(f"{URL}test-credentials", asked | {"password": "a wrong secret"})
        assert (told.status_code, told.json()["success"]) == (200, False)
        assert "a wrong secret" not in told.content.decode()
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.post(f"{URL}test-credentials", asked).status_code == 403
