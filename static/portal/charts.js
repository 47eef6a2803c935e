// Charts over time: [data-charts] names an address; all of its charts come in one answer, and
// share a crosshair, a zoom and what is marked in them. Drawn by Chart.js, which unfold brings.
import { make } from "./make.js";
import { availabilityStrip, draw, place, redraw, theme } from "./chart-drawing.js";
import { shown, tableOf, csvOf } from "./chart-values.js";
import { filled, gettext, shownTime } from "./words.js";

const EVERY = 60_000;
const KINDS = {
  push: gettext("Pushes"), reboot: gettext("Reboots"), outage: gettext("Outages"), alert: gettext("Alerts"), rollout: gettext("Rollouts"),
};
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

for (const panel of document.querySelectorAll("[data-charts]")) start(panel);

function start(panel) {
  const find = (name) => panel.querySelector(`[data-${name}]`);
  const grid = find("grid");
  const state = find("state");
  const asked = { range: "24h", start: null, end: null, interface: "" };
  const marked = new Set(["push", "reboot", "outage", "rollout"]);
  let charts = [];
  let answer = null;
  let asTable = false;
  let lastAsked = 0;

  const zoneText = find("zone");
  if (zoneText) zoneText.textContent = filled(gettext("Your time: %(zone)s"), { zone: zone.replace("_", " ") });

  function address() {
    const query = new URLSearchParams({ timezone: zone });
    if (asked.start) {
      query.set("start", asked.start);
      query.set("end", asked.end);
    } else query.set("range", asked.range);
    if (asked.interface) query.set("interface", asked.interface);
    return `${panel.dataset.charts}${panel.dataset.charts.includes("?") ? "&" : "?"}${query}`;
  }

  async function load() {
    lastAsked = Date.now();
    try {
      const got = await fetch(address(), { headers: { Accept: "application/json" } });
      // Who may see some of the devices alone has no charts of all of them.
      if (got.status === 403) {
        panel.hidden = true;
        return;
      }
      if (!got.ok) throw new Error(`The portal answered ${got.status}.`);
      answer = await got.json();
      state.replaceChildren();
    } catch (error) {
      const again = make("button", { type: "button", className: "button" }, "Try again");
      again.addEventListener("click", load);
      state.replaceChildren(`${filled(gettext("The charts could not be loaded: %(reason)s"), { reason: error.message })} `, again);
      return;
    }
    show();
  }

  function show() {
    for (const chart of charts) chart.destroy();
    charts = [];
    grid.replaceChildren();
    chips();
    interfaces();
    const strip = find("availability");
    if (strip) {
      strip.hidden = !answer.availability;
      if (answer.availability) strip.replaceChildren(availabilityStrip(answer));
    }
    if (!answer.charts.length) {
      state.textContent = gettext("No data in this range of time.");
      return;
    }
    for (const one of answer.charts) grid.append(asTable ? figureOfTable(one) : figure(one));
    for (const one of grid.querySelectorAll("canvas")) {
      charts.push(draw(one, answer.charts[Number(one.dataset.at)], answer, marked, { move, zoom }));
    }
  }

  function head(one, values) {
    return make("div", { className: "chart-head" }, make("h3", {}, one.title), values);
  }

  function figure(one) {
    const values = make("span", { className: "chart-values" });
    const canvas = make("canvas", { tabIndex: 0 });
    canvas.dataset.at = answer.charts.indexOf(one);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", sentence(one));
    canvas.addEventListener("keydown", keys);
    const note = make("div", { className: "chart-note" });
    const box = make("figure", { className: "time-chart" }, head(one, values), make("div", { className: "chart-plot" }, canvas), note);
    write(box, one, null);
    return box;
  }

  function figureOfTable(one) {
    return make("figure", { className: "time-chart" }, head(one, ""), make("div", { className: "chart-table", tabIndex: 0 }, tableOf(one, answer)));
  }

  /** The values at a point of time (or the newest) in the heading of a chart. */
  function write(box, one, at) {
    const values = one.traces.map((trace) => {
      const known = at ?? trace.mean.findLastIndex((value) => value !== null);
      return make("span", {}, `${trace.name} `, make("b", {}, shown(trace.mean[known], one.unit)));
    });
    if (one.past) values.push(make("span", { className: "chart-past" }, `${gettext("A week before")} `, make("b", {}, shown(one.past[at ?? one.past.findLastIndex((value) => value !== null)], one.unit))));
    box.querySelector(".chart-values").replaceChildren(...values);
    const near = at === null ? null : eventAt(at);
    box.querySelector(".chart-note").textContent = at === null ? "" : `${timeOf(answer.x[at])}${near ? ` · ${near.text}` : ""}`;
  }

  function eventAt(at) {
    const [from, to] = [answer.x[at], answer.x[at] + answer.step];
    return answer.events.find((one) => marked.has(one.kind) && one.at < to && (one.until ?? one.at + 1) > from);
  }

  function timeOf(seconds) {
    return shownTime(seconds * 1000);
  }

  function sentence(one) {
    const parts = one.traces.map((trace) => {
      const known = trace.mean.filter((value) => value !== null);
      const most = Math.max(...(trace.high.length ? trace.high : trace.mean).filter((value) => value !== null));
      return `${trace.name}: ${shown(known.at(-1), one.unit)}; ${gettext("Highest")} ${shown(most, one.unit)}`;
    });
    const limit = one.limit ? `; ${gettext("Limit")} ${shown(one.limit.value, one.unit)}` : "";
    return `${one.title}. ${parts.join(". ")}${limit}.`;
  }

  /** Put the crosshair of all charts there; null takes it away. */
  function move(at) {
    for (const chart of charts) place(chart, at);
    grid.querySelectorAll("figure").forEach((box, number) => { write(box, answer.charts[number], at); });
  }

  function zoom(start, end) {
    Object.assign(asked, { start: Math.floor(start), end: Math.ceil(end) });
    find("unzoom").hidden = false;
    load();
  }

  function unzoom() {
    Object.assign(asked, { start: null, end: null });
    find("unzoom").hidden = true;
  }

  function keys(event) {
    const now = charts[0]?.crosshair ?? answer.x.length;
    const step = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: now - step, ArrowRight: now + step, Home: 0, End: answer.x.length - 1, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to === null ? null : Math.min(Math.max(to, 0), answer.x.length - 1));
  }

  function chips() {
    const box = find("chips");
    if (!box) return;
    box.replaceChildren(
      ...Object.entries(KINDS).map(([kind, word]) => {
        const count = answer.events.filter((one) => one.kind === kind).length;
        const button = make("button", { type: "button" }, make("i", { className: `chip-${kind}` }), `${word} ${count}`);
        button.setAttribute("aria-pressed", String(marked.has(kind)));
        button.addEventListener("click", () => {
          if (!marked.delete(kind)) marked.add(kind);
          button.setAttribute("aria-pressed", String(marked.has(kind)));
          for (const chart of charts) redraw(chart);
        });
        return button;
      }),
    );
  }

  function interfaces() {
    const box = find("interfaces");
    if (!box) return;
    box.hidden = (answer.interfaces ?? []).length < 2;
    const select = box.querySelector("select");
    select.replaceChildren(...(answer.interfaces ?? []).map((name) => make("option", { value: name, selected: name === answer.interface }, name)));
  }

  find("interfaces")?.querySelector("select").addEventListener("change", (event) => {
    asked.interface = event.target.value;
    load();
  });
  for (const button of panel.querySelectorAll("[data-range]")) {
    button.addEventListener("click", () => {
      asked.range = button.dataset.range;
      unzoom();
      for (const other of panel.querySelectorAll("[data-range]")) other.setAttribute("aria-pressed", String(other === button));
      load();
    });
  }
  find("unzoom").addEventListener("click", () => {
    unzoom();
    load();
  });
  find("table").addEventListener("click", (event) => {
    asTable = !asTable;
    event.currentTarget.setAttribute("aria-pressed", String(asTable));
    if (answer) show();
  });
  find("csv").addEventListener("click", () => {
    if (!answer) return;
    const link = make("a", { href: URL.createObjectURL(new Blob([csvOf(answer, zone)], { type: "text/csv" })), download: `measurements_${asked.range}.csv` });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  new MutationObserver(() => {
    theme();
    if (answer && !asTable) show();
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  const visible = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    visible.disconnect();
    load();
    setInterval(() => {
      const idle = !document.hidden && panel.offsetParent && charts.every((chart) => chart.crosshair === null);
      if (idle && !asked.start && Date.now() - lastAsked >= EVERY) load();
    }, EVERY / 4);
  });
  visible.observe(panel);
}
