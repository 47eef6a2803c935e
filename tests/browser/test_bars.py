"""The bar with Save is the same on every form, and hides no field."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin import site
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from controller.base.admin import RuleAdmin, admin_url
from tests import demo_world, factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]
BUTTONS = """() => [...document.querySelectorAll("#submit-row button, #submit-row a")]
  .map((one) => one.textContent.trim().split("\\n").pop().trim())"""
ADDING = ["Save", "Save and continue editing", "Save and add another"]


def test_tabs_that_save_by_themselves_have_no_bar(
    browse: Browse, admin: User, organization: Organization
) -> None:
    device = factories.device(organization, name="ap-1", config={})
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    bar = page.locator("#submit-row")
    for tab in ("Settings", "Configuration", "Connections"):
        page.get_by_role("tab", name=tab).click()
        expect(bar).to_be_visible()
    for tab in ("Overview", "Location", "Commands", "History"):
        page.get_by_role("tab", name=tab).click()
        expect(bar).to_be_hidden()


def test_a_field_that_gets_the_focus_is_not_behind_the_bar(
    browse: Browse, admin: User, organization: Organization
) -> None:
    template = factories.template(organization, name="Welcome")
    page = browse(admin).open(admin_url(type(template), "change", template.pk))
    page.set_viewport_size({"width": 1280, "height": 500})
    page.locator("#id_name").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        field, bar = (
            page.evaluate("one => one.getBoundingClientRect().toJSON()", handle)
            for handle in (
                page.evaluate_handle("document.activeElement"),
                page.locator("#submit-row").element_handle(),
            )
        )
        in_bar = page.evaluate("!!document.activeElement.closest('#submit-row, #nav-sidebar')")
        assert in_bar or field["top"] < bar["top"]


@pytest.mark.long
def test_every_form_has_the_same_buttons_in_the_same_order(browse: Browse) -> None:
    world = demo_world.build()
    watched = browse(world.people["super"])
    kinds = [
        model
        for model, model_admin in site._registry.items()
        if isinstance(model_admin, RuleAdmin)
    ]
    for model in kinds:
        row = model._default_manager.first()
        if row is None:
            continue
        page = watched.open(admin_url(model, "change", row.pk))
        shown = page.evaluate(BUTTONS)
        common = [one for one in shown if one in {*ADDING, "Close"}]
        assert common in (ADDING[:2], ["Close"], []), (model, shown)
        assert not any("Delete" in one for one in shown), (model, shown)
    watched.complaints[:] = [one for one in watched.complaints if "40" not in one]
