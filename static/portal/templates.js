// Templates to tick and to order; the hidden input holds a JSON list of ids. Required ones
// come first and cannot be left out; only those of the chosen organization and backend show.
import { make } from "./make.js";
import { gettext } from "./words.js";

function enhance(box) {
  const input = box.querySelector("input[type=hidden]");
  const known = JSON.parse(box.querySelector("script").textContent);
  const form = box.closest("form");
  const backend = form.querySelector("[name=config_backend]");
  const organization = form.querySelector("[name=organization]");
  let chosen = JSON.parse(input.value || "[]");

  const filter = make("input", { type: "search", className: "input", placeholder: gettext("Find a template") });
  filter.setAttribute("aria-label", gettext("Find a template"));
  const list = make("ol", { className: "picked" });
  const rest = make("ul", { className: "pickable" });
  const empty = make("p", { className: "subtle" });

  const fits = (one) =>
    (!one.organization || !organization || one.organization === organization.value) &&
    (!backend || one.backend === backend.value);
  const fixed = (one) => Boolean(backend) && one.required;

  function write() {
    input.value = JSON.stringify(chosen);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function move(id, step) {
    const at = chosen.indexOf(id);
    const to = at + step;
    if (to < 0 || to >= chosen.length) return;
    [chosen[at], chosen[to]] = [chosen[to], chosen[at]];
    write();
    draw();
    list.querySelector(`[data-id="${id}"] button[data-step="${step}"]`)?.focus();
  }

  function pickedRow(one, index, first, last) {
    const up = make("button", { type: "button", className: "icon-button move", data: { step: "-1" },
      disabled: fixed(one) || index <= first, aria: { label: `Move ${one.name} up` } }, "arrow_upward");
    const down = make("button", { type: "button", className: "icon-button move", data: { step: "1" },
      disabled: fixed(one) || index >= last, aria: { label: `Move ${one.name} down` } }, "arrow_downward");
    const remove = make("button", { type: "button", className: "icon-button",
      disabled: fixed(one), aria: { label: `Take ${one.name} off` } }, "close");
    up.addEventListener("click", () => move(one.id, -1));
    down.addEventListener("click", () => move(one.id, 1));
    remove.addEventListener("click", () => {
      chosen = chosen.filter((id) => id !== one.id);
      write();
      draw();
    });
    const row = make("li", { data: { id: one.id }, draggable: !fixed(one) },
      make("span", { className: "grip", aria: { hidden: "true" } }, fixed(one) ? "lock" : "drag_indicator"),
      make("span", { className: "name" }, one.name),
      ...(one.required ? [make("small", {}, "required")] : []),
      ...(one.organization ? [] : [make("small", {}, "shared")]),
      up, down, remove);
    row.addEventListener("dragstart", () => row.classList.add("dragged"));
    row.addEventListener("dragend", () => {
      row.classList.remove("dragged");
      chosen = [...list.children].map((item) => item.dataset.id);
      write();
      draw();
    });
    return row;
  }

  list.addEventListener("dragover", (event) => {
    const dragged = list.querySelector(".dragged");
    const over = event.target.closest("li");
    if (!dragged || !over || over === dragged || !over.draggable) return;
    event.preventDefault();
    const { top, height } = over.getBoundingClientRect();
    over[event.clientY > top + height / 2 ? "after" : "before"](dragged);
  });

  function draw() {
    const fitting = known.filter(fits);
    const byId = new Map(fitting.map((one) => [one.id, one]));
    const locked = fitting.filter(fixed).map((one) => one.id);
    const shown = [...locked, ...chosen.filter((id) => byId.has(id) && !locked.includes(id))];
    list.replaceChildren(...shown.map((id, index) =>
      pickedRow(byId.get(id), index, locked.length, shown.length - 1)));
    const words = filter.value.toLowerCase();
    const open = fitting.filter((one) => !shown.includes(one.id) && one.name.toLowerCase().includes(words));
    rest.replaceChildren(...open.map((one) => {
      const add = make("button", { type: "button", className: "chip" }, `+ ${one.name}`);
      add.addEventListener("click", () => {
        chosen = [...shown, one.id];
        write();
        draw();
      });
      return make("li", {}, add);
    }));
    filter.hidden = fitting.length - shown.length < 8;
    empty.hidden = shown.length + open.length > 0;
    empty.textContent = words ? gettext("No template has this in its name.") : gettext("There are no templates for this backend yet.");
  }

  function settle() {
    // What does not fit another backend or organization cannot stay chosen.
    const fitting = new Set(known.filter(fits).map((one) => one.id));
    const kept = chosen.filter((id) => fitting.has(id));
    if (kept.length !== chosen.length) {
      chosen = kept;
      write();
    }
    draw();
  }
  filter.addEventListener("input", (event) => {
    event.stopPropagation();
    draw();
  });
  backend?.addEventListener("change", settle);
  organization?.addEventListener("change", settle);
  box.append(list, filter, rest, empty);
  draw();
}

document.querySelectorAll("[data-template-picker]").forEach(enhance);
