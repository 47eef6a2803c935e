"""The live view of a gateway of each vendor, and two backups side by side."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import User
from networks import tasks
from networks.gateways.drivers import LIVE
from networks.gateways.engine.live import PARTS
from networks.gateways.rules import backups
from tests import factories
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture(autouse=True)
def _gateways_are_on_this_machine(settings: Any) -> None:
    settings.MUSTER_LOCAL_GATEWAYS, settings.MUSTER_GATEWAY_SECONDS = True, 20


def kept(page: Any, name: str) -> None:
    """Keep a picture where script/screenshots wants one."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("vendor", sorted(LIVE))
def test_each_part_is_shown(vendor: str, browse: Browse, admin: User) -> None:
    with serving(VENDORS[vendor]()) as device:
        device.counters.fixed = 123_000_000
        gateway = factories.gateway(
            factories.organization(), device.url, vendor=vendor, key=device.key,
            secret=device.secret,
        )  # fmt: skip
        watched = browse(admin)
        page = watched.open(f"/admin/networks/gateway/{gateway.pk}/live/")
        for name in LIVE[vendor]:
            section = page.locator(f"#part-{name}")
            if PARTS[name].is_tool:
                section.get_by_role("textbox").fill("192.0.2.7")
                section.get_by_role("button").click()
            # Each part ends with the time at which it was read.
            expect(section.locator("p.subtle").last).to_contain_text(" at ")
            expect(section.locator(".complaint")).to_have_count(0)
        if vendor != "proxmox":
            expect(page.locator("#part-interfaces")).to_contain_text("117.3")
        kept(page, f"live-{vendor}")
        assert not device.faults, device.faults


def test_two_backups_are_compared_side_by_side(browse: Browse, admin: User) -> None:
    with serving(VENDORS["mikrotik"]()) as device:
        gateway = factories.gateway(
            factories.organization(), device.url, vendor="mikrotik", key=device.key,
            secret=device.secret,
        )  # fmt: skip
        for name in ("anna", "berta"):
            device.menus["ppp/secret"][f"*{name}"] = {"name": name, "password": f"of {name}"}
            backups.request_backup(gateway, by=None)
            tasks.back_up_gateways()
    watched = browse(admin)
    page = watched.open(f"/admin/networks/gatewaybackup/{gateway.backups.first().pk}/change/")
    kept(page, "backup")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".line-added")).to_contain_text("berta")
    expect(page.locator("body")).not_to_contain_text("of berta")
    kept(page, "backup-compare")
