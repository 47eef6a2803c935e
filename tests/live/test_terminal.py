"""A terminal on a demo device in Chromium, from the button to the recording."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.live.conftest import Portal

pytestmark = [pytest.mark.live, pytest.mark.once]
MAKE_USER = (
    "from controller.accounts.models import User; "
    "User.objects.create_superuser('typist', 'typist@example.org', 'a good password')"
)


def test_a_command_typed_in_a_terminal_is_answered_and_played_again(
    applied: Portal, chromium: Browser
) -> None:
    applied.shell(MAKE_USER)
    device = applied.devices()[0]
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    page.goto(f"{applied.url}/admin/login/")
    page.fill("[name=username]", "typist")
    page.fill("[name=password]", "a good password")
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")

    page.goto(f"{applied.url}/admin/devices/device/{device['id']}/change/#terminal")
    page.get_by_role("link", name="Open a terminal").click()
    page.fill("[name=reason]", "to see that it works")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("[data-terminal-status]")).to_have_text("Open")
    page.keyboard.type("echo $((6*7)) answers\n")
    expect(page.locator(".xterm-rows")).to_contain_text("42 answers")
    page.get_by_role("button", name="Close", exact=True).click()

    page.get_by_role("link", name="Play the recording").click()
    expect(page.get_by_text("to see that it works")).to_be_visible()
    page.get_by_role("button", name="To its end").click()
    expect(page.locator(".xterm-rows")).to_contain_text(re.compile("42 answers"))
    context.close()
    assert complaints == []
