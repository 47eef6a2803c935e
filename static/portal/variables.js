// A JSON object of variables as rows of name and value. The textarea stays the form's field:
// rows write to it, and gettext("Edit as JSON") shows it.
import { make } from "./make.js";
import { gettext } from "./words.js";

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function row(name, value, original, changed) {
  const nameInput = make("input", { className: "input", value: name, placeholder: "name" });
  const valueInput = make("input", { className: "input", value: shown(value), placeholder: "value" });
  nameInput.setAttribute("aria-label", gettext("Name of the variable"));
  valueInput.setAttribute("aria-label", gettext("Value of the variable"));
  const remove = make("button", { type: "button", className: "icon-button", title: "Remove" }, "close");
  remove.setAttribute("aria-label", gettext("Remove this variable"));
  const line = make("div", { className: "variable-row" }, nameInput, valueInput, remove);
  // What was not a text stays what it was, as long as nobody types over it.
  line.read = () => [
    nameInput.value.trim(),
    valueInput.value === shown(value) ? original : valueInput.value,
  ];
  for (const input of [nameInput, valueInput]) input.addEventListener("input", changed);
  remove.addEventListener("click", () => {
    line.remove();
    changed();
  });
  return line;
}

function enhance(box) {
  const text = box.querySelector("textarea");
  if (text.name.includes("__prefix__") || box.dataset.ready) return;
  box.dataset.ready = "1";
  const rows = make("div", { className: "variable-rows" });
  const empty = make("p", { className: "subtle" }, "No variables yet.");
  const add = make("button", { type: "button", className: "button" }, "Add variable");
  const mode = make("button", { type: "button", className: "button button-quiet" }, gettext("Edit as JSON"));
  const complaint = make("p", { className: "complaint", hidden: true });
  complaint.setAttribute("role", "alert");

  function changed() {
    const pairs = [...rows.children].map((line) => line.read()).filter(([name]) => name);
    text.value = JSON.stringify(Object.fromEntries(pairs), null, 2);
    empty.hidden = rows.children.length > 0;
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function build() {
    let values;
    try {
      values = JSON.parse(text.value || "{}");
      if (values === null || typeof values !== "object" || Array.isArray(values)) throw new Error();
    } catch {
      complaint.textContent = gettext('This is not a JSON object such as {"name": "value"}.');
      complaint.hidden = false;
      return false;
    }
    complaint.hidden = true;
    rows.replaceChildren(
      ...Object.entries(values).map(([name, value]) => row(name, value, value, changed)),
    );
    empty.hidden = rows.children.length > 0;
    return true;
  }

  function showJson(on) {
    text.hidden = !on;
    rows.hidden = add.hidden = on;
    if (on) empty.hidden = true;
    mode.textContent = on ? gettext("Edit as rows") : gettext("Edit as JSON");
  }

  add.addEventListener("click", () => {
    rows.append(row("", "", "", changed));
    empty.hidden = true;
    rows.lastElementChild.querySelector("input").focus();
  });
  mode.addEventListener("click", () => {
    if (!text.hidden && !build()) return;
    showJson(text.hidden);
  });
  box.append(rows, empty, complaint, make("div", { className: "buttons" }, add, mode));
  showJson(!build());
}

const enhanceAll = () => document.querySelectorAll("[data-variables]").forEach(enhance);
document.addEventListener("formset:added", enhanceAll);
enhanceAll();
