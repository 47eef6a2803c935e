// Tabs over panels of one form: [data-tabs] holds buttons data-tab, panels are data-panel.
// The open one is kept for the page while the browser's tab lives; arrow keys move.
import { filled, gettext } from "./words.js";
const list = document.querySelector("[data-tabs]");
const tabs = [...list.querySelectorAll("[data-tab]")];
const memory = `tab:${location.pathname}`;

function panelOf(tab) {
  return document.querySelector(`[data-panel="${tab.dataset.tab}"]`);
}

function open(tab, { focus = false } = {}) {
  for (const other of tabs) {
    const on = other === tab;
    other.setAttribute("aria-selected", String(on));
    other.tabIndex = on ? 0 : -1;
    panelOf(other).hidden = !on;
  }
  // A tab that only shows something, or saves by itself, has nothing for the form to save.
  const saving = document.getElementById("submit-row");
  if (saving) saving.hidden = "savesItself" in tab.dataset;
  sessionStorage.setItem(memory, tab.dataset.tab);
  if (focus) tab.focus();
}

for (const tab of tabs) {
  const panel = panelOf(tab);
  panel.setAttribute("role", "tabpanel");
  panel.id = `panel-${tab.dataset.tab}`;
  tab.id = `tab-${tab.dataset.tab}`;
  tab.setAttribute("aria-controls", panel.id);
  panel.setAttribute("aria-labelledby", tab.id);
  const errors = panel.querySelectorAll(".errorlist li, [data-field-error]").length;
  if (errors) {
    const count = document.createElement("span");
    count.className = "tab-errors";
    count.textContent = errors;
    count.title = filled(gettext("%(count)s to correct"), { count: errors });
    tab.append(count);
  }
  tab.addEventListener("click", () => open(tab));
}
list.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const at = tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
  open(tabs[(at + step + tabs.length) % tabs.length], { focus: true });
});

const wanted = location.hash.slice(1) || sessionStorage.getItem(memory);
open(
  tabs.find((tab) => tab.querySelector(".tab-errors")) ||
    tabs.find((tab) => tab.dataset.tab === wanted) ||
    tabs[0],
);
