"""The worst devices on the dashboard, by numbers computed by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.devices.models import Device, Presence, StatusChange
from controller.monitoring.rules import organization_totals
from controller.monitoring.rules.worst_devices import Ranking, share_online, worst_devices
from tests import factories
from tests.monitoring.test_api import BASE, ping, post
from tests.monitoring.test_ingest import NOON, body, clients

pytestmark = pytest.mark.django_db
NOW = datetime.fromtimestamp(NOON, UTC)


@pytest.fixture(autouse=True)
def _now(time_machine: Any) -> None:
    time_machine.move_to(NOON + 10, tick=False)
    cache.clear()


@pytest.fixture
def manager(organization: Organization) -> User:
    return factories.user(organization, "org_admin")


def named(user: User, ranking: Ranking) -> dict[str, float]:
    return {device.name: round(value, 2) for device, value in worst_devices(user, ranking)}


def changes(device: Device, **hours: str) -> None:
    """Let the presence of a device change so many hours ago, the oldest first."""
    for name, state in hours.items():
        at = NOW + timedelta(seconds=10) - timedelta(hours=int(name[1:]))
        StatusChange.objects.create(device=device, state=state, at=at)
        Presence.objects.filter(device=device).update(state=state, since=at)


def test_availability_is_the_share_of_a_day_online(
    organization: Organization, manager: User
) -> None:
    names = ("always", "away", "flapping", "gone", "new", "unknown")
    device = {name: factories.device(organization, name=name) for name in names}
    Device.objects.exclude(name="new").update(created=NOW - timedelta(days=9))
    changes(device["always"], h48="online")
    changes(device["away"], h30="offline")
    changes(device["flapping"], h40="online", h12="offline", h9="online")
    changes(device["gone"], h30="online", h6="offline")
    changes(device["new"], h4="online", h1="offline")
    stranger = factories.device(factories.organization(), name="stranger")
    changes(stranger, h30="offline")
    assert named(manager, Ranking.AVAILABILITY) == {
        "away": 0, "gone": 75, "new": 75, "flapping": 87.5,
    }  # fmt: skip
    assert list(named(manager, Ranking.AVAILABILITY)) == [
        "away", *sorted(("gone", "new"), key=lambda name: str(device[name].pk), reverse=True), "flapping",
    ]  # fmt: skip


def test_time_before_the_first_change_was_spent_in_the_other_state() -> None:
    hour = timedelta(hours=1)
    assert share_online([(NOW - 6 * hour, "offline")], NOW - 24 * hour, NOW) == 75
    assert share_online([(NOW - 6 * hour, "online")], NOW - 24 * hour, NOW) == 25


def test_newest_values_are_ranked_and_outdated_ones_left_out(
    organization: Organization, manager: User
) -> None:
    for at, (total, sent) in enumerate(((30, 0), (60, 15), (0, 0))):
        device = factories.device(organization, name=f"edge-{at}")
        for number, moment in enumerate((NOON - 300, NOON)):
            wan = {"rx_bytes": total * 10**6 * number, "tx_bytes": sent * 10**6 * number}
            post(device, body(
                uptime=5000 + 300 * number, load=0.5 + at,
                interfaces=[{"name": "wan", "statistics": wan}],
            ), moment)  # fmt: skip
        ping(device, NOON, reachable=1, loss=20 * at)
    stale = factories.device(organization, name="stale")
    ping(stale, NOON - 7200, reachable=0, loss=100)
    assert named(manager, Ranking.LOSS) == {"edge-2": 40, "edge-1": 20}
    # 75 and 30 MB in 300 s.
    assert named(manager, Ranking.TRAFFIC) == {"edge-1": 2e6, "edge-0": 8e5}


def test_the_dashboard_shows_the_ranking_that_was_chosen(
    organization: Organization, manager: User
) -> None:
    device = factories.device(organization, name="lossy-1")
    ping(device, NOON, reachable=1, loss=40)
    manager.is_staff = True
    manager.save()
    browser = Client()
    browser.force_login(manager)
    page = browser.get("/admin/?worst=loss")
    assert page.status_code == 200
    assert page.context["worst"]["rows"][0]["value"] == "40 %"
    assert [one["value"] for one in page.context["worst"]["choices"] if one["chosen"]] == [
        "loss"
    ]
    # An unknown ranking is the first one.
    odd = browser.get("/admin/?worst=%00<b>").context["worst"]["choices"][0]
    assert odd["chosen"]


def test_clients_are_compared_with_the_same_day_last_week(
    organization: Organization, api: Callable[[User | None], APIClient], time_machine: Any
) -> None:
    device = factories.device(organization)
    reader = api(factories.user(organization, "org_admin"))
    week = 7 * 86_400
    for moment, macs in ((NOON - week, 3), (NOON, 1)):
        time_machine.move_to(moment + 10, tick=False)
        there = clients(*(f"3c:22:fb:10:00:0{at}" for at in range(macs)))
        post(device, body(uptime=5000 + moment - NOON + week, **there), moment - 300)
        post(device, body(uptime=5300 + moment - NOON + week, **there), moment)
        organization_totals.record_totals()
    found = reader.get(f"{BASE}/fleet/?range=24h&timezone=Europe/Berlin").json()
    (chart,) = [one for one in found["charts"] if one["id"] == "clients"]
    at = found["x"].index(NOON)
    assert (chart["traces"][0]["mean"][at], chart["past"][at]) == (1, 3)
    assert {one for place, one in enumerate(chart["past"]) if place != at} == {None}
    longer = reader.get(f"{BASE}/fleet/?range=7d").json()
    assert [one for one in longer["charts"] if "past" in one] == []
