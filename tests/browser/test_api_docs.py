"""The documentation of the API: shown at once, whole, and calls can be tried on it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from controller.accounts.models import Organization, User
from controller.dialects.openapi.views import document
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def page(browse: Callable[..., Any], admin: User) -> Page:
    watched = browse(admin)
    page: Page = watched.page
    page.goto(f"{watched.home}/api/v1/docs/")
    return page


def opened(page: Page, tag: str, operation: str) -> Any:
    """Return an operation's part of the page, opened as a person does it."""
    page.locator(f".opblock-tag[data-tag='{tag}']").click()
    shown = page.locator(f"[id$='-{operation}']")
    shown.locator(".opblock-summary-control").click()
    return shown


def test_a_call_is_tried_on_its_page(page: Page, organization: Organization) -> None:
    device = factories.device(organization, name="tried-here")
    shown = opened(page, "Devices", "api_v1_controller_device_retrieve")
    shown.get_by_role("button", name="Try it out").click()
    shown.locator("tr[data-param-name=id] input").fill(str(device.pk))
    shown.get_by_role("button", name="Execute").click()
    answer = shown.locator(".live-responses-table tbody .response").first
    expect(answer).to_contain_text("200")
    expect(answer).to_contain_text("tried-here")


def test_parameters_errors_and_shapes_of_a_call_are_written_out(page: Page) -> None:
    listed = document()["paths"]["/api/v1/controller/device/"]["get"]
    assert {"$ref": "#/components/parameters/PageSize"} in listed["parameters"]
    assert "$ref" in listed["responses"]["4XX"]
    shown = opened(page, "Devices", listed["operationId"])
    for name in ("organization", "page_size", "config__status"):
        expect(shown.locator(f"tr[data-param-name={name}]")).to_be_visible()
    expect(shown.locator("tr.response[data-code='4XX']")).to_contain_text("Not signed in")
    expect(shown.locator("tr.response[data-code='200']")).to_contain_text("mac_address")


def test_every_area_has_its_operations(page: Page) -> None:
    # The first area is open; it is short.
    expect(page.locator(".opblock").first).to_be_visible()
    tags = [one["name"] for one in document()["tags"]]
    shown = page.locator(".opblock-tag").evaluate_all("all => all.map(one => one.dataset.tag)")
    assert sorted(shown) == sorted(tags)
    page.locator(".opblock-tag[data-tag='Home Assistant: calls']").click()
    expect(page.locator("[id$='-hassio_get_supervisor_info']")).to_be_visible()
