// The fleet on a map: a mark for each location, clusters of them, colored by the worst state.
import { make } from "./make.js";
import { worldMap } from "./world.js";
import { gettext } from "./words.js";

const L = window.L;
const EVERY = 15_000;
const LISTED = 40;
const WORDS = {
  good: gettext("all well"), bad: gettext("critical or all offline"), warn: gettext("a problem or some offline"), mute: gettext("not heard of"),
};
const ORDER = ["bad", "warn", "mute", "good"];

for (const element of document.querySelectorAll("[data-fleet-map]")) start(element);

/** The worst of health and presence: both are told by words and by the shape of the ring, too. */
/** @param {number[]} counts of the devices in each state */
function toneOf([online, offline, unknown, problem, critical]) {
  if (critical) return "bad";
  if (problem) return "warn";
  if (offline) return online + unknown ? "warn" : "bad";
  return online ? "good" : "mute";
}

function start(element) {
  const panel = element.closest("section");
  const list = panel.querySelector("[data-fleet-list]");
  const state = panel.querySelector("[data-fleet-state]");
  const map = worldMap(element);
  const group = L.markerClusterGroup({
    showCoverageOnHover: false,
    chunkedLoading: true,
    maxClusterRadius: 46,
    iconCreateFunction: (cluster) =>
      sign(sum(cluster.getAllChildMarkers()), `${cluster.getChildCount()} locations`),
  }).addTo(map);
  const markers = new Map();
  const names = L.layerGroup().addTo(map);
  const siteList = panel.querySelector("[data-site-list]");
  let known = "";

  let health = {};
  const countsOf = (row) => [...row.slice(5, 8), ...(health[row[0]] ?? [0, 0])];
  function sum(children) {
    const total = [0, 0, 0, 0, 0];
    for (const { row } of children) {
      for (const [at, count] of countsOf(row).entries()) total[at] += count;
    }
    return total;
  }

  function sentence(counts) {
    const words = [gettext("online"), gettext("offline"), gettext("unknown"), gettext("with a problem"), gettext("critical")];
    return counts.map((count, at) => count && `${count} ${words[at]}`).filter(Boolean).join(", ");
  }

  /** A ring whose parts are the states' shares, and the number of devices in it. */
  function sign(counts, name) {
    const total = counts[0] + counts[1] + counts[2];
    const [good, bad] = [counts[0] / total, counts[1] / total].map((share) => share * 360);
    const ring = make(
      "span",
      { className: `map-sign sign-${toneOf(counts)}` },
      make("b", {}, total > 9999 ? `${Math.round(total / 1000)}k` : String(total)),
      make("span", { className: "unseen" }, ` devices, ${name}: ${sentence(counts)}`),
    );
    ring.style.setProperty("--good-to", `${good}deg`);
    ring.style.setProperty("--bad-to", `${good + bad}deg`);
    const size = total > 999 ? 48 : total > 99 ? 42 : 36;
    return L.divIcon({ className: "map-sign-box", iconSize: [size, size], html: ring });
  }

  function popup(row) {
    const [id, name, address] = row;
    return make(
      "div",
      { className: "map-popup" },
      make("a", { href: `${element.dataset.change}${id}/change/` }, name),
      make("span", { className: "subtle" }, address),
      make("span", {}, sentence(countsOf(row))),
    );
  }

  function update(rows) {
    const gone = new Set(markers.keys());
    const fresh = [];
    for (const row of rows) {
      const [id, name, , longitude, latitude] = row;
      const old = markers.get(id);
      gone.delete(id);
      const shape = JSON.stringify([row, countsOf(row)]);
      if (old?.shape === shape) continue;
      if (old) group.removeLayer(old);
      const icon = sign(countsOf(row), name);
      const marker = Object.assign(L.marker([latitude, longitude], { icon }), { row, shape });
      marker.bindPopup(() => popup(marker.row));
      markers.set(id, marker);
      fresh.push(marker);
    }
    for (const id of gone) {
      group.removeLayer(markers.get(id));
      markers.delete(id);
    }
    group.addLayers(fresh);
    write(rows);
  }

  function write(rows) {
    const sorted = rows
      .map((row) => [ORDER.indexOf(toneOf(countsOf(row))), row])
      .sort(([a, left], [b, right]) => a - b || left[1].localeCompare(right[1]));
    list.replaceChildren(
      ...sorted.slice(0, LISTED).map(([order, row]) => {
        const tone = ORDER[order];
        const show = make(
          "button",
          { type: "button", title: WORDS[tone] },
          make("i", { className: `tone-${tone}` }),
          make("span", {}, row[1]),
          make("small", {}, sentence(countsOf(row))),
        );
        show.addEventListener("click", () => {
          const marker = markers.get(row[0]);
          group.zoomToShowLayer(marker, () => marker.openPopup());
        });
        return make("li", {}, show);
      }),
    );
    if (rows.length > LISTED) {
      const link = make("a", { href: element.dataset.change }, `All ${rows.length} locations`);
      list.append(make("li", {}, link));
    }
    if (!rows.length) {
      const link = make("a", { href: `${element.dataset.change}add/` }, gettext("Add a location"));
      list.append(make("li", { className: "subtle" }, "No device has a place yet. ", link));
    }
  }

  /** Each site by its name, in the middle of the places of its devices. */
  function showSites(sites, rows) {
    const at = new Map(rows.map(([id, , , longitude, latitude]) => [id, [latitude, longitude]]));
    names.clearLayers();
    siteList.hidden = !sites.length;
    siteList.replaceChildren(
      ...sites.map(([, name, places]) => {
        const bounds = L.latLngBounds(places.filter((id) => at.has(id)).map((id) => at.get(id)));
        const show = () => map.fitBounds(bounds.pad(0.2), { maxZoom: 12 });
        const html = make("span", { className: "map-site" }, name);
        const icon = L.divIcon({ className: "map-site-box", iconSize: null, html });
        L.marker(bounds.getCenter(), { icon, keyboard: false }).on("click", show).addTo(names);
        const button = make("button", { type: "button" }, name);
        button.addEventListener("click", show);
        return make("li", {}, button);
      }),
    );
  }

  async function load() {
    // The browser asks whether its copy is still good; then this costs next to nothing.
    const answer = await fetch(element.dataset.fleetMap, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.statusText);
    const version = answer.headers.get("ETag");
    if (version === known) return;
    const first = !known;
    known = version;
    const { rows, sites, health: judged } = await answer.json();
    health = judged;
    if (first && rows.length) {
      const all = rows.map((row) => [row[4], row[3]]);
      map.fitBounds(all, { maxZoom: 6, padding: [30, 30], animate: false });
    }
    update(rows);
    showSites(sites, rows);
    element.dataset.rows = rows.length;
  }

  async function again() {
    try {
      if (!document.hidden) await load();
      state.textContent = "";
    } catch {
      state.textContent = gettext("The portal does not answer; the map shows what was.");
    }
    setTimeout(again, EVERY);
  }
  again();
}
