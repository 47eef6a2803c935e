// The location of a device, on its own page: shown on a map, chosen from a list.
import { whenShown } from "./make.js";
import { pin, worldMap } from "./world.js";
import { gettext } from "./words.js";

const L = window.L;
const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;

for (const panel of document.querySelectorAll("[data-place]")) start(panel);

function start(panel) {
  const part = (name) => panel.querySelector(`[data-place-${name}]`);
  const element = part("map");
  if (element) whenShown(element, () => show(element));

  async function send(method, body) {
    part("state").textContent = gettext("Saving …");
    const answer = await fetch(panel.dataset.place, {
      method,
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
      body: body && JSON.stringify(body),
    });
    if (answer.ok) {
      location.hash = "location";
      location.reload();
      return;
    }
    const told = await answer.json().catch(() => ({}));
    part("state").textContent = Object.values(told).flat().join(" ") || answer.statusText;
  }

  part("put")?.addEventListener("click", () => {
    const chosen = part("location").value;
    if (chosen) send("PUT", { location: chosen });
  });
  part("remove")?.addEventListener("click", () => send("DELETE"));
  part("floor")?.addEventListener("click", () => {
    send("PATCH", { floorplan: part("plan").value || null });
  });
}

function show(element) {
  const geometry = JSON.parse(element.querySelector("script").textContent);
  const map = worldMap(element, { scrollWheelZoom: false });
  const shape = L.geoJSON(geometry, {
    pointToLayer: (_, at) => L.marker(at, { icon: pin("accent", ""), keyboard: false }),
  }).addTo(map);
  map.fitBounds(shape.getBounds(), { maxZoom: 6 });
}
