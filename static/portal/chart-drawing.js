// How a chart is drawn: lines with a band, what is marked, limits, the crosshair and the zoom.
import { make } from "./make.js";
import { shown } from "./chart-values.js";
import { gettext } from "./words.js";

const Chart = window.Chart;
const LEFT = 70;
const NICE = [1, 2, 2.5, 5, 10];
let colors = read();

function read() {
  const style = getComputedStyle(document.documentElement);
  const names = ["series-1", "series-2", "band-1", "mark-push", "mark-reboot", "mark-rollout", "mark-outage", "mark-none", "line", "faint", "ink", "warn", "good", "bad"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

export function theme() {
  colors = read();
}

/** The highest tick of an axis: a round number that holds all values. */
function roundTop(value) {
  if (!(value > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return size * NICE.find((one) => one * size >= value);
}

function highest(one, at) {
  const trace = one.traces[at];
  if (!trace) return 0;
  const known = [...trace.mean, ...trace.high].filter((value) => value !== null);
  return Math.max(0, ...known);
}

function bounds(one) {
  if (one.bottom !== undefined) return { max: one.top, min: one.bottom };
  if (one.kind === "mirrored") return { max: roundTop(highest(one, 0)), min: -roundTop(highest(one, 1)) };
  const top = Math.max(highest(one, 0), highest(one, 1), ...(one.past ?? []).filter((value) => value !== null));
  const lows = one.traces.flatMap((trace) => [...trace.mean, ...trace.low]).filter((value) => value !== null);
  if (Math.min(...lows) < 0) return { max: top > 0 ? roundTop(top) : 0, min: -roundTop(-Math.min(...lows)) };
  if (one.top) return { max: Math.max(one.top, roundTop(top)), min: 0 };
  return { max: roundTop(top), min: 0 };
}

/** @returns {[number[], number]} moments, and the seconds between them */
function timeTicks(x, end) {
  const [start, length] = [x[0], end - x[0]];
  const steps = [900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 61 * 86400];
  const step = steps.find((one) => length / one <= 5.5) ?? 92 * 86400;
  const found = [];
  // Whole hours and days of the viewer's zone, also where the clocks change.
  const offset = (seconds) => new Date(seconds * 1000).getTimezoneOffset() * 60;
  for (let at = Math.ceil((start - offset(start)) / step) * step; ; at += step) {
    const moment = at + offset(at + offset(start));
    if (moment > end) break;
    if (moment >= start) found.push(moment);
  }
  return [found, step];
}

// The language of the page, which need not be that of the browser.
const language = document.documentElement.lang || [];

function tickText(seconds, step) {
  const moment = new Date(seconds * 1000);
  if (step >= 86400) return moment.toLocaleDateString(language, { day: "numeric", month: "short" });
  const time = moment.toLocaleTimeString("sv", { hour: "2-digit", minute: "2-digit" });
  return moment.getHours() === 0 && moment.getMinutes() === 0 ? moment.toLocaleDateString(language, { weekday: "short", day: "numeric" }) : time;
}

export function draw(canvas, one, answer, marked, { move, zoom }) {
  const { max, min } = bounds(one);
  const [ticks, step] = timeTicks(answer.x, answer.end);
  const stepped = one.kind === "step" ? "before" : false;
  const points = (values, sign = 1) => answer.x.map((x, at) => ({ x: x + (stepped ? answer.step : answer.step / 2), y: values[at] === null ? null : sign * values[at] }));
  const datasets = one.traces.flatMap((trace, at) => {
    const sign = one.kind === "mirrored" && at ? -1 : 1;
    const color = colors[`series-${at + 1}`];
    const line = { data: points(trace.mean, sign), borderColor: color, borderWidth: 1.75, borderDash: at ? [5, 3] : [], stepped, fill: false };
    if (one.kind === "mirrored") return [{ ...line, fill: "origin", backgroundColor: `${color}29` }];
    if (at || !trace.high.length) return [line];
    const band = { borderWidth: 0, stepped, backgroundColor: colors["band-1"] };
    return [line, { ...band, data: points(trace.high), fill: "+1" }, { ...band, data: points(trace.low), fill: false }];
  });
  // The same day last week.
  if (one.past) datasets.push({ data: points(one.past), borderColor: colors.faint, borderWidth: 1.5, borderDash: [3, 4], stepped, fill: false });
  const chart = new Chart(canvas, {
    type: "line",
    data: { datasets: datasets.map((set) => ({ pointRadius: 0, pointHoverRadius: 0, spanGaps: Math.max(answer.step, answer.interval || 0) * 2.5, ...set })) },
    options: {
      animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false, events: [],
      layout: { padding: { top: 10, right: 4 } },
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: {
        x: {
          type: "linear", min: answer.x[0], max: answer.end, grid: { display: false }, border: { color: colors.line },
          afterBuildTicks: (axis) => { axis.ticks = ticks.map((value) => ({ value })); },
          ticks: { color: colors.faint, font: { size: 11 }, maxRotation: 0, autoSkip: false, callback: (value) => tickText(value, step) },
        },
        y: {
          min, max, border: { display: false }, grid: { color: colors.line },
          afterFit: (axis) => { axis.width = LEFT; },
          afterBuildTicks: (axis) => { axis.ticks = (one.kind === "mirrored" ? [min, 0, max] : [min, (min + max) / 2, max]).map((value) => ({ value })); },
          ticks: { color: colors.faint, font: { size: 11 }, autoSkip: false, callback: (value) => shown(Math.abs(min) > 0 && one.kind === "mirrored" ? Math.abs(value) : value, one.unit) },
        },
      },
    },
    plugins: [{ id: "portal", beforeDatasetsDraw: (made) => under(made, one, answer, marked), afterDatasetsDraw: (made) => over(made, one, answer, marked) }],
  });
  chart.crosshair = null;
  pointer(canvas, chart, answer, move, zoom);
  return chart;
}

export function place(chart, at) {
  chart.crosshair = at;
  chart.draw();
}

export function redraw(chart) {
  chart.draw();
}

function hatch(context, x, width, area, color) {
  context.save();
  context.beginPath();
  context.rect(x, area.top, Math.max(width, 3), area.height);
  context.clip();
  context.strokeStyle = color;
  context.globalAlpha = 0.55;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = x - area.height; at < x + width + 4; at += 5) {
    context.moveTo(at, area.bottom);
    context.lineTo(at + area.height, area.top);
  }
  context.stroke();
  context.restore();
}

function under(chart, one, answer, marked) {
  const { ctx, chartArea: area, scales: { x, y } } = chart;
  area.height = area.bottom - area.top;
  for (const event of answer.events) {
    if (event.kind !== "outage" || !marked.has("outage")) continue;
    const from = x.getPixelForValue(event.at);
    hatch(ctx, from, x.getPixelForValue(event.until) - from, area, colors["mark-outage"]);
  }
  // Since when nothing was heard; one interval that is missing says nothing.
  const heard = answer.newest;
  if (heard && answer.end - heard > Math.max(answer.step, answer.interval || 300) * 3 && heard > answer.x[0]) {
    const from = x.getPixelForValue(heard);
    hatch(ctx, from, area.right - from, area, colors["mark-none"]);
  }
  if (one.limit && one.limit.value <= y.max && one.limit.value >= y.min) {
    const at = y.getPixelForValue(one.limit.value);
    line(ctx, area.left, at, area.right, at, colors["series-2"], [5, 3]);
    ctx.fillStyle = colors["series-2"];
    ctx.font = "600 11px Inter, sans-serif";
    ctx.fillText(`${gettext("Limit")} ${shown(one.limit.value, one.unit)}`, area.left + 4, at - 4 < area.top + 8 ? at + 12 : at - 4);
  }
}

function line(context, x1, y1, x2, y2, color, dash = []) {
  context.save();
  context.strokeStyle = color;
  context.lineWidth = 1.25;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.restore();
}

function over(chart, one, answer, marked) {
  const { ctx, chartArea: area, scales: { x, y } } = chart;
  for (const event of answer.events) {
    if (!marked.has(event.kind) || event.kind === "outage") continue;
    const at = x.getPixelForValue(event.at);
    const color = colors[`mark-${event.kind}`] ?? colors.warn;
    line(ctx, at, area.top, at, area.bottom, color, event.kind === "reboot" ? [1, 3] : [4, 3]);
    ctx.fillStyle = color;
    ctx.beginPath();
    if (event.kind === "push") {
      ctx.moveTo(at - 5, area.top - 6);
      ctx.lineTo(at + 5, area.top - 6);
      ctx.lineTo(at, area.top + 2);
    } else if (event.kind === "rollout") {
      ctx.moveTo(at, area.top - 8);
      ctx.lineTo(at + 5, area.top - 2);
      ctx.lineTo(at, area.top + 4);
      ctx.lineTo(at - 5, area.top - 2);
    } else if (event.kind === "reboot") ctx.rect(at - 4, area.top - 6, 8, 8);
    else ctx.arc(at, area.top - 2, 4, 0, 7);
    ctx.fill();
  }
  if (chart.crosshair === null) return;
  const at = x.getPixelForValue(answer.x[chart.crosshair] + answer.step / 2);
  line(ctx, at, area.top, at, area.bottom, colors.ink);
  one.traces.forEach((trace, number) => {
    const value = trace.mean[chart.crosshair];
    if (value === null) return;
    ctx.fillStyle = colors[`series-${number + 1}`];
    ctx.beginPath();
    ctx.arc(at, y.getPixelForValue(one.kind === "mirrored" && number ? -value : value), 3.5, 0, 7);
    ctx.fill();
  });
}

function pointer(canvas, chart, answer, move, zoom) {
  let from = null;
  const secondsAt = (event) => chart.scales.x.getValueForPixel(event.offsetX);
  const placeAt = (event) => {
    const found = answer.x.findLastIndex((x) => x <= secondsAt(event));
    return Math.min(Math.max(found, 0), answer.x.length - 1);
  };
  canvas.addEventListener("pointerdown", (event) => { from = event.pointerType === "mouse" ? secondsAt(event) : null; });
  canvas.addEventListener("pointermove", (event) => move(placeAt(event)));
  canvas.addEventListener("pointerup", (event) => {
    const to = secondsAt(event);
    if (from !== null && Math.abs(to - from) > answer.step * 3) zoom(Math.min(from, to), Math.max(from, to));
    from = null;
  });
  canvas.addEventListener("pointerleave", () => {
    from = null;
    move(null);
  });
}

/** Availability as a strip: an outage stands taller, so that it is not told by its color alone. */
export function availabilityStrip(answer) {
  const canvas = make("canvas", { className: "availability-strip" });
  const percent = `${answer.availability.percent.toLocaleString([], { maximumFractionDigits: 2 })} % answered`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Availability: ${percent}`);
  const paint = () => {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    Object.assign(canvas, { width: width * scale, height: height * scale });
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const parts = answer.availability.parts;
    const size = width / parts.length;
    parts.forEach((value, at) => {
      const bad = value !== null && value < 0.5;
      context.fillStyle = value === null ? colors.line : bad ? colors.bad : value < 1 ? colors.warn : colors.good;
      const tall = bad ? height : height * 0.6;
      context.fillRect(at * size, height - tall, Math.max(size - (size > 3 ? 1 : 0), 0.5), tall);
    });
  };
  new ResizeObserver(paint).observe(canvas);
  return make("div", { className: "availability" }, make("div", { className: "availability-head" }, make("b", {}, "Availability"), make("span", { className: "subtle" }, percent)), canvas);
}
