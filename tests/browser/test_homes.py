"""Home Assistant pages: a device's tab, the fleet, its add-ons, and a campaign."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules import call_queue, campaigns, home_assistant_polling
from tests import factories
from tests.browser.test_commands import in_background
from tests.fleet.hassio import HassioSupervisor
from tests.fleet.http import Supervisors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture
def fleet(settings: Any, organization: Organization) -> Iterator[dict[str, Any]]:
    """Return three devices by name; the second one fails its update."""
    settings.MUSTER_SUPERVISOR_NETWORKS = ["127.0.0.0/8"]
    names = ("cabin", "house", "loft")
    devices = {
        name: HassioSupervisor("195" if name == "loft" else "2026.08.0") for name in names
    }
    devices["house"].breaks_on_update = True
    devices["cabin"].issues = [{"type": "free_space", "context": "system", "reference": None}]
    devices["cabin"].backups["ab12cd34"] = {
        "slug": "ab12cd34", "name": "nightly", "date": "2026-11-25T03:00:00+00:00",
        "type": "full", "size": 120.5,
    }  # fmt: skip
    with Supervisors(*devices.values()):
        for name, device in devices.items():
            factories.supervisor(
                device, organization, flavor="hassio", app_id=None,
                device=factories.device(organization, name=name),
            )  # fmt: skip
        yield devices


def test_the_tab_of_a_device_shows_what_it_runs_and_confirms_what_is_dangerous(
    browse: Browse, admin: User, fleet: dict[str, Any]
) -> None:
    row = Supervisor.objects.get(device__name="cabin")
    page = browse(admin).open(f"/admin/devices/device/{row.device_id}/change/#home")
    expect(page.locator("[data-home-facts]")).to_contain_text("2026.8.0 → 2026.8.1")
    expect(page.locator("[data-alerts]")).to_contain_text("free space system")
    expect(page.locator("[data-addons] tr")).to_have_count(2)
    expect(page.locator("[data-backups]")).to_contain_text("nightly")
    expect(page.locator("img.addon-icon")).to_have_count(2)
    page.get_by_role("button", name="Stop core_ssh").click()
    expect(page.locator("[data-call-said]")).to_contain_text("Stop: done")
    expect(page.locator("[data-addons] tr").first).to_contain_text("stopped")
    page.locator("[data-logs-of]").fill("core_ssh")
    page.get_by_role("button", name="Load its end").click()
    expect(page.locator("[data-logs-shown]")).to_have_text("09:00:00 INFO started")
    page.get_by_role("button", name="Restore ab12cd34").click()
    page.locator("[data-confirm-call] [name=confirm]").fill("another")
    page.locator("[data-confirm-yes]").click()
    expect(page.locator("[data-call-error]")).to_contain_text("type the name of the device")
    page.locator("[data-confirm-call] [name=confirm]").fill("cabin")
    page.locator("[data-confirm-yes]").click()
    expect(page.locator("[data-calls] tr").first).to_contain_text("restore/full")
    in_background(call_queue.run_due).join()
    expect(page.locator("[data-calls] tr").first).to_contain_text("Succeeded")
    assert ("POST", "/backups/ab12cd34/restore/full") in fleet["cabin"].paths


def test_a_campaign_is_begun_from_the_fleet_and_its_page_tells_of_each_device(
    browse: Browse, admin: User, fleet: dict[str, Any]
) -> None:
    in_background(home_assistant_polling.look_at_all).join()
    page = browse(admin).open("/admin/supervisor_proxy/home/")
    expect(page.locator("#result_list")).to_contain_text("0.104.0 → 0.105.0")
    page.get_by_role("link", name="Add-on matrix").first.click()
    expect(page.locator(".matrix tbody tr")).to_have_count(3)
    page.go_back()
    page.locator("#action-toggle").check()
    page.locator("[name=action]").select_option("update_in_waves")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("[name=name]").fill("August")
    page.locator("[name=count]").fill("3")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("August").first).to_be_visible()
    in_background(campaigns.run_due).join()
    page.reload()
    expect(page.get_by_text("Halted").first).to_be_visible()
    expect(page.get_by_text("Core does not run").first).to_be_visible()
    assert fleet["house"].core == "2026.8.0"
