// A device's supervisor: what it says now, its buttons, and what was asked of it.
import { make, whenShown } from "./make.js";

const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
const one = (name) => document.querySelector(`[data-${name}]`);
const box = one("supervisor");
const { supervisor: lookUrl, call: callUrl, word } = box.dataset;

async function ask(url, body) {
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

function badge(text, tone, title = "") {
  return make("span", { className: `badge badge-${tone}`, title }, text);
}

function showCalls(calls) {
  one("no-calls").hidden = calls.length > 0;
  one("calls").replaceChildren(...calls.map((call) => make("tr", {},
    make("td", { className: "mono" }, call.what),
    make("td", {}, badge(call.status ? `${call.state} (${call.status})` : call.state, call.tone),
      make("div", { className: "subtle" }, call.reason)),
    make("td", { className: "wide" }, call.actor),
    make("td", { className: "wide" }, make("time", { dateTime: call.at }, new Date(call.at).toLocaleString())))));
}

function showState({ device, state, version, key, calls }) {
  one("version").textContent = version || "-";
  // A badge that the portal made.
  one("key").innerHTML = key;
  const told = device.value ?? {};
  if (told.os_version) one("os").textContent = told.os_version;
  const text = device.error ?? [told.status, told.update_pending && "update pending"].filter(Boolean).join(", ");
  one("status").replaceChildren(badge(text || "answers", device.error ? "bad" : "good"));
  const containers = state.value?.containers ?? [];
  one("services").hidden = containers.length === 0;
  one("services").querySelector("tbody").replaceChildren(...containers.map((container) => make("tr", {},
    make("td", {}, container.serviceName),
    make("td", {}, badge(container.status, container.status === "Running" ? "good" : "warn")))));
  showCalls(calls);
}

async function look() {
  try {
    showState(await ask(lookUrl));
  } catch (error) {
    one("status").replaceChildren(badge(error.message, "bad"));
  }
}

function say(text, isError) {
  one("call-error").hidden = !isError;
  one("call-said").hidden = isError;
  one(isError ? "call-error" : "call-said").textContent = text;
}

async function call(button, body) {
  button.disabled = true;
  try {
    const told = await ask(callUrl, { name: button.dataset.name, ...body });
    const value = typeof told.value === "string" ? told.value : told.value?.Data ?? "done";
    say(told.error ?? `${button.textContent}: ${value}`, Boolean(told.error));
    showCalls(told.calls);
  } catch (error) {
    say(error.message, true);
  }
  button.disabled = false;
}

const form = one("confirm-call");
let chosen = null;

function confirm(button) {
  chosen = button;
  form.reset();
  form.hidden = false;
  one("confirm-label").textContent = `${button.textContent}.`;
  one("confirm-effect").textContent = button.dataset.effect;
  one("confirm-yes").textContent = button.textContent;
  one("force-label").style.display = "force" in button.dataset ? "" : "none";
  form.elements.confirm.focus();
}

whenShown(box, look);
one("buttons")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-name]");
  if (!button) return;
  if ("serious" in button.dataset || "force" in button.dataset) confirm(button);
  else call(button, {});
});
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { confirm: typed, force } = form.elements;
  if (typed.value !== word) {
    say(`To confirm, type the name of the device: ${word}.`, true);
    return;
  }
  form.hidden = true;
  await call(chosen, { confirm: typed.value, force: force.checked });
});
one("confirm-no")?.addEventListener("click", () => {
  form.hidden = true;
});
one("journal-load")?.addEventListener("click", async (event) => {
  event.target.disabled = true;
  const { journal } = await ask(`${lookUrl}?journal=1`).catch((error) => ({ journal: { error: error.message } }));
  one("journal").hidden = false;
  one("journal").textContent = journal.error ?? journal.value ?? "";
  event.target.disabled = false;
});
