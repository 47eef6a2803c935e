// What the tabs of supervisors share: asking the portal, the last calls, and buttons of calls.
import { make } from "./make.js";
import { filled, gettext, shownTime } from "./words.js";

const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
export const one = (name) => document.querySelector(`[data-${name}]`);

export async function ask(url, body) {
  const answer = await fetch(url, {
    method: body ? "POST" : "GET",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: body && JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error ?? `The portal answered ${answer.status}.`);
  return told;
}

export function badge(text, tone, title = "") {
  return make("span", { className: `badge badge-${tone}`, title }, text);
}

export function showCalls(calls) {
  one("no-calls").hidden = calls.length > 0;
  one("calls").replaceChildren(...calls.map((call) => make("tr", {},
    make("td", { className: "mono" }, call.what),
    make("td", {}, badge(call.status ? `${call.state} (${call.status})` : call.state, call.tone),
      make("div", { className: "subtle" }, call.progress ?? "", call.reason)),
    make("td", { className: "wide" }, call.actor),
    make("td", { className: "wide" }, make("time", { dateTime: call.at }, shownTime(call.at))))));
}

function say(text, isError) {
  one("call-error").hidden = !isError;
  one("call-said").hidden = isError;
  one(isError ? "call-error" : "call-said").textContent = text;
}

/** Buttons with data-name make their call; those with data-serious or data-force ask first. */
export function wireCalls(callUrl, word, done = () => {}) {
  const form = one("confirm-call");
  if (!form) return;
  let chosen = null;

  async function call(button, body) {
    button.disabled = true;
    try {
      const { name, place } = button.dataset;
      const told = await ask(callUrl, { name, place, ...body });
      const value = typeof told.value === "string" ? told.value : told.value?.Data ?? "done";
      say(told.error ?? `${button.textContent}: ${value}`, Boolean(told.error));
      showCalls(told.calls);
      done();
    } catch (error) {
      say(error.message, true);
    }
    button.disabled = false;
  }

  function confirm(button) {
    chosen = button;
    form.reset();
    form.hidden = false;
    const of = button.dataset.of ? ` (${button.dataset.of})` : "";
    one("confirm-label").textContent = `${button.textContent}${of}.`;
    one("confirm-effect").textContent = button.dataset.effect;
    one("confirm-yes").textContent = button.textContent;
    one("force-label").style.display = "force" in button.dataset ? "" : "none";
    form.elements.confirm.focus();
  }

  document.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("button[data-name]");
    if (!button) return;
    if ("serious" in button.dataset || "force" in button.dataset) confirm(button);
    else call(button, {});
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { confirm: typed, force } = form.elements;
    if (typed.value !== word) {
      say(filled(gettext("To confirm, type the name of the device: %(name)s."), { name: word }), true);
      return;
    }
    form.hidden = true;
    await call(chosen, { confirm: typed.value, force: force.checked });
  });
  one("confirm-no").addEventListener("click", () => {
    form.hidden = true;
  });
}
