"""The overview of a device in Chromium: charts, crosshair, zoom, table, and what is wrong."""

import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from PIL import Image
from playwright.sync_api import Page, expect

from controller.accounts.models import Organization, User
from controller.devices.models import Device
from controller.monitoring.engine.metrics import Metric
from controller.monitoring.engine.report import Report
from controller.monitoring.models import Condition, MonitoredDevice, Sample
from controller.monitoring.rules import app_reports, organization_totals, reports
from controller.monitoring.rules.arrivals import Arrival
from controller.monitoring.rules.demo_history import invent_history
from controller.monitoring.rules.ingest import ingest
from controller.monitoring.rules.sample_history import now_seconds
from tests import factories
from tests.browser.test_pages import COLORS, serious
from tests.monitoring.test_engine_reports import PAYLOADS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture
def device(organization: Organization) -> Device:
    device = factories.device(
        organization, name="lisbon-gateway", management_ip="10.8.0.17", model="GL-MT3000",
        mac_address="02:00:5e:00:00:01",
    )  # fmt: skip
    factories.device(organization, name="rossio-switch", mac_address="00:16:3e:00:00:01")
    now = now_seconds()
    invent_history([device], now)
    body = (PAYLOADS / "1_small_ap.json").read_bytes()
    reports.receive([reports.Posted(device.pk, device.key, body, now - 20)])
    ping = Report(values={Metric.REACHABLE: 1.0, Metric.LOSS: 0.0, Metric.RTT: 12.0})
    ingest([Arrival(device.pk, now, now, ping, kind=Sample.Kind.CHECK)])
    row = MonitoredDevice.objects.get(device=device)
    Condition.objects.create(
        monitored=row, metric=Metric.MEMORY, value=93, limit=90, minutes=30,
        source="group Branches", is_shown=True, bad_since=now - 42 * 60, told_at=now - 12 * 60,
    )  # fmt: skip
    row.health = "problem"
    row.save()
    return device


def overview(browse: Browse, admin: User, device: Device, **how: Any) -> Page:
    page: Page = browse(admin, **how).open(f"/admin/devices/device/{device.pk}/change/")
    page.locator("[data-grid] figure").nth(5).wait_for()
    return page


