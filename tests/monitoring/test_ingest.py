"""Reports become samples: once each, in their own time, with increments that are right."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from controller.accounts.models import Organization
from controller.devices.models import Device
from controller.monitoring.engine import buckets, vectors
from controller.monitoring.engine.blocks import DAY
from controller.monitoring.models import (
    Block,
    LatestSample,
    MonitoredDevice,
    Reboot,
    Sample,
    Snapshot,
    WifiSession,
)
from controller.monitoring.rules import reports, sample_history, wifi_sessions
from controller.monitoring.rules.reports import Answer, Posted
from tests import factories
from tests.monitoring.test_engine_reports import payload

pytestmark = pytest.mark.django_db
NOON = int(datetime(2025, 11, 30, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def device(organization: Organization) -> Device:
    return factories.device(organization)


def body(uptime: int = 5000, rx: int | None = None, load: float = 0.5, **more: Any) -> bytes:
    interfaces = [] if rx is None else [
        {"name": "wan", "statistics": {"rx_bytes": rx, "tx_bytes": rx // 2}}
    ]  # fmt: skip
    return json.dumps(
        {
            "type": "DeviceMonitoring", "general": {"uptime": uptime},
            "resources": {"load": [load]}, "interfaces": interfaces,
        } | more
    ).encode()  # fmt: skip


def time_of(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(reports.TIME_FORMAT)


def post(device: Device, content: bytes, at: int = NOON, arrived: int | None = None) -> Answer:
    one = Posted(device.pk, device.key, content, arrived or at, time_of(at))
    return reports.receive([one])[0]


def values(device: Device, at: int) -> dict[str, float]:
    latest = LatestSample.objects.get(monitored__device=device)
    row = Sample.objects.get(number=latest.monitored_id, at=at, kind=0)
    return {latest.layout[slot]: one for slot, one in vectors.known(row.values).items()}


def test_a_report_is_kept_and_is_the_newest(device: Device) -> None:
    assert post(device, json.dumps(payload("1_small_ap")).encode()) == reports.TAKEN
    found = values(device, NOON)
    assert found["cpu"] == 10.5
    assert found["wifi_clients phy0-ap0"] == 2
    # A counter says nothing until it is seen twice.
    assert "rx_bytes eth0" not in found
    latest = LatestSample.objects.get(monitored__device=device)
    assert (latest.at, latest.uptime, latest.complaints) == (NOON, 734512, [])
    assert Snapshot.objects.get().at == NOON
    assert WifiSession.objects.filter(stop_time=None).count() == len(
        {(c["mac"], i["name"]) for i in payload("1_small_ap")["interfaces"]
         for c in i.get("wireless", {}).get("clients", [])}
    )  # fmt: skip


def test_the_recorded_restart_and_wrap_are_charted_as_they_were(device: Device) -> None:
    # The snapshots are of one day but the last, which came two days later.
    snapshots = payload("5_counter_reset")["snapshots"]
    grown = []
    for snapshot in snapshots:
        at = int(datetime.strptime(snapshot["time"], reports.TIME_FORMAT)
                 .replace(tzinfo=UTC).timestamp())  # fmt: skip
        assert post(device, json.dumps(snapshot["body"]).encode(), at) == reports.TAKEN
        grown.append(values(device, at).get("rx_bytes eth0.2"))
    assert grown[:3] == [None, 5_000_000, 1200]
    assert grown[3] == pytest.approx(4_294_958_800, rel=1e-7)
    assert grown[4:] == [10_000, None]
    assert Reboot.objects.count() == 1


def test_a_report_that_is_sent_twice_is_kept_once(device: Device) -> None:
    post(device, body(rx=1000))
    post(device, body(uptime=5300, rx=4000), NOON + 300)
    assert post(device, body(uptime=5300, rx=4000), NOON + 300) == reports.TAKEN
    assert values(device, NOON + 300)["rx_bytes wan"] == 3000
    assert Sample.objects.count() == 2


def test_a_late_report_is_history_alone(device: Device) -> None:
    post(device, body(uptime=9000, rx=9000, load=0.9), NOON)
    late = NOON - 3 * 3600
    assert post(device, body(uptime=500, rx=1000, load=0.1), late, NOON) == reports.TAKEN
    assert values(device, late)["cpu"] == pytest.approx(10)
    assert "rx_bytes wan" not in values(device, late)
    latest = LatestSample.objects.get(monitored__device=device)
    assert latest.at == NOON
    assert latest.layout.index("cpu") in vectors.known(latest.values, wide=True)
    assert Snapshot.objects.get().at == NOON
    post(device, body(uptime=9300, rx=9500), NOON + 300)
    assert values(device, NOON + 300)["rx_bytes wan"] == 500


def test_a_backlog_that_comes_at_once_grows_in_its_own_time(device: Device) -> None:
    some = [
        Posted(device.pk, device.key, body(uptime=1000 + at * 300, rx=at * 100), NOON + 9000,
               time_of(NOON + at * 300))
        for at in (3, 0, 2, 1)
    ]  # fmt: skip
    assert reports.receive(some) == [reports.TAKEN] * 4
    assert [values(device, NOON + at * 300).get("rx_bytes wan") for at in range(4)] == [
        None, 100, 100, 100,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"{", b'"x"', b"\xff", b"[" * 9000]
)
def test_what_is_no_report_is_refused_so_that_the_agent_drops_it(
    device: Device, content: bytes
) -> None:
    post(device, body())
    assert post(device, content, NOON + 300).status == 400
    assert Sample.objects.count() == 1


def test_odd_values_cost_only_themselves(device: Device) -> None:
    assert post(device, json.dumps(payload("4_garbage")).encode()) == reports.TAKEN
    assert LatestSample.objects.get().complaints


@pytest.mark.parametrize("time", ["yesterday", "30-11-2025", "2025-11-30 12:00:00", "\x00"])
def test_a_time_out_of_form_is_refused(device: Device, time: str) -> None:
    one = Posted(device.pk, device.key, body(), NOON, time)
    assert reports.receive([one]) == [reports.WRONG_TIME]


@pytest.mark.parametrize("told", [0, NOON + 3600, NOON - 40 * DAY])
def test_a_wrong_clock_is_not_believed_and_is_told(device: Device, told: int) -> None:
    assert post(device, body(), told, NOON) == reports.TAKEN
    latest = LatestSample.objects.get()
    assert latest.at == NOON
    assert latest.complaints == [
        "The clock of the device is wrong, so its reports get the time of their arrival."
    ]


def test_the_key_is_compared_with_every_report(device: Device) -> None:
    assert post(device, body()) == reports.TAKEN
    wrong = Posted(device.pk, "wrong", body(), NOON, "")
    none = Posted(device.pk, "", body(), NOON, "")
    unknown = Posted(UUID(int=1), device.key, body(), NOON, "")
    found = reports.receive([wrong, none, unknown])
    assert [one.status for one in found] == [403, 403, 404]


def test_a_device_out_of_service_is_unknown(device: Device) -> None:
    device.is_deactivated = True
    device.save()
    assert post(device, body()).status == 404


def test_a_device_of_an_inactive_organization_is_unknown(device: Device) -> None:
    device.organization.is_active = False
    device.organization.save()
    assert post(device, body()).status == 404


def test_many_reports_cost_as_many_queries_as_one(
    organization: Organization, django_assert_max_num_queries: Any
) -> None:
    some = [factories.device(organization) for _ in range(12)]
    content = json.dumps(payload("1_small_ap")).encode()

    def all_at(at: int) -> list[Answer]:
        return reports.receive(
            [Posted(one.pk, one.key, content, at, time_of(at)) for one in some]
        )

    all_at(NOON)
    with django_assert_max_num_queries(10):
        assert all_at(NOON + 300) == [reports.TAKEN] * 12


# --- sessions
def clients(*macs: str) -> dict[str, Any]:
    some = [{"mac": mac, "ht": True, "signal": -50} for mac in macs]
    wireless = {"mode": "access_point", "ssid": "Lobby", "htmode": "HT20", "clients": some}
    return {"interfaces": [{"name": "wlan0", "type": "wireless", "wireless": wireless}]}


ANA, BEN = "3c:22:fb:10:00:01", "3c:22:fb:10:00:02"


def test_a_session_ends_with_the_last_report_that_named_it(device: Device) -> None:
    for at, there in enumerate([(ANA, BEN), (ANA,), (ANA, BEN), (ANA,), (ANA,), (ANA,)]):
        post(device, body(5000 + at * 300, **clients(*there)), NOON + at * 300)
    ended = WifiSession.objects.get(mac_address=BEN)
    assert ended.stop_time == datetime.fromtimestamp(NOON + 600, UTC)
    assert ended.start_time == datetime.fromtimestamp(NOON, UTC)
    assert WifiSession.objects.get(mac_address=ANA).stop_time is None


def test_late_reports_open_and_close_no_sessions(device: Device) -> None:
    post(device, body(**clients(ANA)), NOON)
    post(device, body(**clients(BEN)), NOON - 900, NOON + 60)
    assert WifiSession.objects.get().mac_address == ANA


def test_sessions_of_a_silent_access_point_end_when_it_was_last_heard(
    device: Device, time_machine: Any
) -> None:
    post(device, body(**clients(ANA)), NOON)
    time_machine.move_to(NOON + 900)
    assert wifi_sessions.close_silent() == 0
    time_machine.move_to(NOON + 1500)
    assert wifi_sessions.close_silent() == 1
    assert WifiSession.objects.get().stop_time == datetime.fromtimestamp(NOON, UTC)


def test_sessions_stay_open_between_the_reports_of_a_slow_access_point(
    device: Device, time_machine: Any
) -> None:
    for at in range(0, 5400, 1800):
        post(device, body(5000 + at, **clients(ANA)), NOON + at)
    time_machine.move_to(NOON + 3600 + 1500)
    assert wifi_sessions.close_silent() == 0
    time_machine.move_to(NOON + 3600 + 4 * 1800 + 60)
    assert wifi_sessions.close_silent() == 1


# --- history
def read(device: Device, series: str, range_: buckets.Buckets) -> Any:
    latest = LatestSample.objects.get(monitored__device=device)
    return sample_history.read(latest.monitored_id, latest.layout, [series], range_)[series]


def numbers(some: list[float | None]) -> list[float]:
    return [-1 if one is None else one for one in some]


def test_a_chart_is_the_same_before_and_after_sealing(
    device: Device, time_machine: Any
) -> None:
    time_machine.move_to(NOON + 3 * DAY)
    for at in range(0, 2 * DAY, 1800):
        post(device, body(1000 + at, rx=at, load=(at % 7200) / 7200), NOON + at)
    range_ = buckets.cut(NOON - 12 * 3600, NOON + 3 * DAY, 4 * 3600)
    before = {name: read(device, name, range_) for name in ("cpu", "rx_bytes wan")}
    assert sum(filter(None, before["rx_bytes wan"].sums())) == 2 * DAY - 1800
    assert sample_history.seal() == 3
    assert not Sample.objects.exists()
    assert Block.objects.count() == 3 + 1 + 1
    for name, points in before.items():
        after = read(device, name, range_)
        assert after.count == points.count
        assert numbers(after.mean) == pytest.approx(numbers(points.mean), rel=1e-5)
        assert (after.low, after.high) == (points.low, points.high)


def test_a_late_sample_joins_the_day_that_was_sealed(device: Device, time_machine: Any) -> None:
    time_machine.move_to(NOON + 2 * DAY)
    post(device, body(load=0.2), NOON)
    sample_history.seal()
    post(device, body(load=0.4), NOON + 60)
    sample_history.seal()
    day = buckets.cut(NOON - 12 * 3600, NOON + 12 * 3600, DAY)
    points = read(device, "cpu", day)
    assert (points.count, points.mean) == ([2], [pytest.approx(30)])
    assert (points.low, points.high) == ([pytest.approx(20)], [pytest.approx(40)])


def test_what_is_older_than_it_is_kept_goes_and_the_coarser_stays(
    device: Device, time_machine: Any
) -> None:
    time_machine.move_to(NOON + 60)
    post(device, body(load=0.2), NOON)
    time_machine.move_to(NOON + 100 * DAY)
    sample_history.seal()
    sample_history.forget()
    assert set(Block.objects.values_list("resolution", flat=True)) == {3600, DAY}
    time_machine.move_to(NOON + 600 * DAY)
    sample_history.forget()
    assert set(Block.objects.values_list("resolution", flat=True)) == {DAY}


def test_a_deleted_device_leaves_no_samples(device: Device) -> None:
    post(device, body())
    MonitoredDevice.objects.all().delete()
    sample_history.forget()
    assert not Sample.objects.exists()
