// A device with Home Assistant: what it says now, its add-ons, backups and logs, and its buttons.
import { make, whenShown } from "./make.js";
import { ask, badge, one, showCalls, wireCalls } from "./supervisor-calls.js";
import { gettext, shownTime } from "./words.js";

const box = one("home");
const { home: lookUrl, logs: logsUrl, icon: iconUrl, backup: backupUrl, call: callUrl, word } = box.dataset;
const buttonsOf = (kind) => [...(document.querySelector(`template[data-of-${kind}]`)?.content.children ?? [])];
const FOLLOW_MS = 5000;

/** The buttons of a row, made from the page's own. */
function buttons(kind, place, wanted = (_name) => true) {
  return buttonsOf(kind).filter((button) => wanted(button.dataset.name)).map((button) => {
    const made = /** @type {HTMLElement} */ (button.cloneNode(true));
    Object.assign(made.dataset, { place, of: place });
    made.setAttribute("aria-label", `${made.textContent} ${place}`);
    return made;
  });
}

function showFacts(facts, host) {
  one("home-facts").replaceChildren(
    ...Object.entries(facts).map(([name, html]) => {
      const value = make("dd");
      // Badges that the portal made.
      value.innerHTML = html;
      return make("div", {}, make("dt", {}, name), value);
    }),
    ...host.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, text))));
}

function showAddons(addons, states) {
  one("no-addons").hidden = addons.length > 0;
  one("addons").replaceChildren(...addons.map((addon) => {
    const picture = make("img", { className: "addon-icon", alt: "", width: 32, height: 32, src: iconUrl.replace("/x/", `/${addon.slug}/`) });
    picture.addEventListener("error", () => picture.replaceWith(make("span", { className: "addon-icon" })));
    const isNew = addon.latest && addon.latest !== addon.version;
    return make("tr", {},
      make("td", {}, make("div", { className: "addon" }, picture, make("span", { className: "two-lines" }, addon.name, make("small", {}, addon.slug)))),
      make("td", {}, badge(addon.state, states[addon.state] ?? "mute")),
      make("td", { className: "nowrap" }, isNew ? `${addon.version} → ${addon.latest}` : addon.version),
      make("td", {}, make("div", { className: "buttons" }, ...buttons("addon", addon.slug, (name) => name !== "update" || isNew))));
  }));
}

function showBackups(backups) {
  one("no-backups").hidden = backups.length > 0;
  one("backups").replaceChildren(...backups.map((backup) => make("tr", {},
    make("td", {}, make("span", { className: "two-lines" }, backup.name || backup.slug, make("small", {}, backup.slug))),
    make("td", { className: "wide" }, backup.type),
    make("td", { className: "wide" }, backup.size ? `${backup.size} MB` : "-"),
    make("td", {}, backup.date ? shownTime(backup.date) : "-"),
    make("td", {}, make("div", { className: "buttons" },
      ...(backupUrl ? [make("a", { className: "button", href: backupUrl.replace("/x/", `/${backup.slug}/`) }, "Download")] : []),
      ...buttons("backup", backup.slug))))));
}

function showAlerts(alerts) {
  one("alerts").hidden = alerts.length === 0;
  one("alerts").querySelector("ul").replaceChildren(...alerts.map((alert) => make("li", {},
    badge(alert.kind, "warn"), make("b", {}, alert.about.replaceAll("_", " ")), make("span", { className: "subtle" }, alert.text))));
}

let again = null;

async function look() {
  clearTimeout(again);
  try {
    const told = await ask(lookUrl);
    showFacts(told.facts, told.host);
    showAddons(told.addons, told.states);
    showBackups(told.backups);
    showAlerts(told.alerts);
    showCalls(told.calls);
    one("home-status").replaceChildren(told.error ? badge(told.error, "bad") : badge(gettext("It answers"), "good"));
    // What takes long is followed until it is over.
    if (told.calls.some((call) => call.progress !== undefined)) again = setTimeout(look, FOLLOW_MS);
  } catch (error) {
    one("home-status").replaceChildren(badge(error.message, "bad"));
  }
}

whenShown(box, look);
wireCalls(callUrl, word, look);
one("logs-load")?.addEventListener("click", async (event) => {
  event.target.disabled = true;
  const of = encodeURIComponent(one("logs-of").value);
  const told = await ask(`${logsUrl}?of=${of}`).catch((error) => ({ error: error.message }));
  const shown = one("logs-shown");
  shown.hidden = false;
  shown.textContent = told.error ?? told.value ?? "";
  shown.scrollTop = shown.scrollHeight;
  event.target.disabled = false;
});
