// A terminal on a device: a ticket first, then a socket that carries what is typed and shown.
import { screen } from "./screen.js";
import { filled, gettext } from "./words.js";

const one = (name) => document.querySelector(`[data-terminal${name}]`);
const form = one("-form");
let socket = null;

function complain(text) {
  one("-error").hidden = !text;
  one("-error").textContent = text;
}

function connect(ticket) {
  const { terminal, fit } = screen(one(""));
  const size = () => ({ columns: terminal.cols, rows: terminal.rows });
  const status = one("-status");
  const typed = new TextEncoder();
  let said = "";
  fit.fit();
  status.textContent = gettext("Connecting …");
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/ws/terminal`);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "open", ticket, ...size() })));
  socket.addEventListener("message", ({ data }) => {
    if (typeof data !== "string") {
      status.textContent = gettext("Open");
      terminal.write(new Uint8Array(data));
      return;
    }
    const { type, message } = JSON.parse(data);
    if (type === "error") complain(message);
    if (!message) return;
    said = message;
    status.textContent = message;
  });
  socket.addEventListener("close", () => {
    if (!said) status.textContent = gettext("Closed");
    one("-close").hidden = true;
    one("-play").hidden = false;
    terminal.options.disableStdin = true;
    form.hidden = false;
  });
  terminal.onData((text) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(typed.encode(text));
  });
  terminal.onResize(() => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "resize", ...size() }));
  });
  new ResizeObserver(() => fit.fit()).observe(one(""));
  terminal.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  complain("");
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
  const told = await answer.json().catch(() => ({ error: filled(gettext("The portal answered %(status)s."), { status: answer.status }) }));
  if (!answer.ok) {
    complain(told.error);
    return;
  }
  form.hidden = true;
  one("-box").hidden = false;
  one("").replaceChildren();
  one("-close").hidden = false;
  one("-play").hidden = true;
  one("-play").href = told.play;
  connect(told.ticket);
});
// Until here a click would have sent the form like any other.
one("-open").disabled = false;
one("-close").addEventListener("click", () => {
  // The portal closes, once all of it is recorded; a socket not open yet has nothing to record.
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "close" }));
  else socket?.close();
});
