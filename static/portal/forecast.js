// What a rollout would change: devices by groups of the same change, each with its files.
import { Files } from "./files.js";
import { make, whenShown } from "./make.js";
import { filled, gettext } from "./words.js";

const NAMED = 8;

function named(devices) {
  const more = devices.length - NAMED;
  return devices.slice(0, NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function shown(group, open) {
  const count = `${group.devices.length} device${group.devices.length === 1 ? "" : "s"}`;
  const head = make("summary", {}, make("b", {}, count), ` +${group.added} −${group.removed} `,
    make("span", { className: "subtle" }, named(group.devices)));
  if (group.error) return make("details", { open: true }, head, make("p", { className: "preview-error" }, group.error));
  const tabs = make("div", { className: "file-tabs", role: "tablist", aria: { label: "Files" } });
  const view = make("div", { className: "file-view" });
  const box = make("details", { open }, head, make("div", { className: "preview-tools" }, tabs), view);
  const before = Object.fromEntries(group.before.map((file) => [file.path, file.text]));
  whenShown(view, () => new Files(tabs, view).show(group.after, before));
  return box;
}

for (const box of document.querySelectorAll("[data-forecast]")) {
  const state = box.querySelector("[data-forecast-state]");
  state.textContent = gettext("Rendering …");
  fetch(box.dataset.forecast, { credentials: "same-origin", headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`The server answered ${answer.status}.`))))
    .then((told) => {
      const text = told.looked_at < told.total
        ? gettext("The first %(seen)s of %(total)s devices looked at, %(unchanged)s would stay as they are")
        : gettext("%(total)s devices looked at, %(unchanged)s would stay as they are");
      state.textContent = filled(text, { seen: told.looked_at, total: told.total, unchanged: told.unchanged });
      box.querySelector("[data-forecast-groups]").replaceChildren(...told.groups.map((group, at) => shown(group, at === 0)));
    })
    .catch((error) => {
      state.textContent = error.message;
    });
}
