// A balena device's supervisor: what it says now, its buttons, and what was asked of it.
import { make, whenShown } from "./make.js";
import { ask, badge, one, showCalls, wireCalls } from "./supervisor-calls.js";
import { gettext } from "./words.js";

const box = one("supervisor");
const { supervisor: lookUrl, call: callUrl, word } = box.dataset;

function showState({ device, state, version, key, calls }) {
  one("version").textContent = version || "-";
  // A badge that the portal made.
  one("key").innerHTML = key;
  const told = device.value ?? {};
  if (told.os_version) one("os").textContent = told.os_version;
  const text = device.error ?? [told.status, told.update_pending && gettext("update pending")].filter(Boolean).join(", ");
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

whenShown(box, look);
wireCalls(callUrl, word);
one("journal-load")?.addEventListener("click", async (event) => {
  event.target.disabled = true;
  const { journal } = await ask(`${lookUrl}?journal=1`).catch((error) => ({ journal: { error: error.message } }));
  one("journal").hidden = false;
  one("journal").textContent = journal.error ?? journal.value ?? "";
  event.target.disabled = false;
});
