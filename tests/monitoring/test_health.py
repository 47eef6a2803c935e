"""Judging: who is told what, when, and how often."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.accounts.rules.sites import create_site
from controller.devices.models import Device
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import Condition, MonitoredDevice, Sample, Silence
from controller.monitoring.rules import limits, reports
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.health import judge_all
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.reports import Posted
from controller.notifications.models import Notice
from tests import factories

pytestmark = pytest.mark.django_db
START = int(datetime(2025, 11, 30, 12, tzinfo=UTC).timestamp())
MINUTE = 60


class Clock:
    """Lets devices report and be pinged as time goes on, and judges after every step."""

    def __init__(self, time_machine: Any) -> None:
        self.machine = time_machine
        self.now = START
        time_machine.move_to(START)

    def step(self, minutes: float = 5) -> None:
        self.now += int(minutes * MINUTE)
        self.machine.move_to(self.now)

    def report(self, device: Device, at: int | None = None, **resources: Any) -> None:
        body = json.dumps(
            {"type": "DeviceMonitoring", "general": {"uptime": self.now - START + 9999},
             "resources": resources}
        ).encode()  # fmt: skip
        moment = datetime.fromtimestamp(at or self.now, UTC)
        posted = Posted(
            device.pk, device.key, body, self.now, moment.strftime(reports.TIME_FORMAT)
        )
        assert reports.receive([posted]) == [reports.TAKEN]

    def ping(self, *devices: Device, answers: bool) -> None:
        report = Report(values={Metric.REACHABLE: 1.0 if answers else 0.0})
        ingest(
            [
                Arrival(one.pk, self.now, self.now, report, kind=Sample.Kind.CHECK)
                for one in devices
            ]
        )


@pytest.fixture
def clock(time_machine: Any) -> Clock:
    return Clock(time_machine)


@pytest.fixture
def device(organization: Organization, clock: Clock) -> Device:
    return factories.device(organization, name="edge-1")


def told() -> list[tuple[str, str]]:
    rows = Notice.objects.filter(object_type="devices.device").order_by("created", "pk")
    return [(row.kind, row.object_name) for row in rows]


def health_of(device: Device) -> str:
    return MonitoredDevice.objects.get(device=device).health


def test_a_busy_device_is_a_problem_after_ten_minutes_and_told_after_thirty(
    device: Device, clock: Clock
) -> None:
    seen = []
    for _ in range(8):
        clock.report(device, load=[3])
        judge_all()
        seen.append((health_of(device), len(told())))
        clock.step()
    assert seen == [("ok", 0)] * 2 + [("problem", 0)] * 4 + [("problem", 1)] * 2
    assert told() == [("cpu_problem", "edge-1")]
    assert "CPU load is above its limit, 300 %" in Notice.objects.get().text


def test_one_recovery_is_told_after_as_long_again(device: Device, clock: Clock) -> None:
    for _ in range(8):
        clock.report(device, load=[3])
        judge_all()
        clock.step()
    for _ in range(8):
        clock.report(device, load=[0.1])
        judge_all()
        clock.step()
    assert [kind for kind, _ in told()] == ["cpu_problem", "cpu_recovery"]
    assert health_of(device) == "ok"
    assert Condition.objects.get().ended is not None


def test_a_flapping_device_is_one_alert(device: Device, clock: Clock) -> None:
    for at in range(60):
        clock.ping(device, answers=at % 4 == 0)
        judge_all()
        clock.step()
    assert told() == [("ping_problem", "edge-1")]


def test_an_outage_of_an_uplink_is_one_alert_and_one_recovery(
    organization: Organization, device: Device, clock: Clock
) -> None:
    behind = [factories.device(organization) for _ in range(40)]
    clock.ping(device, *behind, answers=True)
    MonitoredDevice.objects.filter(device__in=behind).update(uplink=device)
    for answers in [True, False, False, False, False, False, False] + [True] * 6:
        clock.step()
        clock.ping(device, *behind, answers=answers)
        judge_all()
    assert told() == [("ping_problem", "edge-1"), ("ping_recovery", "edge-1")]
    assert "40 more devices are behind it" in Notice.objects.earliest("created").text
    assert set(MonitoredDevice.objects.values_list("health", flat=True)) == {"ok"}


def test_what_is_behind_an_outage_says_so(
    organization: Organization, device: Device, clock: Clock
) -> None:
    other = factories.device(organization)
    clock.ping(device, other, answers=True)
    MonitoredDevice.objects.filter(device=other).update(uplink=device)
    for _ in range(6):
        clock.step()
        clock.ping(device, other, answers=False)
        judge_all()
    condition = Condition.objects.get(monitored__device=other)
    assert (condition.behind, condition.told_at) == (device, None)
    assert health_of(other) == "critical"


def test_what_stays_away_when_the_uplink_is_back_is_told_then(
    organization: Organization, device: Device, clock: Clock
) -> None:
    other = factories.device(organization, name="leaf-1")
    clock.ping(device, other, answers=True)
    MonitoredDevice.objects.filter(device=other).update(uplink=device)
    for at in range(12):
        clock.step()
        clock.ping(device, answers=at > 5)
        clock.ping(other, answers=False)
        judge_all()
    assert told() == [
        ("ping_problem", "edge-1"), ("ping_recovery", "edge-1"), ("ping_problem", "leaf-1"),
    ]  # fmt: skip


def test_late_data_tells_nobody(device: Device, clock: Clock) -> None:
    clock.report(device, load=[0.1])
    for at in range(24):
        clock.report(device, START - 10_000 + at * 300, load=[9])
        judge_all()
    clock.step(1)
    judge_all()
    assert told() == []
    assert health_of(device) == "ok"


def test_old_data_alone_is_not_judged(device: Device, clock: Clock) -> None:
    for at in range(24):
        clock.report(device, START - 20_000 + at * 300, load=[9])
    judge_all()
    assert not Condition.objects.exclude(metric=Metric.DATA_RECEIVED).exists()
    assert told() == []


def test_a_device_that_falls_silent_is_told_once(device: Device, clock: Clock) -> None:
    clock.report(device, load=[0.1])
    for _ in range(20):
        clock.step()
        judge_all()
    assert told() == [("data_collected_problem", "edge-1")]
    assert health_of(device) == "critical"
    for _ in range(8):
        clock.report(device, load=[0.1])
        judge_all()
        clock.step()
    assert told()[1:] == [("data_collected_recovery", "edge-1")]


def test_while_a_device_does_not_answer_nothing_else_is_told(
    device: Device, clock: Clock
) -> None:
    for _ in range(14):
        clock.report(device, load=[9])
        clock.ping(device, answers=False)
        judge_all()
        clock.step()
    assert told() == [("ping_problem", "edge-1")]
    # It reports, so it is there.
    assert health_of(device) == "problem"


def test_in_a_maintenance_window_nobody_is_told_and_after_it_what_is_still_wrong(
    device: Device, clock: Clock
) -> None:
    now = datetime.fromtimestamp(START, UTC)
    Silence.objects.create(
        organization=device.organization, device=device, reason="New power supply",
        starts=now - timedelta(hours=1), ends=now + timedelta(hours=1),
    )  # fmt: skip
    seen = []
    for _ in range(15):
        clock.ping(device, answers=False)
        judge_all()
        seen.append(len(told()))
        clock.step()
    assert health_of(device) == "critical"
    assert seen == [0] * 12 + [1] * 3


@pytest.mark.parametrize("field", ["group", "site", "device"])
def test_a_maintenance_window_of_others_silences_nobody(
    device: Device, clock: Clock, field: str
) -> None:
    now = datetime.fromtimestamp(START, UTC)
    others = {
        "group": lambda: factories.group(device.organization),
        "site": lambda: create_site(organization=device.organization, name="X", slug="x"),
        "device": lambda: factories.device(device.organization),
    }
    Silence.objects.create(
        organization=device.organization, reason="Elsewhere", ends=now + timedelta(hours=9),
        **{field: others[field]()},
    )  # fmt: skip
    for _ in range(6):
        clock.ping(device, answers=False)
        judge_all()
        clock.step()
    assert told() == [("ping_problem", "edge-1")]


def test_the_nearest_limit_is_in_force(device: Device, clock: Clock) -> None:
    group = factories.group(device.organization)
    device.group = group
    device.save()
    values = {"metric": "cpu", "operator": "above", "minutes": 0}
    limits.create_threshold(organization=None, value=10, **values)
    limits.create_threshold(organization=device.organization, value=5, **values)
    assert limits.limits_of(device)[Metric.CPU].value == 5
    limits.create_threshold(organization=device.organization, group=group, value=500, **values)
    found = limits.limits_of(device)[Metric.CPU]
    assert (found.value, found.source) == (500, f"group {group.name}")
    clock.report(device, load=[3])
    judge_all()
    assert not Condition.objects.exists()
    limits.create_threshold(
        organization=device.organization, device=device, value=200, **values
    )
    judge_all()
    condition = Condition.objects.get()
    assert (condition.limit, condition.source) == (200, "this device")
    assert told() == [("cpu_problem", "edge-1")]


def test_a_limit_that_is_turned_off_ends_its_condition(device: Device, clock: Clock) -> None:
    clock.report(device, load=[3])
    judge_all()
    assert Condition.objects.count() == 1
    limits.create_threshold(
        organization=device.organization, metric="cpu", value=90, enabled=False
    )
    judge_all()
    assert Condition.objects.count() == 0


def test_a_sensor_that_is_gone_has_no_condition(device: Device, clock: Clock) -> None:
    clock.report(device, load=[0.1], temperature=99)
    judge_all()
    assert Condition.objects.get().metric == Metric.TEMPERATURE
    clock.step()
    clock.report(device, load=[0.1])
    judge_all()
    assert not Condition.objects.exists()


def test_a_device_out_of_service_is_not_judged(device: Device, clock: Clock) -> None:
    clock.report(device, load=[3])
    Device.objects.update(is_deactivated=True)
    judge_all()
    assert not Condition.objects.exists()


def test_devices_are_judged_in_a_fixed_number_of_queries(
    organization: Organization, clock: Clock, django_assert_max_num_queries: Any
) -> None:
    some = [factories.device(organization) for _ in range(30)]
    for one in some:
        clock.report(one, load=[3])
    with django_assert_max_num_queries(16):
        judge_all()
