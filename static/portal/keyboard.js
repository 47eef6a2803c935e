// unfold's switches are links and boxes without focus: give them one, and let Enter and the
// space bar press them. Again after htmx has brought new ones.
const SWITCHES =
  "a:not([href])[x-on\\:click], div[x-on\\:click]:not([x-show]), span[x-on\\:click], " +
  "nav span[x-on\\:click]";

function reachable(root) {
  for (const element of root.querySelectorAll(SWITCHES)) {
    if (!element.hasAttribute("tabindex")) element.tabIndex = 0;
    if (!element.hasAttribute("role")) element.setAttribute("role", "button");
  }
}

document.addEventListener("keydown", (event) => {
  const pressed = event.key === "Enter" || event.key === " ";
  const target = /** @type {HTMLElement} */ (event.target);
  if (!pressed || !target.matches?.(SWITCHES)) return;
  event.preventDefault();
  target.click();
});
document.addEventListener("htmx:afterSettle", (event) => reachable(event.target));
reachable(document);

// Shortcuts: what the list that "?" opens says. "g" and the letter of a link in it goes there.
const help = document.getElementById("shortcuts");
const SECONDS = 1.5;
let wentAt = -Infinity;

/** The link of the row that comes so many rows after the one in which the focus is. */
function moveRow(step) {
  const rows = [...document.querySelectorAll("#result_list tbody tr.data-row")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
  row?.querySelector("th a, td a")?.focus();
}

function select() {
  document.activeElement.closest("tr.data-row")?.querySelector(".action-select")?.click();
}

function press(key, at) {
  if (at - wentAt < SECONDS * 1000) {
    wentAt = -Infinity;
    help.querySelector(`[data-key="${key}"]`)?.click();
    return;
  }
  if (key === "g") wentAt = at;
  if (key === "?") help.showModal();
  if (key === "j" || key === "k") moveRow(key === "j" ? 1 : -1);
  if (key === "x") select();
}

if (help) {
  document.querySelector("[data-shortcuts]")?.addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    const types = /** @type {Element} */ (event.target).closest("input, textarea, select, [contenteditable], .xterm, dialog");
    if (types || event.ctrlKey || event.metaKey || event.altKey) return;
    press(event.key.toLowerCase(), event.timeStamp);
  });
}

// select2 draws a list of its own in place of a select; it gets the select's name.
addEventListener("load", () => {
  for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
    const label = document.querySelector(`label[for="${CSS.escape(select.id)}"]`)?.textContent.replace("*", "").trim();
    const drawn = select.nextElementSibling;
    for (const part of drawn?.querySelectorAll(".select2-selection, .select2-selection__rendered") ?? []) {
      part.setAttribute("aria-label", label || select.name);
    }
  }
});
