"""Every kind of page: nothing spills, overlaps or fails, and axe finds nothing serious.

``script/screenshots`` runs this with MUSTER_PICTURES, a folder for a picture of each page at
1440 and 390 px, light and dark.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.contrib.admin import site

from controller.base.admin import admin_url
from controller.configs.models import Template
from controller.devices.models import Device
from pki.models import Cert
from tests import demo_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.long]
PICTURES = os.environ.get("MUSTER_PICTURES", "")
# A pattern of the addresses to visit, for somebody who works on a few pages.
ONLY = re.compile(os.environ.get("MUSTER_PAGES", ""))
SHARES = 3
# Pages and parts that come from other projects as they are.
DARK = "dark => document.documentElement.classList.toggle('dark', dark)"
# Dark mode only differs in its colors.
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
SERIOUS = {"serious", "critical"}
# Pages that are looked at by axe on a phone as well.
ON_A_PHONE = re.compile(r"^/admin/($|devices/device/|configs/template/|accounts/user/invite/)")
FOREIGN = {"socialaccount", "account"}
DRAWN_BY_SELECT2 = "select2-"
# A busy machine may need long for a page with a map.
PATIENCE_MS = 120_000
# The widest page of a list has many rows like the first.
FLAWS = """() => {
  const flaws = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth + 1) flaws.push(`the page is ${root.scrollWidth} px wide`);
  const name = (one) => `<${one.localName} ${one.id || one.getAttribute("name") || one.className.toString().slice(0, 30)}> "${(one.textContent || one.value || "").trim().slice(0, 30)}"`;
  const style = (one) => getComputedStyle(one);
  const shown = [...document.querySelectorAll("#content a, #content button, #content input, #content select, #content textarea, #content h2, #content .badge")]
    .filter((one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .filter((one) => !one.closest("[id^=calendarlink], [id^=clocklink], .leaflet-container, .cm-editor, svg, #submit-row, [data-simplebar], .unseen, .mesh, dialog, .plan"))
    .map((one) => ({ one, box: one.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 2 && box.height > 2);
  const scrolls = (one) => {
    for (let at = one.parentElement; at && at.id !== "content"; at = at.parentElement) {
      if (/auto|scroll/.test(style(at).overflowX) && at.scrollWidth > at.clientWidth) return true;
    }
    return false;
  };
  for (const { one, box } of shown) {
    if (box.right > innerWidth + 1 && !scrolls(one)) flaws.push(`${name(one)} ends at ${Math.round(box.right)} px`);
    if (box.left < -1 && !scrolls(one)) flaws.push(`${name(one)} begins at ${Math.round(box.left)} px`);
  }
  const targets = shown.filter(({ one }) => !/^(H2|SPAN)$/i.test(one.tagName) && !scrolls(one));
  targets.forEach(({ one, box }, at) => {
    for (const { one: other, box: second } of targets.slice(at + 1)) {
      // Links that wrap within a paragraph have boxes that cross, and letters that do not.
      if (style(one).display === "inline" && style(other).display === "inline") continue;
      if (one.contains(other) || other.contains(one)) continue;
      const wide = Math.min(box.right, second.right) - Math.max(box.left, second.left);
      const high = Math.min(box.bottom, second.bottom) - Math.max(box.top, second.top);
      if (wide > 4 && high > 4) flaws.push(`${name(one)} and ${name(other)} overlap`);
    }
  });
  return flaws.slice(0, 5);
}"""


def page_kinds() -> Iterator[str]:
    """Yield the address of each kind of page."""
    yield "/admin/"
    for model in sorted(site._registry, key=lambda one: one._meta.label):
        if model._meta.app_label in FOREIGN:
            continue
        yield admin_url(model, "changelist")
        yield admin_url(model, "add")
        if row := model._default_manager.first():
            yield admin_url(model, "change", row.pk)
    yield admin_url(Template, "delete", Template.objects.first().pk)
    cert = Cert.objects.first()
    yield from (f"/admin/pki/cert/{cert.pk}/{page}/" for page in ("renew", "revoke", "pkcs12"))
    device = Device.objects.exclude(config=None).first()
    for path in (
        "devices/device/add/?kind=inventory", "devices/device/add/ssh/", "devices/device/add/agent/",
        "devices/device/import/", "accounts/user/invite/", "accounts/user/second-factor/",
        "notifications/notification/preferences/", "password_change/", "devices/device/?q=ap", "nonsense/",
    ):  # fmt: skip
        yield f"/admin/{path}"
    if device is not None:
        here = f"/admin/devices/device/{device.pk}/change/"
        yield f"/admin/devices/device/{device.pk}/deactivate/"
        for tab in ("configuration", "connections", "location", "history", "settings"):
            yield f"{here}#{tab}"


def picture(page: Any, path: str, width: int, scheme: str) -> None:
    if PICTURES:
        name = path.removeprefix("/admin/").replace("/", "_").replace("?", "_") or "dashboard"
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{PICTURES}/{name}-{width}-{scheme}.png", full_page=True)


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


def flaws_of(page: Any, path: str) -> Iterator[str]:
    page.evaluate(AXE_SCRIPT)
    for width, scheme in ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")):
        if (width, scheme) == (390, "dark") and not PICTURES:
            continue
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(DARK, scheme == "dark")
        picture(page, path, width, scheme)
        if scheme == "light":
            yield from (f"{path} ({width}) {flaw}" for flaw in page.evaluate(FLAWS))
        if width == 1440 or (scheme == "light" and ON_A_PHONE.search(path)):
            options = COLORS if scheme == "dark" else {}
            found = (line for line in serious(page, **options) if DRAWN_BY_SELECT2 not in line)
            yield from (f"{path} ({width}, {scheme}) {line}" for line in found)
    # At 200 % a page has half the width.
    page.set_viewport_size({"width": 720, "height": 450})
    yield from (f"{path} (zoomed) {flaw}" for flaw in page.evaluate(FLAWS))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.evaluate("document.documentElement.dir = 'rtl'")
    yield from (f"{path} (from right to left) {flaw}" for flaw in page.evaluate(FLAWS))


@pytest.mark.parametrize("share", range(SHARES))
def test_every_kind_of_page_is_whole(browse: Callable[..., Any], share: int) -> None:
    world = demo_world.build()
    watched, told = browse(world.people["super"]), []
    paths = [path for path in page_kinds() if ONLY.search(path)]
    watched.page.set_default_navigation_timeout(PATIENCE_MS)
    watched.page.set_default_timeout(PATIENCE_MS)
    for path in paths[share::SHARES]:
        page = watched.open(path)
        if page.locator("#content, main").count() == 0:
            told.append(f"{path} has no content")
            continue
        page.add_style_tag(content="*, ::before, ::after { transition: none !important }")
        told += flaws_of(page, path)
    # Pages of rows that only the portal adds, and one that does not exist, answer as they should.
    watched.complaints[:] = [
        line for line in watched.complaints
        if not (line.startswith(("403 ", "404 ")) or "status of 40" in line)
    ]  # fmt: skip
    assert not told, "\n".join(told)
