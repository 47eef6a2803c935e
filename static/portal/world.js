// The ground of every map: the operator's tiles, or else coastlines, borders and a grid that
// come with the portal, so that a map is drawn without the internet.
import { make } from "./make.js";

const L = window.L;
const ATLAS = new URL("../vendor/world-atlas-2.0.2/", import.meta.url);
const DEEPEST = { tiles: 19, drawn: 16 };
const FINE_FROM = 5;
const GRID_FROM = 7;
const STEPS = [20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002];

/** A Leaflet map in this element. */
export function worldMap(element, options = {}) {
  const { tiles, attribution } = element.dataset;
  const map = L.map(element, {
    minZoom: 0,
    maxZoom: tiles ? DEEPEST.tiles : DEEPEST.drawn,
    maxBounds: [[-88, -260], [88, 260]],
    maxBoundsViscosity: 1,
    attributionControl: Boolean(tiles && attribution),
    ...options,
  });
  map.attributionControl?.setPrefix(false);
  L.control.scale({ imperial: false }).addTo(map);
  map.setView([25, 10], 2);
  if (tiles) L.tileLayer(tiles, { attribution, maxZoom: DEEPEST.tiles }).addTo(map);
  else draw(map, element);
  return map;
}

function draw(map, element) {
  for (const [name, order] of [["land", 150], ["grid", 160], ["names", 170]]) {
    map.createPane(name).style.zIndex = order;
    map.getPane(name).style.pointerEvents = "none";
  }
  const renderer = L.canvas({ pane: "land", padding: 0.4 });
  const labels = L.layerGroup().addTo(map);
  const grid = L.layerGroup().addTo(map);
  const drawn = {};
  const color = (name) => getComputedStyle(element).getPropertyValue(name).trim();
  const looks = {
    land: () => ({ fillColor: color("--map-land"), color: color("--map-coast"), weight: 1, fillOpacity: 1 }),
    border: () => ({ color: color("--map-border"), weight: 1, fill: false }),
    grid: () => ({ color: color("--map-border"), weight: 0.5, interactive: false, pane: "grid" }),
  };

  function layers({ unit, land, borders }) {
    /** Steps from point to point, as the atlas has them, become latitudes and longitudes. */
    const walk = (steps) => {
      const line = [];
      let [x, y] = [0, 0];
      for (let at = 0; at < steps.length; at += 2) {
        x += steps[at];
        y += steps[at + 1];
        line.push([y * unit, x * unit]);
      }
      return line;
    };
    const shared = { renderer, pane: "land", interactive: false, smoothFactor: 0.7 };
    return {
      land: L.polygon(land.map((rings) => rings.map(walk)), { ...shared, ...looks.land() }),
      border: L.polyline(borders.map(walk), { ...shared, ...looks.border() }),
    };
  }

  async function show() {
    const scale = map.getZoom() >= FINE_FROM ? "50m" : "110m";
    drawn[scale] ??= fetch(new URL(`world-${scale}.json`, ATLAS))
      .then((answer) => answer.json())
      .then((atlas) => ({ ...layers(atlas), names: atlas.names }));
    const wanted = await drawn[scale];
    if (scale !== (map.getZoom() >= FINE_FROM ? "50m" : "110m")) return;
    for (const other of Object.values(drawn)) {
      const ready = await other;
      for (const layer of [ready.land, ready.border]) {
        if (ready === wanted) layer.addTo(map);
        else layer.remove();
      }
    }
    name(wanted.names);
    lines();
    element.dataset.drawn = scale;
  }

  function name(names) {
    labels.clearLayers();
    if (map.getZoom() < 4) return;
    const view = map.getBounds();
    for (const [text, longitude, latitude] of names) {
      if (view.contains([latitude, longitude])) labels.addLayer(label(text, [latitude, longitude]));
    }
  }

  function label(text, at, className = "map-name") {
    const icon = L.divIcon({ className, html: make("span", {}, text), iconSize: null });
    return L.marker(at, { icon, pane: "names", interactive: false, keyboard: false });
  }

  /** Where the atlas has nothing more to show, lines of latitude and longitude still do. */
  function lines() {
    grid.clearLayers();
    if (map.getZoom() < GRID_FROM) return;
    const view = map.getBounds();
    const [south, west, north, east] = [view.getSouth(), view.getWest(), view.getNorth(), view.getEast()];
    const step = [...STEPS].reverse().find((one) => (east - west) / one <= 8) ?? STEPS[0];
    const write = (value) => `${Number(value.toFixed(4))}°`;
    for (let at = Math.ceil(west / step) * step; at < east; at += step) {
      grid.addLayer(L.polyline([[south, at], [north, at]], looks.grid()));
      grid.addLayer(label(write(at), [north, at], "map-degree"));
    }
    for (let at = Math.ceil(south / step) * step; at < north; at += step) {
      grid.addLayer(L.polyline([[at, west], [at, east]], looks.grid()));
      grid.addLayer(label(write(at), [at, west], "map-degree"));
    }
  }

  map.on("moveend", show);
  show();
  // Light and dark have colors of their own, and a canvas knows nothing of style sheets.
  new MutationObserver(async () => {
    for (const ready of await Promise.all(Object.values(drawn))) {
      ready.land.setStyle(looks.land());
      ready.border.setStyle(looks.border());
    }
    lines();
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}

/** A marker with a word behind its sign; the sign's color is that of a state. */
export function pin(tone, text, properties = {}) {
  return L.divIcon({
    className: "map-pin-box",
    iconSize: [30, 30],
    html: make("span", { className: `map-pin pin-${tone}`, ...properties }, text),
  });
}
