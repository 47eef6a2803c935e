// Before a change that touches devices is saved: say how many, and ask once.
import { gettext } from "./words.js";
const dialog = document.querySelector("[data-confirm]");
const banner = document.querySelector("[data-affected]");
const form = document.querySelector("#template_form");
const affected = Number(banner?.dataset.affected ?? 0);
const state = () => JSON.stringify([...new FormData(form)].filter(([name]) => name !== "preview_device"));

if (dialog && form) {
  const atStart = state();
  const spreads = ["required", "default"].map((name) => form.elements[name]).filter(Boolean);
  const ticked = spreads.map((box) => box.checked);
  let confirmed = false;
  let button = null;

  form.addEventListener("submit", (event) => {
    const spreading = spreads.some((box, at) => box.checked && !ticked[at]);
    if (confirmed || state() === atStart || (!affected && !spreading)) return;
    event.preventDefault();
    // Others that listen would take the page for left with its changes.
    event.stopImmediatePropagation();
    button = event.submitter;
    const waves = dialog.querySelector("[data-confirm-waves]");
    if (waves) waves.hidden = spreading;
    if (spreading) {
      dialog.querySelector("h2").textContent = "Apply to every device it belongs to?";
      dialog.querySelector("[data-confirm-text]").textContent =
        gettext("A template that is required or by default joins every configuration of its backend in its organization, or in all of them where it is shared.");
      dialog.querySelector("[data-confirm-yes]").textContent = "Save and apply";
    }
    dialog.showModal();
  }, { capture: true });
  dialog.querySelector("[data-confirm-yes]").addEventListener("click", () => {
    confirmed = true;
    dialog.close();
    form.requestSubmit(button);
  });
  dialog.querySelector("[data-confirm-waves]")?.addEventListener("click", () => {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "_in_waves", value: "1" }));
    dialog.querySelector("[data-confirm-yes]").click();
  });
  dialog.querySelector("[data-confirm-no]").addEventListener("click", () => dialog.close());
}
