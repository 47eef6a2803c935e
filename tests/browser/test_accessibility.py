"""axe-core finds no serious violation: light, dark, and on a phone."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from controller.accounts.models import Organization, User
from controller.accounts.rules.saved_filters import save_filter
from controller.configs.rules import bulk_operations
from controller.devices.models import Device, Presence
from controller.devices.rules import Observation, record_observations
from controller.notifications.rules import dispatch
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DARK = "dark => document.documentElement.classList.toggle('dark', dark)"
SERIOUS = {"serious", "critical"}
LISTS = (
    "devices/device", "devices/devicegroup", "devices/enrollment", "connections/command",
    "supervisor_proxy/supervisor", "supervisor_proxy/home", "supervisor_proxy/backupplan",
    "supervisor_proxy/storedbackup", "discovery/scan", "accounts/savedfilter", "geo/location", "configs/template", "configs/rollout",
    "pki/cert", "networks/network", "networks/gateway",
    "vpn/vpn", "accounts/organization", "notifications/notification",
)  # fmt: skip
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
# Dark mode only differs in its colors.
WAYS: tuple[tuple[str, int, str, dict[str, Any]], ...] = (
    ("light", 1440, "light", {}),
    ("dark", 1440, "dark", COLORS),
    ("phone", 390, "light", {}),
)


def pages(organization: Organization, admin: User) -> list[str]:
    template = factories.template(organization)
    device = factories.device(
        organization, name="ap-1", config={"templates": [template]}, management_ip="10.0.0.1"
    )
    factories.placed(factories.location(organization), name="ap-2")
    cert = factories.cert(factories.ca(organization))
    record_observations([Observation(device.pk, Presence.State.OFFLINE, "no answer")])
    dispatch.dispatch_notices()
    save_filter(admin, page="devices.device", name="Roofs", query="q=ap")
    draft, under_way = (
        bulk_operations.create_draft(admin, kind, Device.objects.all())
        for kind in ("push", "deactivate")
    )
    bulk_operations.start(under_way, shown=2)
    return [
        "/admin/",
        *(f"/admin/{one}/" for one in LISTS),
        "/admin/devices/device/?q=ap",
        *(f"/admin/configs/devicebatch/{one.pk}/change/" for one in (draft, under_way)),
        "/admin/supervisor_proxy/backupplan/add/",
        "/admin/discovery/scan/add/",
        f"/admin/devices/device/{device.pk}/change/",
        f"/admin/configs/template/{template.pk}/change/",
        f"/admin/pki/cert/{cert.pk}/change/",
        "/admin/devices/device/add/",
        "/admin/devices/device/import/",
        "/admin/notifications/notification/preferences/",
    ]


def serious(page: Any, **options: Any) -> list[str]:
    found = page.evaluate(
        "options => axe.run(options)", {"resultTypes": ["violations"]} | options
    )
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"][:3]
    ]


def test_nothing_serious_on_the_main_pages(
    browse: Callable[..., Any], organization: Organization, admin: User
) -> None:
    watched, told = browse(admin), []
    for path in pages(organization, admin):
        page = watched.open(path)
        page.emulate_media(reduced_motion="reduce")
        page.add_style_tag(content="*, ::before, ::after { transition: none !important }")
        page.evaluate(AXE_SCRIPT)
        for how, width, scheme, options in WAYS:
            page.set_viewport_size({"width": width, "height": 900})
            # Set like the menu's switch does: the page queries the browser's preference only
            # once.
            page.evaluate(DARK, scheme == "dark")
            told += [f"{path} ({how}) {line}" for line in serious(page, **options)]
    assert not told, "\n".join(told)
