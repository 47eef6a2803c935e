// The bell on every page tells how many notifications are unread, as soon as there are more.
import { listen } from "./live.js";

const bell = document.getElementById("bell");

async function count() {
  const answer = await fetch("/api/v1/notifications/notification/?unread=true&page_size=1", {
    credentials: "same-origin",
    headers: { Accept: "application/json" },
  }).catch(() => null);
  if (!answer?.ok) return;
  const { count: found } = await answer.json();
  bell.querySelector(".bell-count").textContent = found > 99 ? "99+" : found || "";
}

if (bell) listen("notification", count);
