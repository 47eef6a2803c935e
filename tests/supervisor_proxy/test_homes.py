"""State and alerts of Home Assistant devices, and their pages."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.measurements import register_taker
from controller.monitoring.engine.vectors import known
from controller.monitoring.models import LatestSample
from controller.monitoring.rules import app_reports
from supervisor_proxy.models import Home, HomeAlert, SupervisorCall, UpdateCampaign
from supervisor_proxy.rules import home_assistant_polling
from tests import factories
from tests.fleet.hassio import HassioSupervisor

pytestmark = pytest.mark.django_db
FLEET = "/admin/supervisor_proxy/home/"


@pytest.fixture
def home(run: Any, organization: Organization) -> Any:
    def home(version: str = "2026.08.0", name: str = "cabin") -> tuple[HassioSupervisor, Any]:
        stand_in = run(HassioSupervisor(version))
        device = factories.device(organization, name=name)
        row = factories.supervisor(
            stand_in, organization, flavor="hassio", app_id=None, device=device
        )
        return stand_in, row

    return home


def test_devices_of_both_ages_tell_the_same_of_themselves(home: Any) -> None:
    for version, name in (("2026.08.0", "new"), ("195", "old")):
        device, row = home(version, name)
        home_assistant_polling.look_at([row])
        found = Home.objects.get(supervisor=row)
        assert (found.core, found.core_latest) == (device.core, device.core_latest)
        assert (found.system, found.supervisor_version) == ("12.0", version)
        assert [(one["slug"], one["version"], one["latest"], one["state"]) for one in found.addons] == [
            ("core_ssh", "1.0", "1.1", "started"), ("core_mosquitto", "1.0", "1.1", "stopped"),
        ]  # fmt: skip
        # Those of Core and of two add-ons.
        assert (found.updates, found.health) == (3, "well")
    assert not SupervisorCall.objects.exists(), "looking is recorded"


def test_all_whose_turn_it_is_are_looked_at_and_one_that_is_away_says_why(home: Any) -> None:
    device, row = home()
    away, other = home(name="away")
    away.key = "another"
    assert home_assistant_polling.look_at_all() == 2
    assert home_assistant_polling.look_at_all() == 0
    assert Home.objects.get(supervisor=row).seen
    lost = Home.objects.get(supervisor=other)
    assert (lost.seen, "key" in lost.reason) == (None, True)
    Home.objects.update(asked=timezone.now() - timedelta(hours=1))
    assert home_assistant_polling.look_at_all() == 2
    # The last known state is kept if the device does not answer.
    device.state = "shutdown"
    home_assistant_polling.look_at([row])
    kept = Home.objects.get(supervisor=row)
    assert (kept.core, "starts or stops" in kept.reason) == (device.core, True)


def test_a_trouble_is_told_once_when_it_comes_and_once_when_it_goes(
    home: Any, api: Any, admin: User
) -> None:
    device, row = home()
    device.issues = [
        {"type": "free_space", "context": "system", "reference": None, "uuid": "a"}
    ]
    device.unhealthy = ["docker"]
    device.addons["core_ssh"] = "error"
    for _ in range(2):
        home_assistant_polling.look_at([row])
    open_ones = HomeAlert.objects.filter(ended=None)
    assert {(one.kind, one.about) for one in open_ones} == {
        ("issue", "free_space system"), ("unhealthy", "docker"), ("addon", "core_ssh"),
    }  # fmt: skip
    assert Home.objects.get().health == "unhealthy"
    shown = api(admin).get("/api/v1/controller/home-alert/?is_open=true").json()
    assert shown["count"] == 3
    device.issues, device.unhealthy, device.addons["core_ssh"] = [], [], "started"
    home_assistant_polling.look_at([row])
    assert not HomeAlert.objects.filter(ended=None).exists()
    assert HomeAlert.objects.count() == 3


def test_the_list_is_scoped_and_asks_the_database_as_often_for_many(
    home: Any, api: Any, admin: User, organization: Organization,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    for name in ("one", "two", "three"):
        _, row = home(name=name)
        Home.objects.create(supervisor=row, core="1", core_latest="2", updates=1)
    stranger = factories.user(factories.organization())
    assert api(stranger).get("/api/v1/controller/home/").json()["count"] == 0
    with django_assert_max_num_queries(8):
        app_reports = api(admin).get("/api/v1/controller/home/?has_updates=true").json()
    assert [one["name"] for one in app_reports["results"]] == ["one", "three", "two"]


def test_the_fleets_page_shows_versions_and_begins_a_campaign(
    home: Any, client: Any, admin: User
) -> None:
    _, row = home()
    home_assistant_polling.look_at([row])
    client.force_login(admin)
    page = client.get(FLEET).content.decode()
    assert "2026.8.0 → 2026.8.1" in page
    matrix = client.get(f"{FLEET}matrix/").content.decode()
    assert "cabin" in matrix
    assert "→ 1.1" in matrix
    body = {"action": "update_in_waves", "_selected_action": [Home.objects.get().pk],
            "confirmed": "1", "name": "August", "count": "7"}  # fmt: skip
    assert "type the number of devices: 1" in client.post(FLEET, body).content.decode()
    assert client.post(FLEET, body | {"count": "1"}).status_code == 302
    assert UpdateCampaign.objects.get().devices.count() == 1


def test_the_tab_of_a_device_is_for_those_who_may_see_it(
    home: Any, client: Any, organization: Organization
) -> None:
    device, row = home()
    base = f"{FLEET}on/{row.pk}"
    client.force_login(factories.user(factories.organization(), is_staff=True))
    assert client.get(f"{base}/look/").status_code == 404
    client.force_login(factories.user(organization, "viewer", is_staff=True))
    app_reports = client.get(f"{base}/look/").json()
    assert [one["slug"] for one in app_reports["addons"]] == ["core_ssh", "core_mosquitto"]
    assert client.get(f"{base}/icon/core_ssh/")["Content-Type"] == "image/png"
    assert client.get(f"{base}/icon/nope/").status_code == 404
    assert client.get(f"{base}/logs/?of=core").status_code == 403
    assert client.get(f"{base}/backup/ab/").status_code == 403

    def call(**sent: Any) -> Any:
        return client.post(f"{base}/call/", json.dumps(sent), content_type="application/json")

    assert "permission" in call(name="restart-core").json()["error"]
    client.force_login(factories.user(organization, "org_admin", is_staff=True))
    assert "INFO started" in client.get(f"{base}/logs/?of=core_ssh").json()["value"]
    assert call(name="stop", place="core_ssh").json()["value"]
    assert device.addons["core_ssh"] == "stopped"
    assert call(name="shutdown").status_code == 400
    assert call(name="shutdown", confirm="cabin").json().get("error") is None
    assert ("POST", "/host/shutdown") in device.paths
    assert call(name="start", place="../auth").json()["error"]
    device.backups["ab"] = {"slug": "ab"}
    device.download_size = 100_000
    fetched = client.get(f"{base}/backup/ab/")
    assert len(b"".join(fetched.streaming_content)) == 100_000


def test_what_a_home_tells_of_its_containers_and_its_disk_is_measured(home: Any) -> None:
    register_taker(app_reports.take)
    _, row = home()
    home_assistant_polling.look_at([row])
    latest = LatestSample.objects.get(monitored__device=row.device)
    found = dict(zip(latest.layout, known(latest.values, wide=True).values(), strict=True))
    assert (found["cpu core"], found["memory core"]) == (1.5, 10)
    assert (found["cpu supervisor"], found["memory supervisor"]) == (1.5, 10)
    home_state = Home.objects.get(supervisor=row)
    assert home_state.disk_total
    assert home_state.disk_free is not None
    full = 100 * (1 - home_state.disk_free / home_state.disk_total)
    assert found["disk"] == pytest.approx(full, abs=1)
