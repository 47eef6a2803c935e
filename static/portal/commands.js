// Commands: asked for by their kind's inputs, sent over the API, and watched while they run.
import { isServed, listen } from "./live.js";
import { make, whenShown } from "./make.js";
import { filled, gettext, shownTime } from "./words.js";

// What a command says is told while it runs; where nobody tells, it is asked for.
const PAUSE = isServed ? 10000 : 1000;
const SHOWN = 20;
const TONES = { success: "good", failed: "bad", unknown: "warn", cancelled: "mute" };
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;

async function ask(url, method = "GET", body = undefined) {
  const answer = await fetch(url, {
    method,
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
    body: body && JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(Object.values(told).flat().join(" ") || `The server answered ${answer.status}.`);
  return told;
}

/** The inputs of the chosen kind; what they hold is kept in the form's field "input". */
class Kinds {
  constructor(box) {
    this.box = box;
    this.kinds = JSON.parse(box.querySelector("script").textContent);
    this.choice = box.querySelector("[name=type]");
    this.inputs = box.querySelector("[data-kind-inputs]");
    this.choice.addEventListener("change", () => this.draw());
    this.inputs.addEventListener("input", () => this.keep());
    this.draw();
  }

  draw() {
    const kind = this.kinds[this.choice.value];
    this.fields = kind.fields.map((field) => this.input(field));
    this.inputs.replaceChildren(...this.fields.map((input, at) => make("label", {}, kind.fields[at].title, input)));
    if (kind.warns) this.inputs.append(this.confirmation());
    this.keep();
  }

  input({ name, pattern, minLength, maxLength, secret }) {
    const input = make("input", {
      className: "input mono", type: secret ? "password" : "text", required: true, minLength, maxLength,
      autocomplete: secret ? "new-password" : "off", spellcheck: false, data: { name },
    });
    // The schema finds the pattern anywhere, the browser wants it to be the whole.
    if (pattern?.startsWith("^")) input.pattern = pattern.slice(1, -1);
    return input;
  }

  confirmation() {
    const { word } = this.box.dataset;
    const input = make("input", { className: "input mono", type: "text", required: true, autocomplete: "off" });
    const check = () => input.setCustomValidity(input.value === word ? "" : filled(gettext("Type “%(word)s” to confirm."), { word }));
    input.addEventListener("input", check);
    check();
    return make("label", {}, `${gettext("To confirm, type")} `, make("b", {}, word), input);
  }

  keep() {
    const given = this.fields.length ? Object.fromEntries(this.fields.map((one) => [one.dataset.name, one.value])) : null;
    this.box.querySelector("[name=input]").value = JSON.stringify(given);
  }

  get value() {
    return { type: this.choice.value, input: JSON.parse(this.box.querySelector("[name=input]").value) };
  }
}

/** One command as it is shown, asked after each second while it runs. */
class Shown {
  constructor(tag, url, told, cancels) {
    this.url = url;
    this.badge = make("span", { className: "badge" });
    this.output = make("pre", { className: "file output", tabIndex: 0, aria: { label: "Output" } });
    this.stop = make("button", { type: "button", className: "button button-quiet", hidden: true }, "Cancel");
    this.stop.addEventListener("click", () => this.ask(`${url}cancel/`, "POST"));
    const when = make("time", { className: "subtle", dateTime: told.created }, shownTime(told.created));
    this.cancels = cancels;
    this.element = make(tag, { className: "command" },
      make("div", { className: "command-head" }, this.badge, make("b", {}, told.type),
        make("code", { className: "mono" }, told.input), when, this.stop),
      this.output);
    this.show(told);
    listen("command.update", (event) => {
      if (event?.id === told.id) this.show({ ...told, ...event.data, type: told.type });
    });
  }

  show(told) {
    const runs = told.status === "in-progress";
    const text = told.exit_status ? `${told.status} (${told.exit_status})` : told.status.replace("-", " ");
    this.badge.className = `badge badge-${TONES[told.status] ?? "busy"}`;
    this.badge.textContent = text.charAt(0).toUpperCase() + text.slice(1);
    this.stop.hidden = !(runs && this.cancels);
    this.output.hidden = !told.output;
    if (this.output.textContent !== told.output) {
      const atEnd = this.output.scrollTop + this.output.clientHeight >= this.output.scrollHeight - 4;
      this.output.textContent = told.output;
      if (atEnd && runs) this.output.scrollTop = this.output.scrollHeight;
    }
    clearTimeout(this.timer);
    if (runs) this.timer = setTimeout(() => this.ask(this.url), PAUSE);
  }

  async ask(url, method) {
    try {
      this.show(await ask(url, method));
      this.element.title = "";
    } catch (error) {
      // The portal may be away for a moment; the command goes on without it.
      this.element.title = error.message;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(this.url), PAUSE);
    }
  }
}

async function list(box) {
  const url = box.dataset.commands;
  const none = document.querySelector("[data-commands-none]");
  const add = (told) => new Shown("li", `${url}${told.id}/`, told, "cancels" in box.dataset).element;
  const told = await ask(`${url}?page_size=${SHOWN}`);
  box.replaceChildren(...told.results.map(add));
  none.hidden = told.results.length > 0;
  return (one) => {
    box.prepend(add(one));
    none.hidden = true;
  };
}

for (const box of document.querySelectorAll("[data-command]")) {
  const show = (told) => box.replaceChildren(new Shown("div", box.dataset.command, told, false).element);
  ask(box.dataset.command).then(show, (error) => box.append(error.message));
}
for (const box of document.querySelectorAll("[data-commands]")) {
  whenShown(box, async () => {
    const form = document.querySelector("[data-commands-form]");
    const added = await list(box);
    if (!form) return;
    const kinds = new Kinds(form.querySelector("[data-kinds]"));
    const button = form.querySelector("button");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const complaint = form.querySelector("[data-commands-error]");
      button.disabled = true;
      try {
        added(await ask(box.dataset.commands, "POST", kinds.value));
        complaint.hidden = true;
        kinds.draw();
      } catch (error) {
        complaint.textContent = error.message;
        complaint.hidden = false;
      }
      button.disabled = false;
    });
    button.disabled = false;
  });
}
for (const form of document.querySelectorAll("[data-kinds-form]")) new Kinds(form.querySelector("[data-kinds]"));
