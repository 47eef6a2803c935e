// Former configurations of a device: what going back to one would change, and going back.
import { Files } from "./files.js";
import { gettext } from "./words.js";

const DONE = "muster.restored";
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;

async function ask(url, method = "GET") {
  const answer = await fetch(url, {
    method,
    credentials: "same-origin",
    headers: { Accept: "application/json", "X-CSRFToken": token },
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(Object.values(told).flat().join(" ") || `The server answered ${answer.status}.`);
  return told;
}

for (const panel of document.querySelectorAll("[data-snapshots]")) {
  const part = (name) => panel.querySelector(`[data-snapshot-${name}]`);
  const files = new Files(part("tabs"), part("view"));
  const url = (id) => `${panel.dataset.snapshots}${id}/`;
  let chosen = null;

  const complain = (text) => {
    part("error").textContent = text;
    part("error").hidden = !text;
  };

  const told = sessionStorage.getItem(DONE);
  if (told) {
    sessionStorage.removeItem(DONE);
    panel.querySelector(".panel-head").after(
      Object.assign(document.createElement("p"), { className: "done-note", textContent: told }),
    );
    panel.querySelector(".done-note").setAttribute("role", "status");
  }

  const compare = async (id) => {
    const current = panel.dataset.current;
    const [one, now] = await Promise.all([ask(url(id)), id === current ? null : ask(url(current))]);
    chosen = id;
    part("box").hidden = false;
    const changes = one.same ? gettext("Changes if you go back") : gettext("Differences from the desired configuration");
    part("title").textContent = now ? changes : gettext("Desired configuration");
    const notes = now ? one.notes : [];
    part("notes").textContent = `${one.restorable ? `${gettext("Not everything can be restored.")} ` : ""}${notes.join(" ")}`;
    part("notes").hidden = !notes.length;
    const back = part("restore");
    if (back) {
      // A button that cannot be pressed says why: the notes above it.
      back.hidden = !now;
      back.disabled = !one.restorable;
      const partly = one.restorable ? gettext("Restore what is possible") : gettext("Cannot be restored");
      back.textContent = one.same ? gettext("Go back to it") : partly;
      back.classList.toggle("button-primary", one.same);
    }
    const before = now && Object.fromEntries(now.files.map((file) => [file.path, file.text]));
    if (before) files.path = one.files.find((file) => before[file.path] !== file.text)?.path;
    files.show(one.files, before ?? undefined);
    part("box").scrollIntoView({ block: "nearest" });
  };

  for (const button of panel.querySelectorAll("[data-snapshot]")) {
    button.addEventListener("click", () => {
      complain("");
      for (const row of panel.querySelectorAll("tr[aria-current]")) row.removeAttribute("aria-current");
      button.closest("tr").setAttribute("aria-current", "true");
      compare(button.dataset.snapshot).catch((error) => complain(error.message));
    });
  }
  part("restore")?.addEventListener("click", async (event) => {
    event.target.disabled = true;
    try {
      await ask(`${url(chosen)}restore/`, "POST");
      sessionStorage.setItem(DONE, gettext("The earlier configuration is restored and is being sent to the device."));
      location.hash = "history";
      location.reload();
    } catch (error) {
      complain(error.message);
      event.target.disabled = false;
    }
  });
}
