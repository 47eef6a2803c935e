// A configuration as a form made from the backend's schema, or as JSON. The textarea is what
// the page sends. The form writes to it only after somebody has changed something, and it is
// not offered for a configuration that it would not give back exactly as it is.
import { editJson } from "./code.js";
import { make, whenShown } from "./make.js";
import { defineTheme } from "./editor-theme.js";
import { filled, gettext } from "./words.js";

const schemas = new Map();

async function schemaOf(url) {
  if (!schemas.has(url)) {
    schemas.set(url, fetch(url, { credentials: "same-origin" }).then((answer) => {
      if (!answer.ok) throw new Error(`the schema could not be loaded (${answer.status})`);
      return answer.json();
    }));
  }
  return schemas.get(url);
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}
const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

const isEmpty = (value) =>
  value !== null && typeof value === "object" && !Object.keys(value).length;

function parsed(text) {
  const value = JSON.parse(text.trim() || "{}");
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error("a configuration is a JSON object");
  }
  return value;
}

class ConfigEditor {
  constructor(box) {
    this.box = box;
    this.text = box.querySelector("textarea");
    this.urls = JSON.parse(box.querySelector("script").textContent);
    this.backend = box.closest("form").querySelector("[name=config_backend], [name=backend]");
    this.text.hidden = true;
    this.turn = 0;
    this.modes = make("div", { className: "segmented", role: "group", aria: { label: "Edit as" } });
    this.asForm = make("button", { type: "button" }, gettext("Form"));
    this.asJson = make("button", { type: "button" }, "JSON");
    this.modes.append(this.asForm, this.asJson);
    this.note = make("p", { className: "subtle", role: "status" });
    this.sections = make("nav", { className: "sections", aria: { label: "Sections" } });
    this.formBox = make("div", { className: "schema-form" });
    this.codeBox = make("div", { className: "code-box" });
    box.append(this.modes, this.note, this.sections, this.formBox, this.codeBox);
    this.asForm.addEventListener("click", () => this.showForm());
    this.asJson.addEventListener("click", () => this.showJson());
    this.backend?.addEventListener("change", () => {
      if (this.text.value === this.untouched) this.text.value = "{}";
      if (this.mode === "form") this.showForm();
    });
    // The form reports a change a moment later; one that was typed just before Enter must not be lost.
    this.text.form?.addEventListener("submit", () => this.flush(), true);
    this.showForm();
  }

  flush() {
    if (this.mode !== "form" || !this.form) return;
    const value = this.form.getValue();
    if (!same(value, parsed(this.text.value))) this.write(value);
  }

