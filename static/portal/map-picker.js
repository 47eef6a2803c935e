// Where a location is: clicked on a map, typed as numbers, or found by its address.
import { make, whenShown } from "./make.js";
import { pin, worldMap } from "./world.js";
import { gettext } from "./words.js";

const L = window.L;
const GEOCODE = "/api/v1/controller/location/geocode/";

for (const box of document.querySelectorAll("[data-map-picker]")) {
  whenShown(box, () => start(box));
}

function start(box) {
  const part = (name) => box.querySelector(`[data-map-${name}]`);
  const text = box.querySelector("textarea");
  const [latitude, longitude, state] = ["latitude", "longitude", "state"].map(part);
  const map = worldMap(box.querySelector("[data-map]"));
  const address = document.querySelector("[data-address]");
  let shape = null;

  function written() {
    try {
      return JSON.parse(text.value);
    } catch {
      const found = /^\s*POINT\s*\(\s*(\S+)\s+(\S+)\s*\)\s*$/i.exec(text.value);
      return found && { type: "Point", coordinates: [Number(found[1]), Number(found[2])] };
    }
  }

  /** Draws what the text says. */
  function show({ move = true } = {}) {
    shape?.remove();
    shape = null;
    const geometry = written();
    state.textContent = text.value.trim() && !geometry ? gettext("Shown on the map once it is saved.") : "";
    const isPoint = geometry?.type === "Point";
    [longitude.value, latitude.value] = isPoint ? geometry.coordinates : ["", ""];
    if (!geometry) return;
    try {
      shape = isPoint ? marker(geometry.coordinates) : L.geoJSON(geometry);
      shape.addTo(map);
    } catch {
      state.textContent = gettext("This is not a geometry.");
      return;
    }
    if (!move) return;
    if ("getLatLng" in shape) map.setView(shape.getLatLng(), Math.max(map.getZoom(), 6));
    else map.fitBounds(shape.getBounds(), { padding: [20, 20] });
  }

  function marker([lon, lat]) {
    const made = L.marker([lat, lon], {
      icon: pin("accent", ""),
      draggable: !text.readOnly,
      autoPan: true,
      title: gettext("The location; drag it, or type its coordinates"),
    });
    made.on("dragend", () => put(made.getLatLng(), { move: false }));
    return made;
  }

  function put(at, options) {
    const { lat, lng } = L.latLng(at).wrap();
    const digits = (value) => Number(value.toFixed(6));
    text.value = JSON.stringify({ type: "Point", coordinates: [digits(lng), digits(lat)] });
    text.dispatchEvent(new Event("input", { bubbles: true }));
    show(options);
  }

  function typed() {
    if (latitude.value === "" || longitude.value === "") return;
    if (!latitude.checkValidity() || !longitude.checkValidity()) return;
    put([Number(latitude.value), Number(longitude.value)]);
  }

  map.on("click", (event) => put(event.latlng, { move: false }));
  latitude.addEventListener("change", typed);
  longitude.addEventListener("change", typed);
  text.addEventListener("change", () => show());
  part("clear").addEventListener("click", () => {
    text.value = "";
    show();
  });
  part("here").addEventListener("click", () => {
    navigator.geolocation?.getCurrentPosition(
      ({ coords }) => put([coords.latitude, coords.longitude]),
      () => { state.textContent = gettext("The browser does not tell where it is."); },
    );
  });

  async function ask(query) {
    const answer = await fetch(`${GEOCODE}?${new URLSearchParams(query)}`, {
      headers: { Accept: "application/json" },
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(Object.values(body).flat().join(" "));
    return body.results;
  }

  async function lookUp(query, choose) {
    const results = part("results");
    results.replaceChildren(make("li", { className: "subtle" }, "Looking it up …"));
    try {
      const found = await ask(query);
      results.replaceChildren(
        ...found.map((place) => {
          const button = make("button", { type: "button", className: "button button-quiet" }, place.address);
          button.addEventListener("click", () => {
            choose(place);
            results.replaceChildren();
          });
          return make("li", {}, button);
        }),
      );
      if (!found.length) results.append(make("li", { className: "subtle" }, "Nothing was found."));
    } catch (error) {
      results.replaceChildren(make("li", { className: "complaint" }, error.message));
    }
  }

  function find() {
    lookUp({ q: part("query").value || address?.value || "" }, (place) => {
      const [lon, lat] = place.geometry.coordinates;
      map.setZoom(Math.max(map.getZoom(), 9), { animate: false });
      put([lat, lon]);
      if (address && !address.value) address.value = place.address;
    });
  }
  part("find")?.addEventListener("click", find);
  part("query")?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    find();
  });
  part("reverse")?.addEventListener("click", () => {
    const geometry = written();
    if (geometry?.type !== "Point") return;
    lookUp({ point: geometry.coordinates.join(",") }, (place) => {
      if (address) address.value = place.address;
    });
  });
  show();
}
