"""People who do a task in the portal: one clicks, the other has only a keyboard."""

import os
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

# More than the elements of any page that the keyboard stops at, twice.
MOST_STEPS = 600
# The element with the focus: what it is, and what is wrong with it.
FOCUSED = """wanted => {
  const one = document.activeElement;
  if (one === document.body || one.id === "content") return { is_there: false, wrong: "" };
  const is_there = one === wanted || wanted.contains(one);
  const marks = (at) => {
    const style = getComputedStyle(at);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  };
  let marked = false;
  for (let at = one, up = 0; at && up < 3; at = at.parentElement, up += 1) marked ||= marks(at);
  const box = one.getBoundingClientRect();
  const isSeen = one.checkVisibility({ visibilityProperty: true }) && box.bottom > 0 && box.top < innerHeight && box.right > 0;
  const name = `<${one.localName} ${one.id || one.getAttribute("name") || ""}> ${(one.getAttribute("aria-label") || one.textContent || "").trim().slice(0, 40)}`;
  const wrong = isSeen ? (marked ? "" : `no mark of the focus: ${name}`) : `the focus is not seen: ${name}`;
  return { is_there, wrong };
}"""


class Person:
    """Counts the clicks of somebody who starts at the dashboard and sees the page alone."""

    def __init__(self, watched: Any) -> None:
        self.page: Page = watched.open("/admin/")
        self.clicks = 0

    def do(self, found: Locator) -> None:
        """Click the first of these."""
        # What a page's scripts attach to is there once they have run.
        self.page.wait_for_load_state("load")
        found.first.click()
        self.clicks += 1

    def click(self, name: str, role: str = "link", within: str = "#content") -> None:
        """Click what has this role and name; the menu is ``within="#nav-sidebar"``."""
        self.do(self.page.locator(within).get_by_role(role, name=name, exact=True))  # type: ignore[arg-type]

    def menu(self, name: str) -> None:
        self.click(name, within="#nav-sidebar")

    def open(self, name: str) -> None:
        """Open a row of a list; its link has more than the name."""
        self.do(self.page.locator("#result_list").get_by_role("link", name=name))

    def press(self, name: str) -> None:
        self.click(name, "button", "body")

    def field(self, label: str) -> Any:
        # A required field has a star after its name.
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}\W*$")).first

    def fill(self, label: str, text: str) -> None:
        self.write(self.field(label), text)

    def write(self, found: Locator, text: str) -> None:
        found.fill(text)

    def choose(self, label: str, option: str) -> None:
        self.select(self.field(label), option)

    def select(self, found: Locator, option: str) -> None:
        """Choose from a select: a click that opens it, and one on the option."""
        found.select_option(label=option)
        self.clicks += 1

    def sees(self, text: str) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def picture(self, name: str) -> None:
        if folder := os.environ.get("MUSTER_PICTURES"):
            self.page.screenshot(path=f"{folder}/task-{name}.png", full_page=True)


class KeyboardPerson(Person):
    """Reaches everything by Tab and the arrow keys, and always sees where the focus is."""

    def do(self, found: Locator) -> None:
        self.page.wait_for_load_state("load")
        self.reach(found.first)
        role = found.first.evaluate("one => one.type || one.getAttribute('role')")
        self.page.keyboard.press("Space" if role in {"checkbox", "radio"} else "Enter")
        self.clicks += 1

    def write(self, found: Locator, text: str) -> None:
        self.reach(found)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def select(self, found: Locator, option: str) -> None:
        self.reach(found)
        super().select(found, option)

    def reach(self, found: Locator) -> None:
        """Move the focus to an element; raise AssertionError if that is impossible."""
        expect(found).to_be_visible()
        wanted = found.element_handle()
        if found.get_attribute("role") == "tab":
            self.reach_tab(found)
            return
        self.skip_navigation(found)
        for _ in range(MOST_STEPS):
            state = self.page.evaluate(FOCUSED, wanted)
            assert not state["wrong"], state["wrong"]
            if state["is_there"]:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {found}")

    def reach_tab(self, found: Locator) -> None:
        """Tab to the chosen tab of a list of tabs, then go along with the arrow keys."""
        tabs = self.page.get_by_role("tab")
        chosen = self.page.locator("[role=tab][aria-selected=true]").first
        self.page.keyboard.press("Tab")
        chosen.focus()
        for _ in range(tabs.count()):
            if found.get_attribute("aria-selected") == "true":
                return
            self.page.keyboard.press("ArrowRight")
        raise AssertionError(f"the arrow keys do not reach {found}")

    def skip_navigation(self, found: Locator) -> None:
        """Use the link to the content on a fresh page, if the element is there."""
        is_fresh = self.page.evaluate("document.activeElement === document.body")
        if is_fresh and found.evaluate("one => !!one.closest('#content')"):
            self.page.keyboard.press("Tab")
            link = self.page.get_by_role("link", name="Skip to content")
            expect(link).to_be_focused()
            self.page.keyboard.press("Enter")
            expect(self.page.locator("#content")).to_be_focused()
