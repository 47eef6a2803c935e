"""Gateways in Chromium: stage a change by form, review, apply, and see the result."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from controller.accounts.rules import sites
from networks import tasks
from networks.gateways.engine.features import FEATURES
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import changes
from tests import factories
from tests.fleet.opnsense import OPNsense, opnsense
from tests.networks.applying import work_off

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture
def device(settings: Any) -> Iterator[OPNsense]:
    settings.ADAPTER_READ_ONLY, settings.MUSTER_LOCAL_GATEWAYS = False, True
    with opnsense() as server:
        yield server


@pytest.fixture
def gateway(organization: Organization, device: OPNsense) -> Gateway:
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    row = factories.gateway(organization, device.url, name="Oslo firewall", site=site)
    tasks.poll_gateways()
    return row


def seen(page: Any, name: str) -> None:
    """Save a screenshot for manual review."""
    if folder := os.environ.get("MUSTER_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def look_ahead(page: Any, target: str) -> None:
    """Open a dry run and return to the form."""
    page.get_by_role("link", name="Dry run").click()
    expect(page.get_by_text(f"/api/routes/routes/setroute/{target}")).to_be_visible()
    seen(page, "change-dry-run")
    page.get_by_role("link", name="Back", exact=True).click()
    page.get_by_role("link", name="Amend").click()
    expect(page.locator("[name='payload.gateway']")).to_have_value("LTE_GW")
    seen(page, "change-amend")
    page.get_by_role("link", name="Back", exact=True).click()


def test_a_change_is_staged_by_a_form_reviewed_and_applied(
    browse: Browse, gateway: Gateway, admin: User, device: OPNsense
) -> None:
    target = device.put(
        "routes/routes", network="10.9.0.0/16", gateway="WAN_GW", descr="", disabled="0"
    )
    page = browse(admin).open(f"/admin/networks/gateway/{gateway.pk}/change/")
    expect(page.get_by_text("No pending changes.")).to_be_visible()
    page.get_by_label("Search features").fill("static route")
    page.get_by_role("button", name="Change static route").click()
    page.locator("[name='payload.network']").fill("not a network")
    page.get_by_role("button", name="Stage change").click()
    expect(page.get_by_text("does not match")).to_be_visible()
    seen(page, "gateway-stage")
    page.locator("[name='payload.network']").fill("")
    page.locator("[name='payload.gateway']").fill("LTE_GW")
    page.locator("[name='notes']").fill("The fixed line is away until Monday")
    page.get_by_role("button", name="Stage change").click()
    expect(page.get_by_role("button", name="Apply to the live gateway")).to_be_visible()
    look_ahead(page, target)
    device.rows["routes/routes"][target]["descr"] = "changed by hand"
    page.get_by_role("link", name="Read the gateway again").click()
    expect(page.get_by_text("The gateway has changed since")).to_be_visible()
    seen(page, "change-review")
    page.get_by_label("Overwrite changes on the gateway").check()
    page.get_by_role("button", name="Apply to the live gateway").click()
    # The page follows the worker without a reload.
    expect(page.locator(".strip .badge", has_text="Scheduled")).to_be_visible()
    work_off()
    expect(page.locator(".strip .badge", has_text="Applied")).to_be_visible()
    assert device.rows["routes/routes"][target]["gateway"] == "LTE_GW"
    seen(page, "change-applied")
    expect(page.get_by_role("button", name="Stage a rollback")).to_be_visible()


def test_changes_of_the_drawer_become_a_set_that_somebody_else_approves(
    browse: Browse, gateway: Gateway, admin: User, device: OPNsense
) -> None:
    Gateway.objects.update(approval=Gateway.Approval.EVERY)
    gateway.refresh_from_db()
    other = factories.user(gateway.organization, is_staff=True)
    for number in (1, 2):
        changes.stage(
            gateway, feature=FEATURES["opnsense.routing.static_route"], operation="create",
            payload={"network": f"10.{number}.0.0/16", "gateway": "WAN_GW"}, by=other,
            notes=f"Branch {number}",
        )  # fmt: skip
    page = browse(admin).open(f"/admin/networks/gateway/{gateway.pk}/change/")
    for box in page.get_by_label("Select Add static route").all():
        box.check()
    page.get_by_label("Name of the set").fill("Two branches")
    page.get_by_label("If one fails, roll back the others").check()
    seen(page, "gateway-drawer")
    page.get_by_role("button", name="Create change set").click()
    expect(page.get_by_text("Needs approval").first).to_be_visible()
    page.get_by_role("button", name="Approve all").click()
    expect(page.get_by_text("Needs approval")).to_have_count(0)
    seen(page, "change-set")
    page.get_by_role("button", name="Apply in this order").click()
    expect(page.locator(".strip .badge", has_text="Under way")).to_be_visible()
    for _ in range(4):
        tasks.apply_due()
        work_off()
    expect(page.locator(".strip .badge", has_text="Applied")).to_be_visible()
    assert len(device.rows["routes/routes"]) == 2
    assert set(Change.objects.values_list("state", flat=True)) == {"applied"}
    seen(page, "change-set-applied")
