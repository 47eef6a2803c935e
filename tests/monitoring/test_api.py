"""The operations of OpenWISP Monitoring's API, against its contract and values computed by hand."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.devices.models import Device
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import LatestSample, MonitoredDevice, Sample, WifiSession
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.health import judge_all
from controller.monitoring.rules.ingest import ingest
from geo.rules.device_locations import place_device
from tests import factories
from tests.monitoring.test_engine_reports import payload
from tests.monitoring.test_ingest import body, clients, time_of

pytestmark = pytest.mark.django_db
CONTRACT = json.loads((Path(__file__).parents[1] / "contract" / "monitoring.json").read_text())
NOON = int(datetime(2025, 11, 30, 12, tzinfo=UTC).timestamp())
BASE = "/api/v1/monitoring"


@pytest.fixture(autouse=True)
def _now(time_machine: Any) -> None:
    time_machine.move_to(NOON + 60)


@pytest.fixture
def device(organization: Organization) -> Device:
    return factories.device(organization, name="edge-1")


@pytest.fixture
def manager(organization: Organization, api: Callable[[User | None], APIClient]) -> APIClient:
    return api(factories.user(organization, "org_admin"))


def fields_of(path: str, method: str = "GET") -> dict[str, Any]:
    found: dict[str, Any] = next(
        one["response_fields"] for one in CONTRACT
        if (one["method"], one["path"]) == (method, path)
    )  # fmt: skip
    return found


def post(device: Device, content: bytes, at: int = NOON, **query: str) -> Any:
    asked = {"key": device.key, "time": time_of(at)} | query
    return Client().post(
        f"{BASE}/device/{device.pk.hex}/?" + "&".join(f"{k}={v}" for k, v in asked.items()),
        content, content_type="application/json",
    )  # fmt: skip


def ping(device: Device, at: int, **values: float) -> None:
    report = Report(values={Metric(name): value for name, value in values.items()})
    ingest([Arrival(device.pk, at, at, report, kind=Sample.Kind.CHECK)])


# --- what agents post
def test_a_report_is_answered_with_nothing(device: Device) -> None:
    answer = post(device, json.dumps(payload("1_small_ap")).encode(), current="true")
    assert (answer.status_code, answer.content) == (200, b"")
    assert LatestSample.objects.get().at == NOON


def test_an_agent_is_refused_in_the_words_it_knows(device: Device) -> None:
    assert post(device, b"{").json()["detail"].startswith("JSON parse error - ")
    schema = post(device, b'{"type": "other"}')
    assert (schema.status_code, schema.json()[:22]) == (400, 'Invalid data in "#/typ')
    time = post(device, body(), time="now")
    assert (time.status_code, time.json()) == (400, {"detail": "Incorrect time format"})
    assert post(device, body(), key="").status_code == 403
    assert post(device, body(), key="wrong").status_code == 403
    device.pk = type(device.pk)(int=5)
    assert post(device, body()).status_code == 404


def test_an_agent_is_not_led_to_https(device: Device, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert post(device, body()).status_code == 200


# --- one device
def test_a_device_has_the_keys_of_the_contract(device: Device, manager: APIClient) -> None:
    post(device, body(uptime=5000, rx=1000), NOON - 300)
    post(device, body(uptime=5300, rx=3_000_001_000), NOON)
    found = manager.get(f"{BASE}/device/{device.pk}/?status=1").json()
    wanted = {key for key in fields_of(f"{BASE}/device/{{pk}}/") if "[" not in key}
    assert wanted - found.keys() <= {"config"}
    assert found["monitoring"]["status"] == "unknown"
    assert found["data"]["type"] == "DeviceMonitoring"
    chart_keys = {
        key.split("].")[1] for key in fields_of(f"{BASE}/device/{{pk}}/") if "]." in key
    }
    for chart in found["charts"]:
        assert chart.keys() <= chart_keys
        assert chart.keys() >= {"traces", "summary", "title", "type", "unit", "colors"}
        for _, values in chart["traces"]:
            assert len(values) == len(found["x"])


def test_charts_say_what_was_measured(device: Device, manager: APIClient) -> None:
    post(device, body(uptime=5000, rx=0, load=0.2), NOON - 7200)
    post(device, body(uptime=5300, rx=2_500_000_000, load=0.4), NOON - 6900)
    post(device, body(uptime=8600, rx=3_500_000_000, load=0.9), NOON - 3600)
    ping(device, NOON - 7200, reachable=1, loss=0, rtt=20, rtt_min=10, rtt_max=40)
    ping(device, NOON - 6900, reachable=0, loss=100)
    found = manager.get(f"{BASE}/device/{device.pk}/?time=1d&timezone=Europe/Lisbon").json()
    charts = {chart["title"]: chart for chart in found["charts"]}
    at = found["x"].index("2025-11-30 10:00")

    def trace(title: str, name: str) -> Any:
        return dict(charts[title]["traces"])[name][at]

    assert trace("CPU Load", "CPU_load") == 30
    assert charts["CPU Load"]["summary"] == {"CPU_load": 50}
    assert trace("Traffic: wan", "download") == 2.5
    assert charts["Traffic: wan"]["summary"] == {"download": 3.5, "upload": 1.75}
    assert trace("Ping Success Rate", "uptime") == 50
    assert trace("Packet loss", "packet_loss") == 50
    assert trace("Round Trip Time", "RTT_average") == 20
    assert charts["Round Trip Time"]["summary"]["RTT_max"] == 40
    assert [chart["title"] for chart in found["charts"]] == [
        "Ping Success Rate", "Packet loss", "Round Trip Time", "Traffic: wan", "CPU Load",
    ]  # fmt: skip


def test_different_clients_are_counted_once(device: Device, manager: APIClient) -> None:
    ana, ben = "3c:22:fb:10:00:01", "3c:22:fb:10:00:02"
    for at, there in enumerate([(ana,), (ana, ben), (ben,), (ben,), (ben,)]):
        post(device, body(5000 + at * 300, **clients(*there)), NOON - 3600 + at * 300)
    found = manager.get(f"{BASE}/device/{device.pk}/?time=1d").json()
    chart = next(one for one in found["charts"] if one["title"] == "WiFi clients: wlan0")
    ((_, values),) = chart["traces"]
    at = found["x"].index("2025-11-30 11:00")
    assert values[at - 1 : at + 3] == [None, 2, 1, 1]
    assert chart["summary"] == {"wifi_clients": 2}


def test_charts_are_told_as_csv(device: Device, manager: APIClient) -> None:
    post(device, body(load=0.4))
    answer = manager.get(f"{BASE}/device/{device.pk}/?csv=1&time=1d")
    assert answer["Content-Type"] == "text/csv"
    assert answer["Content-Disposition"] == "attachment; filename=data.csv"
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0] == ["time", "CPU_load - CPU Load"]
    assert ["2025-11-30 12:00", "40.0"] in rows


def test_the_devices_key_opens_its_own_charts_and_no_other(device: Device) -> None:
    post(device, body())
    path = f"{BASE}/device/{device.pk}/"
    found = Client().get(path, {"key": device.key}).json()
    assert found["key"] == device.key
    assert Client().get(path, {"key": "wrong", "status": "1"}).status_code == 403
    assert Client().get(path).status_code == 401
    other = factories.device(device.organization)
    assert Client().get(path, {"key": other.key}).status_code == 403


def test_a_key_is_shown_to_those_alone_who_may_read_secrets(
    device: Device, api: Callable[[User | None], APIClient]
) -> None:
    viewer = api(factories.user(device.organization, "viewer"))
    assert viewer.get(f"{BASE}/device/{device.pk}/").json()["key"] is None


def test_another_organizations_device_does_not_exist(
    device: Device, api: Callable[[User | None], APIClient]
) -> None:
    stranger = api(factories.user(factories.organization(), "org_admin"))
    for path in ("", "metric/", "nearby-devices/"):
        assert stranger.get(f"{BASE}/device/{device.pk}/{path}").status_code == 404
    assert stranger.get(f"{BASE}/device/").json()["count"] == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("time=7h", "Time range not supported"),
        ("time=400d", "Time range not supported"),
        ("timezone=Mars/Olympus", "Unkown Time Zone"),
        ("timezone=../../etc/passwd", "Unkown Time Zone"),
        ("start=x&end=y", "Incorrect custom date format, should be YYYY-MM-DD H:M:S"),
    ],
)
def test_an_odd_range_is_refused(
    device: Device, manager: APIClient, query: str, said: str
) -> None:
    answer = manager.get(f"{BASE}/device/{device.pk}/?{query}")
    assert (answer.status_code, answer.json()) == (400, [said])


# --- lists
def test_devices_are_listed_by_health(device: Device, manager: APIClient) -> None:
    factories.device(device.organization, name="aaa-new")
    post(device, body(load=0.1))
    judge_all()
    found = manager.get(f"{BASE}/device/").json()
    assert [one["name"] for one in found["results"]] == ["aaa-new", "edge-1"]
    assert [one["monitoring"] for one in found["results"]] == [
        {"status": "unknown"}, {"status": "ok"},
    ]  # fmt: skip
    ok = manager.get(f"{BASE}/device/?monitoring__status=ok").json()
    assert [one["name"] for one in ok["results"]] == ["edge-1"]
    assert manager.get(f"{BASE}/device/?monitoring__status=fine").status_code == 400


def test_a_list_costs_the_same_for_one_and_for_many(
    device: Device, manager: APIClient, django_assert_max_num_queries: Any
) -> None:
    for _ in range(9):
        factories.device(device.organization)
    with django_assert_max_num_queries(9):
        assert len(manager.get(f"{BASE}/device/").json()["results"]) == 10


def test_metrics_are_listed_with_their_health(device: Device, manager: APIClient) -> None:
    post(device, body(uptime=5000, rx=0, load=3))
    post(device, body(uptime=5060, rx=10, load=3), NOON + 60)
    found = manager.get(f"{BASE}/device/{device.pk}/metric/").json()
    assert {one["name"]: one["is_healthy"] for one in found["results"]} == {
        "CPU usage": False, "Monitoring Data Collected": True, "uptime": None,
        "wan traffic": None,
    }  # fmt: skip
    bad = manager.get(f"{BASE}/device/{device.pk}/metric/?is_healthy=false").json()
    assert [one["key"] for one in bad["results"]] == ["cpu"]


def test_nearby_devices_come_by_distance(device: Device, manager: APIClient) -> None:
    for name, east in (("far-1", 0.02), ("near-1", 0.001)):
        other = factories.device(device.organization, name=name)
        place_device(
            other, location=factories.location(device.organization, at=(9.0 + east, 40))
        )
    place_device(device, location=factories.location(device.organization, at=(9.0, 40)))
    found = manager.get(f"{BASE}/device/{device.pk}/nearby-devices/").json()
    assert [one["name"] for one in found["results"]] == ["near-1", "far-1"]
    assert found["results"][0].keys() == fields_of(
        f"{BASE}/device/{{pk}}/nearby-devices/"
    )["results[]"].keys()  # fmt: skip
    near = manager.get(f"{BASE}/device/{device.pk}/nearby-devices/?distance__lte=500").json()
    assert [one["name"] for one in near["results"]] == ["near-1"]
    lonely = factories.device(device.organization)
    assert manager.get(f"{BASE}/device/{lonely.pk}/nearby-devices/").status_code == 404


def test_a_devices_key_finds_only_its_organizations_neighbors(device: Device) -> None:
    other = factories.device(factories.organization())
    place_device(other, location=factories.location(other.organization))
    place_device(device, location=factories.location(device.organization))
    found = Client().get(f"{BASE}/device/{device.pk}/nearby-devices/", {"key": device.key})
    assert found.json()["count"] == 0


def test_a_map_counts_health_by_location(device: Device, manager: APIClient) -> None:
    location = factories.location(device.organization)
    place_device(device, location=location)
    place_device(factories.device(device.organization), location=location)
    MonitoredDevice.objects.create(device=device, health="problem")
    found = manager.get(f"{BASE}/geojson/").json()
    (feature,) = found["features"]
    wanted = fields_of(f"{BASE}/geojson/")["features[]"]["properties"].keys()
    assert wanted <= feature["properties"].keys()
    assert {k: v for k, v in feature["properties"].items() if k.endswith("_count")} == {
        "device_count": 2, "ok_count": 0, "problem_count": 1, "critical_count": 0,
        "unknown_count": 1,
    }  # fmt: skip
    devices = manager.get(f"{BASE}/location/{location.pk}/device/?status=problem").json()
    assert [one["name"] for one in devices["results"]] == ["edge-1"]
    assert devices["results"][0]["monitoring"] == {
        "status": "problem", "status_label": "problem",
    }  # fmt: skip
    assert manager.get(f"{BASE}/location/{location.pk}/device/?status=x").status_code == 400
    named = manager.get(f"{BASE}/location/{location.pk}/device/?search=EDGE").json()
    assert named["count"] == 1


def test_sessions_are_listed_and_filtered(device: Device, manager: APIClient) -> None:
    post(device, body(**clients("3c:22:fb:10:00:01")))
    found = manager.get(f"{BASE}/wifi-session/").json()
    (session,) = found["results"]
    wanted = fields_of(f"{BASE}/wifi-session/")["results[]"]
    assert session.keys() == wanted.keys()
    assert session["client"].keys() == wanted["client"].keys()
    assert (session["client"]["wifi4"], session["client"]["wifi6"]) == ("True", None)
    assert (session["device"], session["organization"]) == (
        "edge-1", device.organization.name,
    )  # fmt: skip
    assert manager.get(f"{BASE}/wifi-session/{session['id']}/").json() == session
    for query, count in (
        ("stop_time__isnull=true", 1),
        ("start_time__gt=2026-01-01T00:00Z", 0),
    ):
        assert manager.get(f"{BASE}/wifi-session/?{query}").json()["count"] == count


def test_sessions_of_others_are_seen_by_no_one_else(
    device: Device, api: Callable[[User | None], APIClient]
) -> None:
    post(device, body(**clients("3c:22:fb:10:00:01")))
    stranger = api(factories.user(factories.organization(), "org_admin"))
    assert stranger.get(f"{BASE}/wifi-session/").json()["count"] == 0
    pk = WifiSession.objects.get().pk
    assert stranger.get(f"{BASE}/wifi-session/{pk}/").status_code == 404


# --- limits and maintenance windows
def test_a_limit_is_set_and_refused_twice(device: Device, manager: APIClient) -> None:
    values = {"metric": "cpu", "value": 80, "device": str(device.pk),
              "organization": str(device.organization_id)}  # fmt: skip
    assert manager.post(f"{BASE}/threshold/", values).status_code == 201
    again = manager.post(f"{BASE}/threshold/", values)
    assert again.status_code == 400
    assert "There is a limit of this metric" in str(again.json())


def test_the_portals_limits_are_set_by_superusers_alone(
    manager: APIClient, admin: User, api: Callable[[User | None], APIClient]
) -> None:
    values = {"metric": "cpu", "value": 80}
    assert manager.post(f"{BASE}/threshold/", values).status_code == 403
    assert api(admin).post(f"{BASE}/threshold/", values).status_code == 201


def test_a_limit_of_anothers_device_is_refused(device: Device, manager: APIClient) -> None:
    other = factories.device(factories.organization())
    values = {"metric": "cpu", "value": 80, "device": str(other.pk),
              "organization": str(device.organization_id)}  # fmt: skip
    assert manager.post(f"{BASE}/threshold/", values).status_code == 400


def test_a_maintenance_window_ends_after_it_starts(device: Device, manager: APIClient) -> None:
    now = datetime.fromtimestamp(NOON, UTC)
    values = {"organization": str(device.organization_id), "reason": "New switch",
              "starts": now.isoformat(), "ends": (now + timedelta(hours=1)).isoformat()}  # fmt: skip
    assert manager.post(f"{BASE}/silence/", values).status_code == 201
    values["ends"] = values["starts"]
    refused = manager.post(f"{BASE}/silence/", values)
    assert refused.status_code == 400
    assert "ends after it starts" in str(refused.json())
