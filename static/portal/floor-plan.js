// Devices on a floor plan: dragged, or moved with the arrow keys; each move is saved at once.
import { make, whenShown } from "./make.js";
import { pin } from "./world.js";
import { filled, gettext } from "./words.js";

const L = window.L;
const TONES = { online: "good", offline: "bad", unknown: "mute" };
const STEP = 10;
const ARROWS = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const SAVE_AFTER = 500;

for (const element of document.querySelectorAll("[data-board]")) {
  whenShown(element, () => start(element));
}

function start(element) {
  const board = JSON.parse(element.querySelector("script[type='application/json']").textContent);
  const token = element.querySelector("[name=csrfmiddlewaretoken]")?.value;
  const list = element.querySelector("[data-board-list]");
  const state = element.closest("section").querySelector("[data-board-state]");
  const plan = element.querySelector("[data-board-plan]");
  // 0,0 is the top left corner, and y goes down from there through negative numbers.
  const bounds = L.latLngBounds([[-board.height, 0], [0, board.width]]);
  const map = L.map(plan, {
    crs: L.CRS.Simple,
    minZoom: -5,
    maxZoom: 3,
    zoomSnap: 0.25,
    attributionControl: false,
    maxBounds: bounds.pad(0.5),
  });
  L.imageOverlay(board.image, bounds, { alt: gettext("Floor plan") }).addTo(map);
  map.fitBounds(bounds);
  new ResizeObserver(() => map.invalidateSize()).observe(plan);
  const markers = new Map();

  const inside = ({ lat, lng }) =>
    L.latLng(Math.min(0, Math.max(-board.height, lat)), Math.min(board.width, Math.max(0, lng)));

  function show(device) {
    markers.get(device.id)?.remove();
    markers.delete(device.id);
    if (!device.at) return;
    const marker = L.marker(device.at, {
      icon: pin(TONES[device.state], device.name.slice(0, 1).toUpperCase()),
      draggable: board.movable,
      title: `${device.name}, ${device.state}`,
      riseOnHover: true,
    }).addTo(map);
    marker.bindTooltip(device.name, { permanent: board.devices.length <= 40, direction: "bottom", offset: [0, 14] });
    marker.on("dragend", () => put(device, marker.getLatLng()));
    marker.on("dblclick", () => { location.href = device.link; });
    if (board.movable) keys(device, marker);
    markers.set(device.id, marker);
  }

  function keys(device, marker) {
    let waiting;
    const icon = marker.getElement();
    icon.setAttribute("aria-label", filled(gettext("%(device)s, %(state)s. Arrow keys move it."), { device: device.name, state: device.state }));
    icon.addEventListener("keydown", (event) => {
      const by = ARROWS[event.key];
      if (event.key === "Delete") {
        event.preventDefault();
        clearTimeout(waiting);
        off(device);
      }
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      const step = event.shiftKey ? 1 : STEP;
      const { lat, lng } = marker.getLatLng();
      marker.setLatLng(inside({ lat: lat + by[0] * step, lng: lng + by[1] * step }));
      clearTimeout(waiting);
      waiting = setTimeout(() => put(device, marker.getLatLng(), { draw: false }), SAVE_AFTER);
    });
  }

  async function save(device, body) {
    state.textContent = gettext("Saving …");
    const answer = await fetch(device.save, {
      method: "PATCH",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
      body: JSON.stringify(body),
    });
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      throw new Error(Object.values(told).flat().join(" ") || answer.statusText);
    }
  }

  async function change(device, body, after, { draw = true } = {}) {
    const before = { at: device.at, elsewhere: device.elsewhere };
    Object.assign(device, after);
    let failed = "";
    try {
      await save(device, body);
    } catch (error) {
      failed = filled(gettext("%(device)s was not moved: %(reason)s"), { device: device.name, reason: error.message });
      Object.assign(device, before);
    }
    state.textContent = failed || gettext("Saved");
    state.classList.toggle("complaint", Boolean(failed));
    if (draw || failed) show(device);
    write();
  }

  function put(device, at, options) {
    const { lat, lng } = inside(at);
    const coordinates = [Number(lat.toFixed(1)), Number(lng.toFixed(1))];
    const body = { floorplan: board.id, indoor: coordinates.join(",") };
    return change(device, body, { at: coordinates, elsewhere: false }, options);
  }

  function off(device) {
    return change(device, { floorplan: null }, { at: null, elsewhere: false });
  }

  function write() {
    list.replaceChildren(
      ...board.devices.map((device) => {
        const note = device.at ? "" : device.elsewhere ? gettext("on another floor") : gettext("not placed");
        const item = make(
          "li",
          { draggable: board.movable && !device.at, data: { device: device.id } },
          make("i", { className: `tone-${TONES[device.state]}`, title: device.state }),
          make("a", { href: device.link }, device.name),
          make("small", { className: "subtle" }, note),
        );
        if (board.movable) item.append(device.at ? button(gettext("Take off"), () => off(device), device)
          : button(gettext("Place"), () => place(device), device));
        item.addEventListener("dragstart", (event) => {
          event.dataTransfer.setData("text/plain", device.id);
          event.dataTransfer.effectAllowed = "move";
        });
        return item;
      }),
    );
    if (!board.devices.length) list.append(make("li", { className: "subtle" }, "None yet."));
  }

  function button(text, run, device) {
    const made = make("button", { type: "button", className: "button button-quiet" }, text);
    made.setAttribute("aria-label", `${text}: ${device.name}`);
    made.addEventListener("click", run);
    return made;
  }

  async function place(device) {
    await put(device, map.getCenter());
    markers.get(device.id)?.getElement().focus();
  }

  plan.addEventListener("dragover", (event) => event.preventDefault());
  plan.addEventListener("drop", (event) => {
    event.preventDefault();
    const device = board.devices.find(({ id }) => id === event.dataTransfer.getData("text/plain"));
    if (device && board.movable) put(device, map.mouseEventToLatLng(event));
  });
  board.devices.forEach(show);
  write();
  element.dataset.ready = "";
}
