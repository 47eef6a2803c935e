// The form that adds a device over SSH: what was typed, secrets too, stays while the portal tests it.
import { gettext } from "./words.js";
const form = document.querySelector("[data-connection-test]");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  const buttons = [...form.querySelectorAll("button")];
  const body = new FormData(form, button);
  const label = button?.textContent;
  for (const one of buttons) one.disabled = true;
  if (button) button.textContent = gettext("Testing…");
  const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" }).catch(() => null);
  if (answer?.ok && answer.redirected) {
    location.assign(answer.url);
    return;
  }
  for (const one of buttons) one.disabled = false;
  if (button) button.textContent = label;
  const report = document.getElementById("report");
  if (!answer) {
    report.textContent = gettext("The portal did not answer. Try again.");
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of form.querySelectorAll("[data-swap][id]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh) continue;
    for (const field of part.querySelectorAll("input, textarea, select")) keep(field, fresh);
    part.innerHTML = fresh.innerHTML;
    for (const field of fresh.querySelectorAll("input, textarea, select")) restore(field, part);
  }
  (form.querySelector(".errors input, .errors select, .errors textarea") ?? report).focus?.();
});

const same = (field, place) => [...place.querySelectorAll("input, textarea, select")].find((one) => one.id === field.id && one.id);

function keep(field, fresh) {
  const twin = same(field, fresh);
  if (!twin) return;
  if (field.type === "checkbox") twin.checked = field.checked;
  else twin.value = field.value;
}

function restore(field, part) {
  const twin = same(field, part);
  if (!twin) return;
  if (field.type === "checkbox") twin.checked = field.checked;
  else twin.value = field.value;
}
