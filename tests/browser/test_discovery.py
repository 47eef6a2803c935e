"""Discovery in the admin: start a scan and adopt its findings."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import expect

from controller.accounts.models import Organization
from controller.devices.models import Device
from controller.discovery import rules
from controller.discovery.models import Scan
from tests import factories
from tests.fleet.ssh import SshDevice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def drive() -> bool:
    try:
        return rules.drive(Scan.objects.get())
    finally:
        connections.close_all()


def test_a_scan_is_started_and_a_host_adopted(
    browse: Callable[..., Any], organization: Organization, settings: Any, tmp_path: Any
) -> None:
    settings.MUSTER_DISCOVERY_NETWORKS = ["127.0.0.0/8"]
    owner = factories.user(organization, is_staff=True)
    with SshDevice(tmp_path / "host") as host:
        page = browse(owner).open("/admin/discovery/scan/add/")
        page.select_option("[name=organization]", label=organization.name)
        page.fill("[name=targets]", "127.0.0.1")
        page.fill("[name=tcp_ports]", str(host.port))
        page.click("[name=_save]")
        page.get_by_role("link", name="127.0.0.1").first.click()
        expect(page.get_by_text("Nobody has answered yet.")).to_be_visible()
        with ThreadPoolExecutor(1) as worker:  # Playwright runs an event loop in this thread
            assert worker.submit(drive).result()
    page.reload()
    expect(page.locator("#scan-now")).to_contain_text("Completed")
    expect(page.locator("#scan-now .table")).to_contain_text(str(host.port))
    if folder := os.environ.get("MUSTER_PICTURES"):
        page.screenshot(path=f"{folder}/discovery.png", full_page=True)
    page.get_by_label("MAC address of 127.0.0.1").fill("02:00:00:00:00:99")
    page.get_by_role("button", name="Adopt").click()
    page.wait_for_url("**/admin/devices/device/*/change/")
    assert Device.objects.get().mac_address == "02:00:00:00:00:99"
