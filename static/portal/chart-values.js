// Values of charts as people read them: with their unit, as a table and as a file.
import { make } from "./make.js";
import { gettext, shownTime } from "./words.js";

const PREFIXES = ["", "k", "M", "G", "T"];

export function shown(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return gettext("no data");
  if (unit === "bit/s") return `${scaled(Math.abs(value))}b/s`;
  return `${plain(value)}${unit ? ` ${unit}` : ""}`;
}

function plain(value) {
  const size = Math.abs(value);
  return value.toLocaleString([], { maximumFractionDigits: size >= 100 ? 0 : size >= 1 ? 1 : 2 });
}

function scaled(value) {
  let at = 0;
  while (value >= 1000 && at < PREFIXES.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${value.toLocaleString([], { maximumFractionDigits: value < 10 && at ? 1 : 0 })} ${PREFIXES[at]}`;
}

function eventsIn(answer, at) {
  const [from, to] = [answer.x[at], answer.x[at] + answer.step];
  return answer.events.filter((one) => one.at < to && (one.until ?? one.at + 1) > from).map((one) => one.text).join("; ");
}

export function tableOf(one, answer) {
  const heads = [
    gettext("Time"), ...one.traces.flatMap((trace) => (trace.high.length ? [trace.name, gettext("Lowest"), gettext("Highest")] : [trace.name])),
    ...(one.past ? [gettext("A week before")] : []), gettext("Event"),
  ];
  const rows = answer.x
    .map((seconds, at) => {
      const cells = one.traces.flatMap((trace) => [trace.mean, ...(trace.high.length ? [trace.low, trace.high] : [])].map((values) => shown(values[at], one.unit)));
      if (one.past) cells.push(shown(one.past[at], one.unit));
      return make("tr", {}, make("th", { scope: "row" }, shownTime(seconds * 1000)),
        ...cells.map((text) => make("td", { className: "figures" }, text)), make("td", {}, eventsIn(answer, at) || "–"));
    })
    .reverse();
  return make("table", { className: "table" }, make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows));
}

const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;

export function csvOf(answer, zone) {
  const columns = answer.charts.flatMap((one) => [
    ...one.traces.flatMap((trace) => [["", trace.mean], ...(trace.high.length ? [[" lowest", trace.low], [" highest", trace.high]] : [])].map(([more, values]) => ({
      name: `${one.title}: ${trace.name}${more}${one.unit ? ` (${one.unit})` : ""}`, values,
    }))),
    ...(one.past ? [{ name: `${one.title}: a week before`, values: one.past }] : []),
  ]);
  const lines = [["Time (UTC)", `Time (${zone})`, ...columns.map((one) => one.name), "Events"].map(quoted).join(",")];
  answer.x.forEach((seconds, at) => {
    const moment = new Date(seconds * 1000);
    const here = moment.toLocaleString("sv", { timeZone: zone });
    lines.push([quoted(moment.toISOString()), quoted(here), ...columns.map((one) => one.values[at] ?? ""), quoted(eventsIn(answer, at))].join(","));
  });
  return `${lines.join("\r\n")}\r\n`;
}
