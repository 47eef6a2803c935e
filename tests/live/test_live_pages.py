"""Live updates of admin pages in Chromium."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests import factories
from tests.live.conftest import Portal

pytestmark = [pytest.mark.live, pytest.mark.once]
MAKE_USER = (
    "from controller.accounts.models import User; "
    "User.objects.create_superuser('looker', 'looker@example.org', 'a good password')"
)
REFUSED = {
    "files": [
        {"path": "etc/muster/reload.d/50-no", "mode": "0755", "contents": "#!/bin/sh\nexit 1\n"}
    ]
}
SECONDS = 60_000


def test_the_bell_the_dashboard_and_a_list_follow_what_happens_without_a_reload(
    applied: Portal, chromium: Browser
) -> None:
    applied.shell(MAKE_USER)
    name = applied.devices()[3]["name"]
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = signed_in(applied, context)
    other = context.new_page()
    other.goto(f"{applied.url}/admin/devices/device/")
    row = other.locator("#result_list tr", has_text=name)
    expect(row.locator(".field-config_state")).to_have_text("Applied")
    for one in (page, other):
        expect(one.locator("html")).to_have_attribute("data-sockets", "open")
        one.evaluate("window.stays = true")
    expect(page.locator("#bell .bell-count")).to_have_text("")

    applied.patch(3, REFUSED)
    expect(page.locator("#bell .bell-count")).to_have_text(re.compile(r"\d"), timeout=SECONDS)
    expect(page.locator("#configurations")).to_contain_text("Error 1", timeout=SECONDS)
    expect(page.locator("#troubles")).to_contain_text(name)
    # A hidden page updates once it becomes visible.
    other.bring_to_front()
    expect(row.locator(".field-config_state")).to_have_text("Error", timeout=SECONDS)
    other.get_by_label("Select all objects on this page").check()
    expect(other.locator(".action-select:not(:checked)")).to_have_count(0)
    assert all(one.evaluate("window.stays") for one in (page, other))
    applied.patch(3, {})
    give_all_a_template(applied, other)
    context.close()


def signed_in(portal: Portal, context: Any) -> Any:
    page = context.new_page()
    page.goto(f"{portal.url}/admin/login/")
    page.fill("[name=username]", "looker")
    page.fill("[name=password]", "a good password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    return page


def give_all_a_template(portal: Portal, page: Any) -> None:
    """Assign a template to the selected rows, and wait for the page to follow."""
    welcome = portal.template("Welcome")
    body = {
        "name": "To all", "backend": welcome["backend"],
        "organization": welcome["organization"], "config": factories.a_file("all\n", "etc/all"),
    }  # fmt: skip
    template = portal.api.post("template/", json=body).json()["id"]
    page.locator("[name=action]").select_option("add_template")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_label("Template").select_option(template)
    page.get_by_role("button", name="Preview").click()
    # All but devices with an unmanaged configuration.
    go = page.get_by_role("button", name=re.compile(r"Add a template: \d+ devices"))
    (count,) = map(int, re.findall(r"\d+", go.inner_text()))
    expect(page.locator(".forecast")).to_contain_text(
        f"{count} devices looked at", timeout=SECONDS
    )
    go.click()
    page.wait_for_url("**/change/")
    page.evaluate("window.stays = true")
    expect(page.locator("td .badge-good")).to_have_count(count, timeout=SECONDS)
    assert page.evaluate("window.stays")
    portal.api.delete(f"template/{template}/")