def keep(page: Page, name: str) -> None:
    """Keep a picture where somebody asked for it, to be looked at."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True, scale="css")))
    # So few colors are enough, and the files of the docs stay below 100 kB.
    small = picture.convert("RGB").quantize(48, dither=Image.Dither.NONE)
    small.save(f"{folder}/monitoring-{name.replace('_', '-')}.png", optimize=True)


def test_the_overview_says_how_a_device_is_and_why(
    browse: Browse, admin: User, device: Device
) -> None:
    page = overview(browse, admin, device)
    expect(page.get_by_role("tab", name="Overview")).to_have_attribute("aria-selected", "true")
    why = page.locator("#why")
    expect(why).to_contain_text("Memory is above its limit")
    expect(why).to_contain_text("93 %")
    expect(why).to_contain_text("90 % for 30 min · group Branches")
    expect(page.locator("#submit-row")).to_be_hidden()
    titles = page.locator("[data-grid] h3").all_inner_texts()
    assert titles[:2] == ["Round trip", "Packet loss"]
    assert {"Wi-Fi clients", "CPU load", "Memory", "Storage"} <= set(titles)
    expect(page.get_by_role("link", name="rossio-switch")).to_be_visible()
    page.get_by_role("tab", name="Settings").click()
    expect(page.locator("[name=mac_address]")).to_be_visible()
    expect(page.locator("#submit-row")).to_be_visible()


def test_one_crosshair_goes_through_all_charts(
    browse: Browse, admin: User, device: Device
) -> None:
    page = overview(browse, admin, device)
    plots = page.locator("[data-grid] canvas")
    plots.nth(0).focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    notes = page.locator(".chart-note").all_inner_texts()
    assert len(set(notes)) == 1
    assert notes[0]
    page.keyboard.press("Escape")
    assert set(page.locator(".chart-note").all_inner_texts()) == {""}


def test_dragging_zooms_all_charts_in(browse: Browse, admin: User, device: Device) -> None:
    page = overview(browse, admin, device)
    with page.expect_response(lambda answer: "range=7d" in answer.url):
        page.get_by_role("button", name="7d", exact=True).click()
    page.wait_for_timeout(300)
    box = page.locator("[data-grid] canvas").nth(0).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 60, steps=4)
    with page.expect_response(lambda answer: "start=" in answer.url):
        page.mouse.up()
    expect(page.get_by_role("button", name="Zoom out")).to_be_visible()


def test_a_chart_can_be_read_as_a_table(browse: Browse, admin: User, device: Device) -> None:
    page = overview(browse, admin, device)
    page.get_by_role("button", name="Table").click()
    table = page.locator("[data-grid] table").first
    expect(table.locator("thead")).to_contain_text("Highest")
    assert table.locator("tbody tr").count() > 200
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    text = download.value.path().read_text()
    assert text.startswith('"Time (UTC)"')
    assert '"CPU load: CPU load (%)"' in text


@pytest.mark.parametrize(
    ("name", "width", "scheme", "options"),
    [
        ("light", 1440, "light", {}),
        ("dark", 1440, "dark", COLORS),
        ("phone", 390, "light", {}),
        ("phone_dark", 390, "dark", COLORS),
    ],
)
def test_nothing_serious_on_the_overview(
    browse: Browse, admin: User, device: Device, name: str, width: int, scheme: str,
    options: dict[str, Any],
) -> None:  # fmt: skip
    page = overview(browse, admin, device, width=width, scheme=scheme)
    page.evaluate(
        "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
    )
    page.wait_for_timeout(500)
    keep(page, f"overview_{name}")
    page.evaluate(AXE_SCRIPT)
    assert serious(page, **options) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_device_without_data_says_how_to_get_some(
    browse: Browse, admin: User, organization: Organization
) -> None:
    device = factories.device(organization)
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/")
    expect(page.locator("#why")).to_contain_text("No data yet")
    expect(page.locator("[data-state]")).to_contain_text("No data in this range of time.")


def test_the_dashboard_shows_the_health_of_the_fleet_over_time(
    browse: Browse, admin: User, device: Device
) -> None:
    organization_totals.record_totals()
    page = browse(admin).open("/admin/")
    expect(page.locator("#health")).to_contain_text("Problem")
    page.locator(".fleet-charts figure").first.wait_for()
    expect(page.locator("#troubles")).to_contain_text("Memory is above its limit")
    expect(page.locator(".fleet-charts h3").first).to_have_text("Availability")
    page.get_by_role("link", name="Problem", exact=False).first.click()
    expect(page.locator("#result_list")).to_contain_text("lisbon-gateway")
    keep(page, "list")
    page.evaluate(AXE_SCRIPT)
    assert serious(page) == []


@pytest.mark.parametrize(
    ("name", "width", "scheme", "options"),
    [("light", 1440, "light", {}), ("phone_dark", 390, "dark", COLORS)],
)
def test_the_worst_devices_are_ranked_on_the_dashboard(
    browse: Browse, admin: User, device: Device, name: str, width: int, scheme: str,
    options: dict[str, Any],
) -> None:  # fmt: skip
    organization_totals.record_totals()
    page = browse(admin, width=width, scheme=scheme).open("/admin/")
    page.evaluate(
        "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
    )
    page.locator("#worst").get_by_role("link", name="Memory").click()
    expect(page.locator("#worst td").first).to_contain_text("lisbon-gateway")
    expect(page.locator("#worst td").last).to_contain_text("%")
    page.locator(".fleet-charts figure").first.wait_for()
    page.evaluate(
        "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
    )
    page.wait_for_timeout(500)
    keep(page, f"dashboard_{name}")
    page.evaluate(AXE_SCRIPT)
    assert serious(page, **options) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture
def network(organization: Organization) -> Organization:
    """A gateway, a switch that has a slow port, and access points of which one is away."""
    names = {
        "gateway": "router",
        "switch": "switch",
        "ap-hall": "",
        "ap-roof": "",
        "ap-yard": "",
    }
    rows = {
        name: factories.device(organization, name=name, kind=kind)
        for name, kind in names.items()
    }
    ports = [
        {"name": f"ge{at}", "speed": "100F" if at == 2 else "1000F",
         "link_supported": ["100baseT-F", "1000baseT-F"]}
        for at in range(1, 5)
    ]  # fmt: skip
    heard = ["gateway", "ap-hall", "ap-roof", "ap-yard", "printer"]
    lldp = [
        {"interface": f"ge{at}", "name": name, "port": "eth0"}
        for at, name in enumerate(heard, 1)
    ]
    base = {"type": "DeviceMonitoring", "general": {"uptime": 5}}
    bodies = {row.pk: base for row in rows.values()}
    app_reports.take(bodies | {rows["switch"].pk: base | {"lldp": lldp, "interfaces": ports}})
    healths = {"gateway": "ok", "switch": "ok", "ap-hall": "problem", "ap-roof": "critical",
               "ap-yard": "ok"}  # fmt: skip
    for name, health in healths.items():
        MonitoredDevice.objects.filter(device=rows[name]).update(health=health)
    return organization


@pytest.mark.parametrize(
    ("name", "width", "scheme", "options"),
    [
        ("light", 1440, "light", {}),
        ("dark", 1440, "dark", COLORS),
        ("phone", 390, "light", {}),
        ("phone_dark", 390, "dark", COLORS),
    ],
)
def test_the_topology_is_drawn_and_its_links_are_a_table(
    browse: Browse, admin: User, network: Organization, name: str, width: int, scheme: str,
    options: dict[str, Any],
) -> None:  # fmt: skip
    page = browse(admin, width=width, scheme=scheme).open(
        "/admin/monitoring/monitoreddevice/topology/"
    )
    page.evaluate(
        "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
    )
    page.wait_for_timeout(300)
    keep(page, f"topology_{name}")
    rows = page.locator("table tbody tr")
    assert rows.count() == 5
    expect(rows.nth(0)).to_contain_text("ap-roof")
    expect(rows.nth(0)).to_contain_text("Gone")
    expect(rows.nth(1)).to_contain_text("Slow")
    assert page.locator("svg.topology").is_visible() == (width > 640)
    if width > 640:
        page.locator("svg.topology a").nth(1).focus()
        expect(page.locator("svg.topology a").nth(1)).to_be_focused()
    page.evaluate(AXE_SCRIPT)
    assert serious(page, **options) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_topology_is_walked_and_zoomed_by_keys(
    browse: Browse, admin: User, network: Organization
) -> None:
    page = browse(admin).open("/admin/monitoring/monitoreddevice/topology/")
    drawing = page.locator("svg.topology")
    whole = drawing.get_attribute("viewBox")

    def focused() -> str:
        name = page.evaluate("document.activeElement.getAttribute('aria-label')")
        return str(name).partition(",")[0]

    drawing.get_by_role("link", name="gateway").focus()
    page.keyboard.press("ArrowDown")
    assert focused() == "switch"
    page.keyboard.press("ArrowDown")
    assert focused().startswith("ap-")
    page.keyboard.press("ArrowUp")
    assert focused() == "switch"
    page.keyboard.press("+")
    zoomed = [float(one) for one in str(drawing.get_attribute("viewBox")).split()]
    assert zoomed[2] == pytest.approx(float(str(whole).split()[2]) / 1.5)
    # What has the focus stays in view.
    page.keyboard.press("+")
    page.keyboard.press("ArrowDown")
    x, y, width, height = (float(one) for one in str(drawing.get_attribute("viewBox")).split())
    place = page.evaluate(
        "[document.activeElement.dataset.x, document.activeElement.dataset.y].map(Number)"
    )
    assert x <= place[0] <= x + width
    assert y <= place[1] <= y + height
    page.keyboard.press("0")
    assert drawing.get_attribute("viewBox") == whole
    page.get_by_role("button", name="Zoom in").click()
    assert drawing.get_attribute("viewBox") != whole
    page.get_by_role("button", name="Fit").click()
    assert drawing.get_attribute("viewBox") == whole


def test_a_group_has_charts_of_its_devices(
    browse: Browse, admin: User, device: Device, organization: Organization
) -> None:
    group = factories.group(organization)
    device.group = group
    device.save()
    organization_totals.record_totals()
    page = browse(admin).open(f"/admin/devices/devicegroup/{group.pk}/change/")
    page.locator(".fleet-charts figure").first.wait_for()
    expect(page.locator(".fleet-charts h3").first).to_have_text("Availability")
    keep(page, "group")
    page.evaluate(AXE_SCRIPT)
    assert serious(page) == []
