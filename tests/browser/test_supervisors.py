"""The Supervisor tab of a device, against a stand-in of a current supervisor."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from supervisor_proxy.models import Supervisor, SupervisorBatch
from supervisor_proxy.rules import call_queue
from tests import factories
from tests.browser.test_commands import in_background
from tests.fleet.balena import BalenaSupervisor
from tests.fleet.http import Supervisors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture
def balena(settings: Any) -> Iterator[BalenaSupervisor]:
    settings.MUSTER_SUPERVISOR_NETWORKS = ["127.0.0.0/8"]
    device = BalenaSupervisor()
    with Supervisors(device):
        yield device


@pytest.fixture
def row(balena: BalenaSupervisor, organization: Organization) -> Supervisor:
    return factories.supervisor(
        balena, organization, device=factories.device(organization, name="kiosk")
    )


def test_its_state_and_a_call_that_is_confirmed_by_name(
    browse: Browse, admin: User, balena: BalenaSupervisor, row: Supervisor
) -> None:
    page = browse(admin).open(f"/admin/devices/device/{row.device_id}/change/#supervisor")
    expect(page.locator("[data-status]")).to_have_text("Idle")
    expect(page.locator("[data-services]")).to_contain_text("Running")
    page.get_by_role("button", name="Load its end").click()
    expect(page.locator("[data-journal]")).to_contain_text("Started unit")
    balena.locked = True
    page.get_by_role("button", name="Purge data").click()
    page.locator("[data-confirm-call] [name=confirm]").fill("another")
    page.locator("[data-confirm-yes]").click()
    expect(page.locator("[data-call-error]")).to_contain_text("type the name of the device")
    assert ("POST", "/v1/purge") not in balena.paths
    page.locator("[data-confirm-call] [name=confirm]").fill("kiosk")
    page.locator("[data-confirm-yes]").click()
    expect(page.locator("[data-call-error]")).to_contain_text("holds its lock")
    page.get_by_role("button", name="Purge data").click()
    page.locator("[data-confirm-call] [name=confirm]").fill("kiosk")
    page.locator("[data-confirm-call] [name=force]").check()
    page.locator("[data-confirm-yes]").click()
    expect(page.locator("[data-call-said]")).to_have_text("Purge data: OK")
    expect(page.locator("[data-calls] tr").first).to_contain_text("POST /v1/purge (forced)")


def test_many_are_called_from_the_list_and_their_page_follows_them(
    browse: Browse, admin: User, balena: BalenaSupervisor, row: Supervisor
) -> None:
    page = browse(admin).open("/admin/supervisor_proxy/supervisor/")
    page.locator("[name=_selected_action]").check()
    page.locator("[name=action]").select_option("call_many")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("[name=name]").select_option("reboot")
    page.get_by_role("button", name="Call 1 device").click()
    expect(page.get_by_role("alert")).to_contain_text("type the number of devices: 1")
    page.locator("[name=name]").select_option("reboot")
    page.locator("[name=count]").fill("1")
    page.get_by_role("button", name="Call 1 device").click()
    expect(page.get_by_text("1 of 1 devices still to answer")).to_be_visible()
    in_background(call_queue.run_due).join()
    expect(page.locator("td .badge")).to_have_text("Succeeded")
    assert SupervisorBatch.objects.count() == 1
    assert balena.paths == [("POST", "/v1/reboot")]