  write(value) {
    this.text.value = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    this.text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  setMode(mode, note = "") {
    this.mode = mode;
    this.asForm.setAttribute("aria-pressed", String(mode === "form"));
    this.asJson.setAttribute("aria-pressed", String(mode === "json"));
    this.formBox.hidden = this.sections.hidden = mode !== "form";
    this.codeBox.hidden = mode !== "json";
    this.note.textContent = note;
  }

  showJson(note = "") {
    this.turn += 1;
    this.setMode("json", note);
    this.form?.destroy();
    this.form = null;
    this.code?.destroy();
    this.code = editJson(this.codeBox, this.text.value, (text) => this.write(text));
  }

  async showForm() {
    let value;
    try {
      value = parsed(this.text.value);
    } catch (error) {
      this.showJson(filled(gettext("Correct the JSON first: %(reason)s."), { reason: error.message }));
      return;
    }
    this.setMode("form", gettext("Loading the form…"));
    this.turn += 1;
    const turn = this.turn;
    try {
      const url = this.urls[this.backend?.value || Object.keys(this.urls)[0]];
      if (!url) throw new Error("choose a backend first");
      const schema = await schemaOf(url);
      // Somebody may have chosen the JSON, or another backend, meanwhile.
      if (turn === this.turn) await this.build(schema, value, turn);
    } catch (error) {
      this.showJson(filled(gettext("No form: %(reason)s. Here is the JSON."), { reason: error.message }));
    }
  }

  async build(schema, value, turn) {
    defineTheme();
    this.form?.destroy();
    this.formBox.replaceChildren();
    this.form = new window.JSONEditor(this.formBox, {
      schema: { ...schema, title: gettext("Configuration"), options: { compact: true } },
      startval: value,
      theme: "portal",
      ajax: false,
      use_name_attributes: false,
      display_required_only: true,
      disable_edit_json: true,
      disable_collapse: true,
      disable_array_delete_all_rows: true,
      disable_array_delete_last_row: true,
      disable_array_reorder: false,
      prompt_before_delete: false,
      show_errors: "interaction",
    });
    const form = this.form;
    await form.promise;
    await new Promise((done) => form.on("ready", done));
    if (turn !== this.turn) return;
    if (!Object.keys(value).length) {
      // What the schema requires from the start, as of a VPN server.
      this.write(form.getValue());
      this.untouched = this.text.value;
    } else if (!same(form.getValue(), value)) {
      this.showJson(gettext("The form cannot show all values of this configuration, so you edit it as JSON."));
      return;
    }
    this.setMode("form");
    this.properties = schema.properties;
    this.open = Object.keys(value).sort((a, b) => this.order(a) - this.order(b))[0];
    this.drawSections();
    form.on("change", () => {
      if (this.form !== form || same(form.getValue(), parsed(this.text.value))) return;
      this.write(form.getValue());
      this.drawSections();
    });
  }

  order(name) {
    return this.properties[name]?.propertyOrder ?? 1000;
  }

  title(name) {
    return this.properties[name]?.title || name;
  }

  drawSections() {
    const root = this.form.root;
    const present = Object.keys(root.editors);
    const all = [...new Set([...Object.keys(this.properties), ...present])]
      .sort((a, b) => this.order(a) - this.order(b));
    if (!present.includes(this.open)) this.open = all.find((name) => present.includes(name));
    this.sections.replaceChildren(
      ...all.filter((name) => present.includes(name)).map((name) => this.chip(name, true)),
      ...all.filter((name) => !present.includes(name)).map((name) => this.chip(name, false)),
    );
    for (const name of present) {
      root.editors[name].container.hidden = name !== this.open;
    }
    this.note.textContent = this.hint(present);
    this.formBox.hidden = !present.length;
  }

  hint(present) {
    if (!present.length) return gettext("No configuration yet. Choose a section.");
    const value = this.form.getValue();
    const empty = present.filter((name) => isEmpty(value[name])).map((name) => this.title(name));
    if (!empty.length) return "";
    return filled(gettext("Not configured yet: %(sections)s. Use “Choose fields…” or remove the section."), { sections: empty.join(", ") });
  }

  chip(name, present) {
    const chosen = present && name === this.open;
    const chip = make("button", {
      type: "button",
      className: `chip ${present ? "present" : ""}`,
      aria: { pressed: String(chosen) },
    }, present ? this.title(name) : `+ ${this.title(name)}`);
    chip.addEventListener("click", () => {
      this.open = name;
      if (present) this.drawSections();
      else this.add(name);
      this.focusChosen();
    });
    if (!chosen) return chip;
    const remove = make("button", { type: "button", className: "icon-button",
      aria: { label: `Remove ${this.title(name)}` }, title: `Remove ${this.title(name)}` }, "close");
    remove.addEventListener("click", () => {
      this.form.root.removeObjectProperty(name);
      this.settle();
      this.focusChosen();
    });
    return make("span", { className: "chip-group" }, chip, remove);
  }

  add(name) {
    this.form.root.addObjectProperty(name);
    const section = this.form.root.editors[name];
    section.setValue(section.getDefault());
    // Fields with a usual value are shown at once; "Choose fields…" has the others.
    for (const [field, schema] of Object.entries(section.schema.properties ?? {})) {
      if (!section.editors?.[field] && (schema.default !== undefined || schema.type === "boolean")) {
        section.addObjectProperty?.(field);
      }
    }
    section.refreshValue?.();
    this.settle();
  }

  /** Keep the focus in the list of sections, which has been drawn again. */
  focusChosen() {
    (this.sections.querySelector("[aria-pressed=true]") ?? this.sections.querySelector("button"))?.focus();
  }

  settle() {
    this.form.root.refreshValue();
    this.form.root.onChange(true);
    this.write(this.form.getValue());
    this.drawSections();
  }
}

for (const box of document.querySelectorAll("[data-config-editor]")) {
  whenShown(box, () => new ConfigEditor(box));
}
