// What happens is heard over one WebSocket, and shown without anybody asking again.
//
// <section id="…" data-live="device.* config.status" data-live-id="…">: its contents are fetched
// again when such an event comes (of that row, where an id is given). Other scripts call listen().
const SHORTEST = 1000;
const LONGEST = 30000;
const PAUSE = 500;
// Lists of the admin, by the class that their page has.
const LISTS = {
  "model-device": "device.status config.status",
  "model-command": "command.update",
  "model-rollout": "rollout.progress",
  "model-devicebatch": "batch.progress",
  "model-notification": "notification",
  "model-enrollment": "device.enrollment",
  "model-gateway": "gateway.status",
  "model-change": "change.progress",
  "model-changeset": "change.progress",
  "model-scan": "discovery.progress",
  "model-node": "network.changed",
  "model-network": "network.changed",
  "model-home": "home.alert",
  "model-homealert": "home.alert",
  "model-commandbatch": "command.update",
};

/** Whether the server of this page has sockets; one for development may not. */
export const isServed = "sockets" in document.documentElement.dataset;
const heard = [];
let wait = SHORTEST;

/** Calls back with each event whose type fits one of the patterns, and after a gap with null. */
export function listen(patterns, callback) {
  const fits = patterns.split(" ").map((one) => new RegExp(`^${one.replaceAll(".", "\\.").replaceAll("*", ".*")}$`));
  heard.push((event) => (event === null || fits.some((one) => one.test(event.type))) && callback(event));
  if (heard.length === 1 && isServed) open();
}

function open(again = false) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/v1/ws/events`);
  socket.addEventListener("message", ({ data }) => {
    const event = JSON.parse(data);
    if (event.type === "ready") {
      wait = SHORTEST;
      document.documentElement.dataset.sockets = "open";
      if (again) for (const tell of heard) tell(null);
      else catchUp();
    } else if (event.data) {
      for (const tell of heard) tell(event);
    }
  });
  socket.addEventListener("close", ({ code }) => {
    document.documentElement.dataset.sockets = "closed";
    // Who is no longer signed in has to do so first.
    if (code === 4401 || code === 4403) return;
    setTimeout(() => open(true), wait);
    wait = Math.min(wait * 2, LONGEST);
  });
}

/** The parts of this page to fetch again, together and not more often than needed. */
const stale = new Set();
let timer = null;

function refresh(part) {
  stale.add(part);
  if (timer === null) timer = setTimeout(fetchParts, PAUSE);
}

/** What was under way may have come to its end before this page could hear of it. */
function catchUp() {
  for (const part of document.querySelectorAll("[data-live][id]")) {
    if (part.querySelector(part.dataset.liveId ? ".badge-busy, .badge-warn" : ".badge-busy")) refresh(part);
  }
}

async function fetchParts() {
  const parts = [...stale];
  stale.clear();
  const answer = document.hidden ? null : await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  timer = null;
  if (document.hidden) for (const part of parts) stale.add(part);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const fresh = page.getElementById(part.id);
    // What somebody is about to use stays as it is.
    const used = part.contains(document.activeElement) || part.querySelector("input[type=checkbox]:checked");
    if (!fresh || used) continue;
    part.innerHTML = fresh.innerHTML;
    // The boxes that select rows are new ones.
    const boxes = part.id === "result_list" ? part.querySelectorAll("input.action-select") : [];
    if (boxes.length) window.Actions?.(boxes, { parent: part.closest("form") });
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && stale.size && timer === null) timer = setTimeout(fetchParts, 0);
});

for (const [name, patterns] of Object.entries(LISTS)) {
  const table = document.body.classList.contains(name) && document.getElementById("result_list");
  if (table) table.dataset.live = patterns;
}
for (const part of document.querySelectorAll("[data-live][id]")) {
  const { live, liveId } = part.dataset;
  listen(live, (event) => (event === null || !liveId || event.id === liveId) && refresh(part));
}
