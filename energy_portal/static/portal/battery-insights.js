/** What lies ahead of a battery, drawn once the page has it: its charge in a band, and its health day by day. */
import { lineOptions, timeAxis } from "./battery-charts.js";
import { colours } from "./usage-chart.js";

const DAY = 86_400_000;
const DASHES = [6, 4];
const MOST_DAY_TICKS = 5;
let charts = [];

const points = (pairs) => pairs.map(([x, y]) => ({ x, y }));
const LINE = { borderWidth: 2, pointRadius: 0, pointHitRadius: 0, fill: false };

function chargeSets(told, ink) {
  const colour = ink.series[0];
  const edge = { ...LINE, isQuiet: true, borderWidth: 0, spanGaps: false };
  return [
    { ...LINE, label: told.label, data: points(told.median), borderColor: colour, borderDash: DASHES, pointHitRadius: 8 },
    { ...edge, data: points(told.low), fill: "+1", backgroundColor: `${colour}3d` },
    { ...edge, data: points(told.high), borderWidth: 1, borderColor: `${colour}99` },
  ];
}

function healthSets(told, ink) {
  const sets = [
    { ...LINE, label: told.label, data: points(told.points), showLine: false, pointRadius: 3, pointHitRadius: 8, pointBackgroundColor: ink.series[0], pointBorderWidth: 0 },
  ];
  if (told.line) sets.push({ ...LINE, isQuiet: true, data: points(told.line), borderColor: ink.series[3] });
  if (told.ahead) sets.push({ ...LINE, isQuiet: true, data: points(told.ahead), borderColor: ink.series[3], borderDash: DASHES });
  if (told.threshold !== undefined) {
    const ends = [told.from, told.to].map((x) => ({ x, y: told.threshold }));
    sets.push({ ...LINE, isQuiet: true, data: ends, borderColor: ink.muted, borderDash: [2, 3], borderWidth: 1.5 });
  }
  return sets;
}

function dayAxis({ from, to }, day) {
  return {
    min: from - DAY / 2,
    max: Math.max(to, from + DAY) + DAY / 2,
    ticks: { callback: (at) => day.format(at) },
    afterBuildTicks(axis) {
      const step = Math.max(1, Math.ceil((to - from) / DAY / MOST_DAY_TICKS)) * DAY;
      axis.ticks = [];
      for (let at = from; at <= axis.max; at += step) axis.ticks.push({ value: at });
    },
  };
}

function configuration(name, told, zone, ink) {
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const isCharge = name === "soc";
  const plot = isCharge ? { ...told, min: 0, max: 100 } : told;
  const [axis, word] = isCharge ? [timeAxis(told, clock), clock] : [dayAxis(told, day), day];
  const options = lineOptions(plot, axis, (at) => word.format(at), ink);
  options.plugins.tooltip.filter = (item) => !item.dataset.isQuiet;
  return { type: "line", data: { datasets: isCharge ? chargeSets(told, ink) : healthSets(told, ink) }, options };
}

function draw() {
  for (const chart of charts) chart.destroy();
  const found = document.getElementById("battery-insights");
  const { zone, charts: told } = found === null ? { charts: {} } : JSON.parse(found.textContent);
  charts = [...document.querySelectorAll("canvas[data-insight]")].map(
    (canvas) => new Chart(canvas, configuration(canvas.dataset.insight, told[canvas.dataset.insight], zone, colours(canvas))),
  );
}

draw();
document.body.addEventListener("htmx:afterSettle", (event) => {
  if (document.getElementById("battery-ahead")?.contains(event.detail.elt)) draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
