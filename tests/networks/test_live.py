"""Live view of gateways: each part of each vendor, tools, sharing, and gateways that are slow."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache

from controller.accounts.models import User
from controller.base.errors import NotFound, NotPermitted, Refused, Unreachable
from networks.gateways.drivers import LIVE
from networks.gateways.engine.live import PARTS, duration, hops, is_host, pings
from networks.gateways.models import Gateway
from networks.gateways.rules import live_view
from tests import factories
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("writes")]
READ = [(vendor, part) for vendor in LIVE for part in LIVE[vendor] if not PARTS[part].is_tool]
RUN = [(vendor, part) for vendor in LIVE for part in LIVE[vendor] if PARTS[part].is_tool]
# What an empty stand-in has none of.
EMPTY = {("mikrotik", "leases"), ("mikrotik", "uplinks"), ("proxmox", "interfaces")}


@contextmanager
def at(vendor: str, *, is_binary: bool = False) -> Iterator[Any]:
    cache.clear()
    with serving(VENDORS[vendor]()) as device:
        url = f"http://127.0.0.1:{device.api_port}/api" if is_binary else device.url  # type: ignore[attr-defined]
        yield (
            device,
            factories.gateway(
                factories.organization(),
                url,
                vendor=vendor,
                key=device.key,
                secret=device.secret,
            ),
        )
        assert not device.faults, device.faults
        assert not device.writes


@pytest.mark.parametrize("vendor", sorted(LIVE))
def test_each_part_is_read_as_the_vendor_publishes_it(vendor: str) -> None:
    with at(vendor) as (_, gateway):
        for part in live_view.parts_of(gateway):
            told = live_view.read_part(gateway, part.name)
            assert told.rows or (vendor, part.name) in EMPTY, part.name
            for row in told.rows:
                assert list(row) == list(part.columns)
                assert any(value != "" for value in row.values())


def test_routeros_tells_the_same_by_its_binary_api() -> None:
    found = []
    for is_binary in (False, True):
        with at("mikrotik", is_binary=is_binary) as (device, gateway):
            device.counters.fixed = 1000
            names = [one.name for one in live_view.parts_of(gateway)]
            found.append([live_view.read_part(gateway, name).rows for name in names])
    assert found[0] == found[1]


@pytest.mark.parametrize("vendor", sorted(set(LIVE) - {"proxmox"}))
def test_counters_are_those_of_the_gateway(vendor: str) -> None:
    with at(vendor) as (device, gateway):
        device.counters.fixed = 123_456_789
        rows = live_view.read_part(gateway, "interfaces").rows
    assert (123_456_789, 123_456_789 // 4) in [(row["received"], row["sent"]) for row in rows]


def test_figures_of_a_hypervisor_are_those_that_it_tells() -> None:
    with at("proxmox") as (device, gateway):
        (storage,) = live_view.read_part(gateway, "storage").rows
        told = device.measured["nodes/pve/storage"][0]
        assert (storage["used"], storage["total"]) == (told["used"], told["total"])
        (guest,) = [
            one
            for one in live_view.read_part(gateway, "guests").rows
            if one["state"] == "running"
        ]
        told = device.measured["nodes/pve/qemu"][0]
        assert (guest["memory"], guest["uptime"]) == (told["mem"], duration(told["uptime"]))


@pytest.mark.parametrize(("vendor", "tool"), RUN)
def test_a_host_is_pinged_and_traced_from_the_gateway(
    vendor: str, tool: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(live_view, "PING_PAUSE", 0)
    with at(vendor) as (_, gateway):
        told = live_view.run_tool(gateway, tool, host="192.0.2.7", count=2)
    assert told.rows
    if (vendor, tool) != ("opnsense", "traceroute"):
        assert "192.0.2.7" in {row["address"] for row in told.rows}


def test_rows_are_in_words_that_all_vendors_share() -> None:
    with at("openwrt") as (_, gateway):
        (client,) = live_view.read_part(gateway, "wifi").rows
        assert client["network"] == "Office"
        assert client["since"] == "1 h 2 min"
        (lease,) = live_view.read_part(gateway, "leases").rows
        assert (lease["address"], lease["state"]) == ("192.168.1.9", "dynamic")
    with at("mikrotik") as (device, gateway):
        device.menus["ip/dhcp-server/lease"]["*9"] = {
            "address": "192.168.88.9", "mac-address": "02:00:00:00:00:99", "dynamic": "false",
            "host-name": "printer",
        }  # fmt: skip
        (lease,) = live_view.read_part(gateway, "leases").rows
        assert (lease["name"], lease["state"]) == ("printer", "static")


def test_what_was_read_a_moment_ago_is_not_read_again() -> None:
    with at("openwrt") as (device, gateway):
        first = live_view.read_part(gateway, "wifi")
        asked = len(device.requests)
        assert live_view.read_part(gateway, "wifi") == first
        assert len(device.requests) == asked
        # Of a gateway that was changed nothing is remembered.
        Gateway.objects.get(pk=gateway.pk).save()
        live_view.read_part(Gateway.objects.get(pk=gateway.pk), "wifi")
        assert len(device.requests) > asked


def test_a_slow_gateway_delays_nobody_who_looks_at_another() -> None:
    with at("openwrt") as (slow, gateway), serving(VENDORS["pfsense"]()) as device:
        other = factories.gateway(
            gateway.organization, device.url, vendor="pfsense", key=device.key,
            secret=device.secret,
        )  # fmt: skip
        slow.delay = 3.0
        seen: list[Any] = []
        waits = threading.Thread(
            target=lambda: seen.append(live_view.read_part(gateway, "log")), daemon=True
        )
        waits.start()
        began = time.monotonic()
        assert live_view.read_part(other, "log").rows
        assert not seen
        assert time.monotonic() - began < 3.0
        waits.join(30)
        assert seen


def test_a_gateway_that_is_away_is_told_at_once_the_second_time(organization: Any) -> None:
    cache.clear()
    gateway = factories.gateway(organization, "http://127.0.0.1:9")
    for words in ("cannot be reached", "asked again from"):
        with pytest.raises(Unreachable, match=words):
            live_view.read_part(gateway, "log")


def test_hosts_are_hosts_and_parts_are_those_of_the_vendor(gateway: Gateway) -> None:
    for text in ("192.0.2.1", "2001:db8::1", "a.example.org", "nas", "_dmarc.example.org"):
        assert is_host(text)
    for text in ("", "-c", "a b", "a;b", "$(id)", "a/b", "-", "a" * 254, "x\n"):
        assert not is_host(text)
        with pytest.raises(Refused):
            live_view.run_tool(gateway, "ping", host=text)
    with pytest.raises(Refused):
        live_view.run_tool(gateway, "ping", host="nas", count=11)
    for part in ("guests", "nonsense", "ping"):
        with pytest.raises(NotFound):
            live_view.read_part(gateway, part)


def test_what_ping_and_traceroute_print_is_read() -> None:
    assert list(pings("PING nas\n")) == [{"number": 1, "state": "no answer"}]
    (row,) = pings("64 bytes from 2001:db8::1: icmp_seq=1 ttl=64 time=0.321 ms")
    assert (row["address"], row["time"]) == ("2001:db8::1", 0.321)
    found = list(hops("traceroute to x\n 1  *\n 2  192.0.2.1 (192.0.2.1)  1.5 ms  1.2 ms\n"))
    assert [(one["number"], one["address"], one["time"]) for one in found] == [
        (1, "", None), (2, "192.0.2.1", 1.2),
    ]  # fmt: skip
    assert duration(59) == "59 s"
    assert duration("never") == ""


def test_the_api_reads_parts_and_lets_only_those_run_tools_who_may_change_the_gateway(
    api: Any,
) -> None:
    with at("mikrotik") as (_, gateway):
        viewer = factories.user(gateway.organization, "viewer")
        admin = factories.user(gateway.organization, "org_admin")
        base = f"/api/v1/gateways/{gateway.pk}/"
        answer = api(viewer).get(f"{base}status/")
        assert [one["name"] for one in answer.json()["tools"]] == ["ping", "traceroute"]
        told = api(viewer).get(f"{base}status/overview/").json()
        assert {"name": "Load", "value": "1.00"} in told["rows"]
        sent = {"host": "192.0.2.7"}
        assert api(viewer).post(f"{base}ping/", sent, format="json").status_code == 403
        assert api(admin).post(f"{base}ping/", sent, format="json").json()["rows"]
        answer = api(admin).post(f"{base}ping/", {"host": "-f"}, format="json")
        assert answer.status_code == 422
        assert answer.json()["error"]["details"][0]["field"] == "body.host"
        assert api(viewer).get(f"{base}status/guests/").status_code == 404


def test_only_who_may_update_the_gateway_may_run_tools(gateway: Gateway) -> None:
    operator: User = factories.user(gateway.organization, "operator")
    with pytest.raises(NotPermitted):
        live_view.may_run(operator, gateway)
