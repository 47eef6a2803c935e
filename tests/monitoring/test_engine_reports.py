"""Reports of devices: what is read of good ones, odd ones and useless ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from controller.monitoring.engine import netjson
from controller.monitoring.engine.counters import Moment, increment
from controller.monitoring.engine.netjson import NotAReport
from controller.monitoring.engine.report import Report

PAYLOADS = Path(__file__).parents[1] / "contract" / "monitoring_payloads"


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def read(**parts: Any) -> Report:
    return netjson.read({"type": "DeviceMonitoring", **parts})


def test_a_small_access_point_tells_what_it_measures() -> None:
    report = netjson.read(payload("1_small_ap"))
    assert report.hostname == "ap-lobby"
    assert report.uptime == 734512
    assert report.complaints == []
    assert report.values["cpu"] == 10.5
    assert report.values["memory"] == pytest.approx(45.44, abs=0.01)
    # /rom is always full, and nothing can be done about it.
    assert report.values["disk"] == pytest.approx(12.15, abs=0.01)
    assert report.values["wifi_clients phy0-ap0"] == 2
    assert report.counters["rx_bytes eth0"] == 18223445120
    assert report.counters["packets eth0"] == 20475781 + 4533335
    assert report.counters["errors eth0"] == 0
    assert report.speeds == {"eth0": 1e9}


def test_the_clients_of_an_access_point_are_told_with_what_they_speak() -> None:
    client = netjson.read(payload("1_small_ap")).clients[1]
    assert (client.mac, client.interface, client.ssid) == (
        "b8:27:eb:10:00:02", "phy0-ap0", "Lobby",
    )  # fmt: skip
    assert (client.ht, client.vht, client.he) == (True, False, False)
    assert client.signal == -74


def test_a_modem_tells_the_newest_technology_that_has_values() -> None:
    report = netjson.read(payload("2_lte_router"))
    assert {key.split(" ")[0] for key in report.values} >= {
        "signal_strength", "access_technology", "cpu", "memory",
    }  # fmt: skip


def test_a_switch_and_a_crowded_access_point_are_read_whole() -> None:
    assert netjson.read(payload("3_dsa_switch")).complaints == []
    crowded = netjson.read(payload("6_two_hundred_clients"))
    assert len(crowded.clients) == 200
    counts = [value for key, value in crowded.values.items() if key.startswith("wifi_clients")]
    assert sum(counts) == 200


def test_odd_parts_are_left_out_and_the_rest_is_kept() -> None:
    report = netjson.read(payload("4_garbage"))
    assert report.values["cpu"] == 1844
    assert "memory" not in report.values
    assert report.counters["rx_bytes phy0-ap0"] == 10
    assert "rx_bytes wwan0" not in report.counters
    assert "tx_bytes wwan0" not in report.counters
    assert report.values["wifi_clients phy1-ap0"] == 0
    assert "rx_bytes eth0" not in report.counters
    # A radio of the fifth generation says nothing about the sixth.
    assert (report.clients[0].vht, report.clients[0].he) == (True, None)
    assert len(report.complaints) >= 5


@pytest.mark.parametrize("body", [None, [], "text", 5, {}, {"type": "DeviceConfiguration"}])
def test_what_is_no_report_is_refused(body: Any) -> None:
    with pytest.raises(NotAReport, match="Invalid data in"):
        netjson.read(body)


def test_the_least_report_is_taken() -> None:
    assert read().values == {}


def test_a_report_of_which_nothing_can_be_used_is_refused() -> None:
    with pytest.raises(NotAReport, match="Nothing in it can be used"):
        read(resources={"load": "high"})


@pytest.mark.parametrize("odd", [None, True, "1", [], {}, float("nan"), -1, 1e300, 10**400])
def test_a_number_that_is_none_costs_only_itself(odd: Any) -> None:
    report = read(
        general={"uptime": odd},
        resources={"load": [odd], "cpus": odd, "memory": {"total": odd, "free": 1}},
        interfaces=[{"name": "wan", "statistics": {"rx_bytes": odd, "tx_bytes": 5}}],
    )
    assert report.counters == {"tx_bytes wan": 5}
    assert not report.values


def test_memory_that_the_kernel_could_give_is_not_used() -> None:
    memory = {"total": 1000, "free": 100, "buffered": 50, "cached": 250}
    assert read(resources={"memory": memory}).values["memory"] == 60
    memory["available"] = 500
    assert read(resources={"memory": memory}).values["memory"] == 50


def test_received_bytes_grow_as_the_recorded_restart_and_wrap_say() -> None:
    grown: list[float | None] = []
    before, old = Moment(0), None
    for snapshot in payload("5_counter_reset")["snapshots"]:
        report = netjson.read(snapshot["body"])
        # The recorded times follow each other as the local times do.
        now = Moment(snapshot["body"]["general"]["local_time"], report.uptime)
        new = report.counters["rx_bytes eth0.2"]
        grown.append(increment(old, new, before=before, now=now))
        before, old = now, new
    assert grown == [None, 5_000_000, 1200, 4_294_958_800, 10_000, None]


def test_a_counter_that_was_reset_alone_counts_from_nothing() -> None:
    before, now = Moment(1000, 500), Moment(1300, 800)
    assert increment(5_000_000, 700, before=before, now=now) == 700


def test_more_than_a_link_can_carry_is_no_measurement() -> None:
    before, now = Moment(1000, 500), Moment(1010, 510)
    assert increment(0, 10**9, before=before, now=now, speed=1e8) is None
    assert increment(0, 10**8, before=before, now=now, speed=1e8) == 10**8


def test_reports_out_of_order_grow_nothing() -> None:
    assert increment(5, 10, before=Moment(1000, 500), now=Moment(900, 400)) is None
    assert increment(5, 10, before=Moment(1000, 500), now=Moment(1000, 500)) is None
