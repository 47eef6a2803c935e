"""What the portal asks by itself, of real sockets and real SSH servers on loopback."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization
from controller.monitoring.drivers import icmp
from controller.monitoring.engine import linux, netjson
from controller.monitoring.engine.metrics import split_key
from controller.monitoring.engine.vectors import known
from controller.monitoring.models import LatestSample, MonitoredDevice, Snapshot
from controller.monitoring.rules import device_polling
from tests import factories
from tests.fleet.dropbear_device import DROPBEAR, DropbearRouter
from tests.fleet.ssh import SshDevice

pings = pytest.mark.skipif(icmp.way() == "none", reason="this system lets us send no pings")


def newest(device: Any) -> dict[str, float]:
    latest = LatestSample.objects.get(monitored__device=device)
    return {latest.layout[slot]: one for slot, one in known(latest.values, wide=True).items()}


@pings
def test_many_hosts_are_pinged_through_one_socket() -> None:
    hosts = [f"127.0.1.{at}" for at in range(1, 101)]
    found = asyncio.run(icmp.ping_many(hosts, rounds=2, patience=20))
    assert [one.loss for one in found] == [0] * 100
    assert all(0 <= time < 5000 for one in found for time in one.times)


@pings
def test_an_address_that_cannot_be_reached_is_lost(settings: Any) -> None:
    # The documentation prefix of IPv6: no route leads there.
    settings.MUSTER_DEVICE_NETWORKS = ["2001:db8::/32"]
    (found,) = asyncio.run(icmp.ping_many(["2001:db8::1"], rounds=2, patience=0.1))
    assert (found.sent, found.loss) == (2, 100)


@pings
@pytest.mark.django_db
def test_a_device_is_pinged_when_its_turn_comes(
    organization: Organization, settings: Any
) -> None:
    settings.MUSTER_PING_SECONDS = 300
    device = factories.device(organization, management_ip="127.0.0.77")
    factories.device(organization)
    assert device_polling.ping_due() == 1
    found = newest(device)
    assert (found["reachable"], found["loss"]) == (1, 0)
    assert found["rtt_min"] <= found["rtt"] <= found["rtt_max"]
    assert device_polling.ping_due() == 0
    row = MonitoredDevice.objects.get(device=device)
    assert timezone.now() < row.next_check <= timezone.now() + timedelta(seconds=301)


@pytest.mark.django_db
def test_no_pings_are_sent_where_they_are_turned_off(
    organization: Organization, settings: Any
) -> None:
    settings.MUSTER_PING_SECONDS = settings.MUSTER_PULL_SECONDS = 0
    factories.device(organization, management_ip="127.0.0.77")
    assert (device_polling.ping_due(), device_polling.pull_due()) == (0, 0)
    assert not MonitoredDevice.objects.exists()


def test_turns_are_spread_over_the_period() -> None:
    now = datetime(2025, 11, 30, tzinfo=UTC)
    turns = {device_polling.next_turn(number, now, 300) for number in range(300)}
    assert len(turns) == 300
    assert max(turns) - now <= timedelta(seconds=300)
    again = {device_polling.next_turn(number, max(turns), 300) for number in range(300)}
    assert min(again) > max(turns)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "kind",
    [
        SshDevice,
        # With the tools of OpenWrt alone: those of busybox.
        pytest.param(
            DropbearRouter,
            marks=pytest.mark.skipif(
                not DROPBEAR or os.geteuid() != 0, reason="needs root and dropbear"
            ),
        ),
    ],
)
def test_a_device_without_agent_is_measured_over_ssh(
    organization: Organization, tmp_path: Path, kind: type[SshDevice]
) -> None:
    with kind(tmp_path) as ssh:
        device = factories.device(organization, management_ip=ssh.host)
        credentials = factories.credentials(
            organization,
            params={"username": ssh.username, "port": ssh.port,
                    "key": ssh.client_key_path.read_text()},
        )  # fmt: skip
        connection = factories.connection(device, credentials)
        device_polling.add_addressed()
        assert device_polling.pull_due() == 1
        found = newest(device)
        assert {"cpu", "memory", "uptime"} <= found.keys()
        assert 0 < found["memory"] < 100
        assert Snapshot.objects.count() == 1
        connection.refresh_from_db()
        assert connection.is_working
        # It told by itself what it measures, so it is not asked.
        LatestSample.objects.update(arrived=device_polling.now_seconds() - 1)
        assert device_polling.silent([device.pk]) == []


@pytest.mark.django_db
def test_a_device_that_cannot_be_asked_costs_nobody_else(organization: Organization) -> None:
    device = factories.device(organization, management_ip="127.0.0.1")
    factories.connection(
        device,
        factories.credentials(
            organization, params={"username": "x", "password": "y", "port": 9}
        ),
    )
    assert device_polling.pull([device.pk]) == 0
    assert not LatestSample.objects.exists()


OUTPUT = """\
== uptime
3600.12 7000.00
== load
0.50 0.40 0.30 1/99 1234
== cpus
4
== memory
MemTotal:        1000 kB
MemFree:          100 kB
MemAvailable:     400 kB
Buffers:           50 kB
Cached:           200 kB
== host
box
== disks
/dev/sda1 1000 400 600 40% /
/dev/sda1 broken
== counters
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0
  eth0: 4290502 113 1 2 0 0 0 0 7324 59 3 4 0 0 0 0
== links
eth0|up|1000|02:fc:00:00:00:01|1500|ethernet
wlan0|up|0|02:fc:00:00:00:02|1500|wireless
odd
== addresses
4: eth0    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0
4: eth0    inet6 fe80::1/64 scope link
nonsense
== neighbors
192.0.2.1 dev eth0 lladdr 5a:94:ef:e4:0c:dd REACHABLE
192.0.2.9 dev eth0 FAILED
192.0.2.7
== routes
default via 192.0.2.1 dev eth0
== temperatures
48500
51000
== wireless
interface wlan0
\tssid Lobby
\ttype AP
\tchannel 36 (5180 MHz), width: 80 MHz
Station 3c:22:fb:10:00:01 (on wlan0)
\tsignal:  \t-61 [-64, -65] dBm
== end
"""


def test_what_a_linux_device_says_has_the_shape_that_agents_send() -> None:
    body = linux.as_netjson(OUTPUT)
    report = netjson.read(body)
    assert report.complaints == []
    assert {split_key(key)[0] for key in report.values} == {
        "uptime", "cpu", "memory", "disk", "temperature", "wifi_clients", "client_signal",
    }  # fmt: skip
    assert (report.values["cpu"], report.values["memory"]) == (12.5, 60)
    assert (report.values["disk"], report.values["temperature"]) == (40, 51)
    assert report.counters["rx_bytes eth0"] == 4290502
    assert report.counters["errors eth0"] == 10
    assert report.speeds == {"eth0": 1e9}
    assert report.values["client_signal"] == -61
    (client,) = report.clients
    assert (client.mac, client.ssid) == ("3c:22:fb:10:00:01", "Lobby")
    assert body["interfaces"][0]["addresses"][0]["gateway"] == "192.0.2.1"
    assert [one.get("mac") for one in body["neighbors"]] == ["5a:94:ef:e4:0c:dd", None]


@pytest.mark.parametrize("output", ["", "sh: not found", OUTPUT.rpartition("==")[0]])
def test_an_answer_that_breaks_off_is_no_measurement(output: str) -> None:
    with pytest.raises(linux.NoAnswer):
        linux.as_netjson(output)
