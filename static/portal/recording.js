// Plays an asciicast: at the speed it had, long pauses shortened, or at once to its end.
import { screen } from "./screen.js";
import { filled, gettext } from "./words.js";

const LONGEST_PAUSE = 1.5;
const box = document.querySelector("[data-recording]");
const status = document.querySelector("[data-recording-status]");
const answer = await fetch(box.dataset.recording, { credentials: "same-origin" });
const [head, ...events] = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line));
const { terminal } = screen(box, { cols: head.width, rows: head.height, disableStdin: true });
let timer = null;

function show([, kind, text]) {
  if (kind === "o") terminal.write(text);
  if (kind === "r") terminal.resize(...text.split("x").map(Number));
}

function start() {
  clearTimeout(timer);
  terminal.reset();
  terminal.resize(head.width, head.height);
}

function play(at = 0) {
  if (at === events.length) {
    status.textContent = gettext("Its end.");
    return;
  }
  const pause = events[at][0] - (at ? events[at - 1][0] : 0);
  timer = setTimeout(() => {
    show(events[at]);
    play(at + 1);
  }, Math.min(pause, LONGEST_PAUSE) * 1000);
}

document.querySelector("[data-play]").addEventListener("click", () => {
  start();
  status.textContent = gettext("Playing …");
  play();
});
document.querySelector("[data-end]").addEventListener("click", () => {
  start();
  for (const event of events) show(event);
  status.textContent = gettext("Its end.");
});
for (const button of document.querySelectorAll("[data-play], [data-end]")) button.disabled = false;
status.textContent = events.length ? filled(gettext("%(count)s seconds"), { count: Math.round(events.at(-1)[0]) }) : gettext("It showed nothing.");
