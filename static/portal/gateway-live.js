// The live view of a gateway: its parts are fetched one after the other, so that the gateway is
// asked one thing at a time, and again after a pause while the page is seen.
const PAUSE = 15000;
const parts = [...document.querySelectorAll("[data-part]")];

async function fill(box, url, options = {}) {
  box.setAttribute("aria-busy", "true");
  const answer = await fetch(url, { credentials: "same-origin", ...options }).catch(() => null);
  box.removeAttribute("aria-busy");
  if (answer?.ok) box.innerHTML = await answer.text();
  else box.textContent = `The portal does not answer${answer ? ` (status ${answer.status})` : ""}.`;
}

async function readAll() {
  for (const box of parts) if (!document.hidden) await fill(box, box.dataset.part);
  setTimeout(readAll, PAUSE);
}

for (const form of document.querySelectorAll("[data-tool]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const box = form.parentElement.querySelector("[data-answer]");
    await fill(box, form.action, { method: "POST", body: new FormData(form) });
    button.disabled = false;
  });
}
if (parts.length) readAll();
