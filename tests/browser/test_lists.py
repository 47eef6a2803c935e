"""Lists: saved filters, bulk actions and keyboard shortcuts."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from controller.configs.rules import bulk_operations
from tests import factories
from tests.browser.test_commands import in_background

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_many_devices_get_a_template_after_it_was_shown_what_changes(
    browse: Callable[..., Any], admin: User, organization: Organization
) -> None:
    template = factories.template(
        organization, name="Welcome", config=factories.a_file("hello\n")
    )
    for number in range(3):
        factories.device(organization, name=f"ap-{number}", config={} if number else None)
    page = browse(admin).open("/admin/devices/device/?q=ap")
    page.get_by_text("Save this filter").click()
    page.get_by_label("Name").fill("Access points")
    page.get_by_label("Who sees it").select_option(label=f"All of {organization}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".chip-open")).to_contain_text("Access points")

    press_after_load(page, "j")
    page.keyboard.press("x")
    expect(page.locator(".action-select:checked")).to_have_count(1)
    page.get_by_label("Select all objects on this page").check()
    page.locator("[name=action]").select_option("add_template")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_label("Template").select_option(str(template.pk))
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("The portal does not manage its configuration.")).to_be_visible()
    expect(page.locator(".forecast .cm-content")).to_contain_text("hello")
    page.get_by_role("button", name="Add a template: 2 devices").click()
    expect(page.get_by_text("2 of 2 devices still to answer")).to_be_visible()
    in_background(bulk_operations.run_due).join()
    expect(page.locator("td .badge-good")).to_have_count(2)
    page.reload()
    expect(page.locator("td .badge-mute")).to_have_text("Left out")

    go_by_keyboard(page)
    expect(page.locator(".chip")).to_contain_text("Access points")


def press_after_load(page: Any, key: str) -> None:
    # The scripts of a page run before its load event, and its elements are visible before that.
    page.wait_for_load_state("load")
    page.keyboard.press(key)


def go_by_keyboard(page: Any) -> None:
    press_after_load(page, "?")
    shortcuts = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(shortcuts).to_be_visible()
    page.keyboard.press("Escape")
    expect(shortcuts).to_be_hidden()
    # Typed in one go: the second key only counts shortly after the first.
    page.keyboard.type("gd")
    page.wait_for_url("**/admin/devices/device/")
