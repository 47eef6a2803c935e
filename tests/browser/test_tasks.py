"""Ten tasks as a new person does them: only clicks on what is shown, and few of them."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from controller.accounts.models import ApiKey, Organization, User
from controller.accounts.rules.sites import create_site
from controller.configs.models import Config, Template
from controller.configs.rules import bulk_operations, push_worker
from controller.connections.models import DeviceConnection
from controller.devices.models import Device, Presence
from controller.devices.rules import Observation, record_observations
from tests import factories
from tests.fleet.ssh import SshDevice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


class Person:
    """Counts the clicks of somebody who starts at the dashboard and sees the page alone."""

    def __init__(self, watched: Any) -> None:
        self.page: Page = watched.open("/admin/")
        self.clicks = 0

    def click(self, name: str, role: str = "link", within: str = "#content") -> None:
        """Click what has this role and name; the menu is ``within="#nav-sidebar"``."""
        found = self.page.locator(within).get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        found.first.click()
        self.clicks += 1

    def menu(self, name: str) -> None:
        self.click(name, within="#nav-sidebar")

    def press(self, name: str) -> None:
        self.click(name, "button", "body")

    def field(self, label: str) -> Any:
        # A required field has a star after its name.
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}\W*$")).first

    def fill(self, label: str, text: str) -> None:
        self.field(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        """Choose from a select: a click that opens it, and one on the option."""
        self.field(label).select_option(label=option)
        self.clicks += 1

    def sees(self, text: str) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def picture(self, name: str) -> None:
        if folder := os.environ.get("MUSTER_PICTURES"):
            self.page.screenshot(path=f"{folder}/task-{name}.png", full_page=True)


def run_worker(work: Callable[[], Any]) -> None:
    """Run a worker's task in a thread, because Playwright's event loop runs in this one."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshDevice]:
    with SshDevice(tmp_path) as device:
        for path, text in (
            ("sys/class/net/eth0/address", "02:00:5e:00:07:01\n"),
            ("proc/sys/kernel/hostname", "rossio-till-19\n"),
            ("etc/motd", "old\n"),
        ):
            (device.root / path).parent.mkdir(parents=True, exist_ok=True)
            (device.root / path).write_text(text)
        yield device


def test_1_a_device_is_added_by_ssh_in_six_clicks_and_gets_its_first_configuration(
    browse: Browse, admin: User, organization: Organization, host: SshDevice
) -> None:
    person = Person(browse(admin))
    person.sees("Four steps to the first applied configuration.")
    person.picture("1-empty")
    person.click("Add a device")
    person.page.get_by_role("link", name="Linux host over SSH").click()
    person.clicks += 1
    person.fill("Address", host.host)
    person.fill("Port", str(host.port))
    person.fill("User name", host.username)
    person.fill("Private key", host.private_key)
    person.picture("1-form")
    person.click("Apply an example: a welcome message in /etc/motd", "checkbox")
    person.press("Add device")
    person.sees("Configuration prepared")
    run_worker(push_worker.deliver)
    person.sees("The device has its configuration.")
    person.picture("1-applied")
    assert "Welcome to rossio-till-19" in (host.root / "etc/motd").read_text()
    assert person.clicks <= 5
