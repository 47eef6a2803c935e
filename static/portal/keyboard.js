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

/** Give the list that select2 draws in place of a select the name of the select. */
function nameDrawn(select) {
  const label = document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
  const name = label?.textContent.replace("*", "").trim() || select.getAttribute("aria-label") || select.name;
  const drawn = select.parentElement.querySelector(".select2-container");
  const box = drawn?.querySelector(".select2-selection");
  const value = drawn?.querySelector(".select2-selection__rendered");
  if (!box || !value) return;
  box.removeAttribute("aria-labelledby");
  box.setAttribute("aria-label", [name, value.textContent.trim()].filter(Boolean).join(": "));
  // The text in the box is no text box of its own.
  value.removeAttribute("role");
  value.removeAttribute("aria-readonly");
}

/** Name what select2 draws, now and whenever it draws or chooses something. */
function nameAllDrawn() {
  const { jQuery } = window.django ?? {};
  if (!jQuery) return;
  const names = () => document.querySelectorAll("select.select2-hidden-accessible").forEach(nameDrawn);
  names();
  jQuery(document).on("select2:select select2:clear formset:added", () => setTimeout(names));
  jQuery(document).on("select2:open", (event) => {
    const field = document.querySelector(".select2-container--open .select2-search__field");
    field?.setAttribute("aria-label", event.target.parentElement.querySelector(".select2-selection")?.getAttribute("aria-label") ?? "");
  });
}
if (document.readyState === "complete") nameAllDrawn();
else addEventListener("load", nameAllDrawn);
