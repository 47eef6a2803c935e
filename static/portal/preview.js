// What the configuration on the page comes to, rendered by the server while it is edited.
import { Files } from "./files.js";
import { make, whenShown } from "./make.js";
import { filled, gettext } from "./words.js";

const PAUSE = 300;
const JSON_FIELDS = new Set(["templates", "config", "context", "default_values"]);

class Preview {
  constructor(box) {
    this.box = box;
    this.form = box.closest("form");
    this.fields = JSON.parse(box.dataset.fields);
    this.part = (name) => box.querySelector(`[data-preview-${name}]`);
    this.files = new Files(this.part("tabs"), this.part("view"));
    this.compare = false;
    this.part("compare").addEventListener("click", () => {
      this.compare = !this.compare;
      this.draw();
    });
    for (const event of ["input", "change"]) {
      this.form.addEventListener(event, () => this.soon());
    }
    this.ask();
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  state() {
    const sent = {};
    for (const [name, field] of Object.entries(this.fields)) {
      const value = this.form.elements[field]?.value ?? "";
      try {
        sent[name] = JSON_FIELDS.has(name) ? JSON.parse(value || (name === "templates" ? "[]" : "{}")) : value;
      } catch (error) {
        throw new Error(`${name.replace("_", " ")}: not valid JSON yet (${error.message})`);
      }
    }
    return sent;
  }

  async ask() {
    let body;
    try {
      body = JSON.stringify(this.state());
    } catch (error) {
      this.complain(error.message);
      return;
    }
    if (body === this.asked) return;
    this.asked = body;
    this.flight?.abort();
    this.flight = new AbortController();
    this.part("state").textContent = gettext("Rendering…");
    const start = performance.now();
    try {
      const answer = await fetch(this.box.dataset.preview, {
        method: "POST",
        body,
        signal: this.flight.signal,
        credentials: "same-origin",
        headers: {
          "Content-Type": "application/json",
          "X-CSRFToken": this.form.querySelector("[name=csrfmiddlewaretoken]").value,
        },
      });
      if (!answer.ok) throw new Error(answer.status === 403 ? "You may not preview this." : `The server answered ${answer.status}.`);
      this.told = await answer.json();
      this.took = Math.round(performance.now() - start);
      this.draw();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.asked = null;
      this.complain(error.message);
    }
  }

  complain(text) {
    const error = this.part("error");
    error.textContent = text;
    error.hidden = !text;
    this.box.classList.toggle("stale", Boolean(text));
    if (text) this.part("state").textContent = "";
  }

  draw() {
    const { files, error, undefined: missing = [], variables = [], applied, masked } = this.told;
    this.complain(error);
    if (!error) {
      const count = `${files.length} file${files.length === 1 ? "" : "s"}`;
      this.part("state").textContent = `${filled(gettext("%(count)s in %(time)s ms"), { count, time: this.took })}${masked ? ` · ${gettext("secrets hidden")}` : ""}`;
    }
    const warning = this.part("undefined");
    warning.hidden = !missing.length;
    warning.replaceChildren(
      make("b", {}, `${gettext("Not defined:")} `), missing.map((name) => `{{ ${name} }}`).join(", "),
      `. ${gettext("They are left as they are.")}`);
    this.drawVariables(variables);
    if (error) return;
    const compare = this.part("compare");
    compare.hidden = applied === undefined;
    compare.textContent = this.compare ? gettext("Show the files") : gettext("Compare with the device");
    this.files.show(files, this.compare && applied ? applied : undefined);
  }

  drawVariables(variables) {
    const box = this.part("variables");
    box.hidden = !variables.length;
    box.querySelector("tbody").replaceChildren(...variables.map(({ name, value, origin }) =>
      make("tr", {}, make("td", { className: "mono" }, name), make("td", { className: "mono" }, value),
        make("td", {}, origin))));
  }
}

for (const box of document.querySelectorAll("[data-preview]")) {
  whenShown(box, () => new Preview(box));
}
