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
  if (!pressed || !event.target.matches?.(SWITCHES)) return;
  event.preventDefault();
  event.target.click();
});
document.addEventListener("htmx:afterSettle", (event) => reachable(event.target));
reachable(document);
