"""Totals of organizations, and the charts of the whole network, by numbers computed by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.accounts.rules.sites import create_site
from controller.monitoring.models import Sample
from controller.monitoring.rules import organization_totals, sample_history
from geo.rules.device_locations import place_device
from tests import factories
from tests.monitoring.test_api import BASE, ping, post
from tests.monitoring.test_ingest import NOON, body, clients

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _measured(organization: Organization, time_machine: Any) -> None:
    """Two devices that receive 300 and 600 MB in five minutes, and one that is away."""
    time_machine.move_to(NOON + 10)
    for at, megabytes in enumerate((300, 600)):
        device = factories.device(organization, name=f"edge-{at}")
        place_device(device, location=factories.location(organization, name=f"place {at}"))
        post(device, body(uptime=5000, rx=0), NOON - 300)
        more = clients(f"3c:22:fb:10:00:0{at}")["interfaces"]
        wan = {"name": "wan", "statistics": {"rx_bytes": megabytes * 10**6, "tx_bytes": 0}}
        post(device, body(uptime=5300, interfaces=[wan, *more]), NOON)
    away = factories.device(organization, name="away-1")
    ping(away, NOON, reachable=0, loss=100)
    organization_totals.record_totals()


@pytest.fixture
def manager(organization: Organization, api: Callable[[User | None], APIClient]) -> APIClient:
    return api(factories.user(organization, "org_admin"))


def chart(found: Any, title: str) -> Any:
    return next(one for one in found["charts"] if one["title"] == title)


def test_the_fleet_is_added_up(manager: APIClient) -> None:
    found = manager.get(f"{BASE}/fleet/?range=1h").json()
    at = found["x"].index(NOON)
    assert chart(found, "Availability")["traces"][0]["mean"][at] == pytest.approx(66.67)
    received = chart(found, "Traffic of uplinks")["traces"][0]["mean"][at]
    assert received == pytest.approx(900e6 * 8 / 300, rel=1e-3)
    assert chart(found, "Wi-Fi clients")["traces"][0]["mean"][at] == 2


def test_to_add_up_twice_counts_once(manager: APIClient) -> None:
    organization_totals.record_totals()
    # The organization and the two locations, each once.
    assert Sample.objects.filter(number__lt=0).count() == 3
    sample_history.forget()
    # The organization and the two locations, each once.
    assert Sample.objects.filter(number__lt=0).count() == 3


def test_the_dashboard_shows_clients_and_traffic(manager: APIClient) -> None:
    found = manager.get(f"{BASE}/dashboard/?time=1d").json()
    assert [one["title"] for one in found["charts"]] == [
        "General WiFi Clients", "General Traffic",
    ]  # fmt: skip
    assert chart(found, "General Traffic")["summary"] == {"download": 0.9, "upload": 0}
    assert chart(found, "General WiFi Clients")["summary"] == {"wifi_clients": 2}
    assert "organizations" not in found
    assert manager.get(f"{BASE}/dashboard/?csv=1")["Content-Type"] == "text/csv"


def test_the_dashboard_is_narrowed_to_a_place(
    organization: Organization, manager: APIClient
) -> None:
    place = organization_places(organization)["place 0"]
    found = manager.get(f"{BASE}/dashboard/?time=1d&location_id={place}").json()
    assert chart(found, "General Traffic")["summary"]["download"] == 0.3
    for odd in ("nonsense", "00000000-0000-0000-0000-000000000001"):
        assert manager.get(f"{BASE}/dashboard/?location_id={odd}").status_code == 404


def organization_places(organization: Organization) -> dict[str, Any]:
    from geo.models import Location

    rows = Location.objects.filter(organization=organization)
    return dict(rows.values_list("name", "pk"))


def test_nobody_sees_the_totals_of_others(
    organization: Organization, api: Callable[[User | None], APIClient]
) -> None:
    stranger = api(factories.user(factories.organization(), "org_admin"))
    assert stranger.get(f"{BASE}/fleet/").json()["charts"] == []
    assert stranger.get(f"{BASE}/dashboard/").json()["charts"] == []
    asked = f"{BASE}/dashboard/?organization_slug={organization.slug}"
    assert stranger.get(asked).status_code == 403
    assert stranger.get(f"{BASE}/dashboard/?organization_slug=none").status_code == 404


def test_who_sees_some_sites_alone_sees_no_total(
    organization: Organization, api: Callable[[User | None], APIClient]
) -> None:
    create_site(organization=organization, name="X", slug="x")
    bound = api(factories.user(organization, "site_admin"))
    assert bound.get(f"{BASE}/fleet/").json()["charts"] == []
    assert bound.get(f"{BASE}/dashboard/").status_code == 403
