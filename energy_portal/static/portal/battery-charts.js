/** A battery's last hours as lines: broken where nothing was told, and going on while it is live. */
import { colours } from "./usage-chart.js";

const MINUTE = 60_000;
const TICK_STEPS = [5, 10, 15, 30, 60, 120, 240].map((minutes) => minutes * MINUTE);
const MOST_TICKS = 7;
const REDRAW_MS = 2_000;
const PLOTS = {
  soc: { unit: "%", digits: 1, lines: [["soc", "State of charge", 1]], min: 0, max: 100 },
  power: { unit: "kW", digits: 1, lines: [["apparent_power", "Power", 1]], fill: true },
  cells: {
    unit: "V",
    digits: 3,
    lines: [
      ["cell_max_voltage", "Highest", 2],
      ["cell_avg_voltage", "Average", 1],
      ["cell_min_voltage", "Lowest", 4],
    ],
  },
  warmth: {
    unit: "°C",
    digits: 1,
    lines: [
      ["temp_igbt", "IGBT", 4],
      ["cell_avg_temp", "Cells", 1],
      ["temp_ambient", "Ambient", 3],
    ],
  },
};

/**
 * The options of lines over time, as all charts of batteries have them.
 * @param plot its `unit`, `digits`, and `min` and `max` where they are fixed.
 * @param x the axis of time.
 * @param write how a point in time is written above its values.
 */
export function lineOptions(plot, x, write, ink) {
  const tick = { color: ink.muted, font: { family: ink.font, size: 12 } };
  const number = new Intl.NumberFormat("en", { minimumFractionDigits: plot.digits, maximumFractionDigits: plot.digits });
  return {
    animation: false,
    maintainAspectRatio: false,
    parsing: false,
    interaction: { mode: "nearest", axis: "x", intersect: false },
    plugins: {
      legend: { display: false },
      tooltip: {
        backgroundColor: ink.text,
        titleColor: ink.surface,
        bodyColor: ink.surface,
        padding: 10,
        cornerRadius: 8,
        callbacks: {
          title: ([item]) => (item ? write(item.parsed.x) : ""),
          label: (item) => `${item.dataset.label} ${number.format(item.parsed.y)} ${plot.unit}`,
        },
      },
    },
    scales: {
      x: { type: "linear", grid: { display: false }, border: { color: ink.line }, ...x, ticks: { ...tick, maxRotation: 0, ...x.ticks } },
      y: {
        min: plot.min,
        max: plot.max,
        grid: { color: ink.line },
        border: { display: false },
        ticks: { ...tick, maxTicksLimit: 5 },
        title: { display: true, text: plot.unit, color: ink.muted, font: { family: ink.font, size: 12 } },
      },
    },
  };
}

/** An axis of hours between two instants, with ticks at whole ones. */
export function timeAxis({ from, to }, clock) {
  return {
    min: from,
    max: to,
    ticks: { callback: (at) => clock.format(at) },
    afterBuildTicks(axis) {
      const step = TICK_STEPS.find((each) => (axis.max - axis.min) / each <= MOST_TICKS) ?? TICK_STEPS.at(-1);
      axis.ticks = [];
      for (let at = Math.ceil(axis.min / step) * step; at <= axis.max; at += step) axis.ticks.push({ value: at });
    },
  };
}

function configuration(plot, history, clock, ink) {
  const datasets = plot.lines.map(([name, label, series]) => ({
    label,
    data: history.points[name].map(([x, y]) => ({ x, y })),
    borderColor: ink.series[series - 1],
    backgroundColor: `color-mix(in srgb, ${ink.series[series - 1]} 18%, transparent)`,
    fill: plot.fill ? "origin" : false,
    borderWidth: 2,
    pointRadius: 0,
    pointHitRadius: 8,
    spanGaps: false,
  }));
  const write = (at) => clock.format(at);
  return { type: "line", data: { datasets }, options: lineOptions(plot, timeAxis(history, clock), write, ink) };
}

/** Add a reading's values; within one step the newest stands for it. */
function extend(history, at, values) {
  for (const plot of Object.values(PLOTS)) {
    for (const [name] of plot.lines) {
      const value = values[name];
      if (value === undefined || value === null) continue;
      const points = history.points[name];
      const last = points.at(-1);
      if (last && at < last[0]) continue;
      if (last && at - last[0] > 2.5 * history.every) points.push([last[0] + history.every, null]);
      if (last && last[1] !== null && at - last[0] < history.every) last[1] = value;
      else points.push([at, value]);
    }
  }
}

/** Keep the window as long as it is, and nothing from before it. */
function slide(history, at) {
  if (at < history.to) return;
  const by = at + history.every - history.to;
  history.to += by;
  history.from += by;
  for (const points of Object.values(history.points)) {
    while (points.length && points[0][0] < history.from) points.shift();
  }
}

/**
 * Draw the charts of a page.
 * @returns {(values: object) => void} what takes each live reading.
 */
export function drawHistory() {
  const told = document.getElementById("battery-history");
  if (told === null) return () => {};
  const history = JSON.parse(told.textContent);
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: history.zone });
  const canvases = [...document.querySelectorAll("canvas[data-plot]")];
  let charts = [];
  let drawnAt = performance.now();

  function draw() {
    for (const chart of charts) chart.destroy();
    charts = canvases.map((canvas) => {
      const plot = PLOTS[canvas.dataset.plot];
      return new Chart(canvas, configuration(plot, history, clock, colours(canvas)));
    });
  }

  function refresh() {
    for (const [place, canvas] of canvases.entries()) {
      const chart = charts[place];
      for (const [line, [name]] of PLOTS[canvas.dataset.plot].lines.entries()) {
        chart.data.datasets[line].data = history.points[name].map(([x, y]) => ({ x, y }));
      }
      Object.assign(chart.options.scales.x, { min: history.from, max: history.to });
      chart.update("none");
    }
    drawnAt = performance.now();
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return (reading) => {
    const at = Date.parse(reading.timestamp);
    extend(history, at, reading);
    slide(history, at);
    if (performance.now() - drawnAt >= REDRAW_MS) refresh();
  };
}
