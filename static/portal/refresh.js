// A part of a page that is fetched again when something happened to it (data-refresh-on), or, where
// nothing reports that, every second; until it says that it is done.
import { isServed, listen } from "./live.js";

const PAUSE = isServed ? 10000 : 1000;
const BREATH = 300;

const isUsed = (box) =>
  (box.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) ||
  [...box.querySelectorAll("input")].some((one) => one.checked || (one.type === "datetime-local" && one.value));

for (const box of document.querySelectorAll("[data-refresh]")) {
  let timer = null;
  let due = Infinity;
  // A sooner time counts: events that keep coming must not put it off for ever.
  const wait = (pause) => {
    if (performance.now() + pause >= due) return;
    due = performance.now() + pause;
    clearTimeout(timer);
    timer = setTimeout(again, pause);
  };
  const again = async () => {
    due = Infinity;
    if (!document.hidden) {
      const answer = await fetch(box.dataset.refresh, { credentials: "same-origin" }).catch(() => null);
      // What somebody is about to use stays as it is.
      if (answer?.ok && !isUsed(box)) box.innerHTML = await answer.text();
    }
    if (!box.querySelector("[data-refresh-done]")) wait(PAUSE);
  };
  if (!box.querySelector("[data-refresh-done]")) wait(PAUSE);
  if (box.dataset.refreshOn) listen(box.dataset.refreshOn, () => wait(BREATH));
}
