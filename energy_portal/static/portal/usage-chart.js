/** Bars of energy an interval: estimated ones hatched, missing ones blank, the present one marked. */
import { expectedSets, isTold, spanMarks, stretchMark } from "./usage-band.js";
import { addBrush, chooseAgain } from "./usage-brush.js";

const drawn = new WeakMap();

/** The tokens of a chart as they are where an element stands. */
export function colours(element) {
  const style = getComputedStyle(element);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    measured: token("series-1"),
    estimated: token("series-2"),
    past: token("past"),
    series: [1, 2, 3, 4, 5, 6].map((number) => token(`series-${number}`)),
    line: token("line"),
    text: token("text"),
    muted: token("muted"),
    accent: token("accent"),
    warn: token("warn"),
    surface: token("surface"),
    bands: [0, 1, 2, 3].map((number) => token(`band-${number}`)),
    font: style.fontFamily,
  };
}

function hatched(colour, background) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = background;
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = colour;
  pen.lineWidth = 2.5;
  for (const shift of [-8, 0, 8]) {
    pen.moveTo(shift - 1, 9);
    pen.lineTo(shift + 9, -1);
  }
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

/** How wide the place of a bar is, px. */
function stepOf(scale) {
  return scale.getPixelForValue(scale.min + 1) - scale.getPixelForValue(scale.min);
}

function presentMark(position, word, ink) {
  return {
    id: "presentMark",
    beforeDatasetsDraw({ ctx, chartArea, scales }) {
      if (position === null) return;
      if (position < scales.x.min || position > scales.x.max) return;
      const step = stepOf(scales.x);
      const centre = scales.x.getPixelForValue(position);
      ctx.save();
      ctx.fillStyle = ink.accent;
      ctx.globalAlpha = 0.14;
      ctx.fillRect(centre - step / 2, chartArea.top, step, chartArea.bottom - chartArea.top);
      ctx.globalAlpha = 1;
      ctx.font = `600 12px ${ink.font}`;
      const half = ctx.measureText(word).width / 2;
      const at = Math.min(Math.max(centre, chartArea.left + half), chartArea.right - half);
      ctx.textAlign = "center";
      ctx.fillText(word, at, chartArea.top - 6);
      ctx.restore();
    },
  };
}

/** Pale stretches behind the bars, one a price, named where there is room. */
function priceBands(bands, ink) {
  return {
    id: "priceBands",
    beforeDatasetsDraw({ ctx, chartArea, scales }) {
      const step = stepOf(scales.x);
      ctx.save();
      ctx.beginPath();
      ctx.rect(chartArea.left, chartArea.top, chartArea.right - chartArea.left, chartArea.bottom - chartArea.top);
      ctx.clip();
      ctx.font = `11px ${ink.font}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      for (const band of bands) {
        const left = scales.x.getPixelForValue(band.first) - step / 2;
        const width = (band.last - band.first + 1) * step;
        ctx.fillStyle = ink.bands[band.tint];
        ctx.fillRect(left, chartArea.top, width, chartArea.bottom - chartArea.top);
        ctx.fillStyle = ink.muted;
        if (ctx.measureText(band.name).width + 8 < width) ctx.fillText(band.name, left + width / 2, chartArea.top + 4);
      }
      ctx.restore();
    },
  };
}

/** The other window's bars, behind and beside one's own. */
function besideSet(data, ink) {
  return {
    role: "beside",
    stack: "beside",
    label: data.besideName,
    data: data.beside,
    backgroundColor: ink.past,
    borderRadius: 3,
    categoryPercentage: 0.92,
    barPercentage: 0.9,
    maxBarThickness: 56,
  };
}

function wordsOf(data, item) {
  if (item.datasetIndex === 0) return data.words[item.dataIndex];
  if (item.dataset.role === "middle") return data.expected.words[item.dataIndex];
  return `${data.besideName}: ${item.formattedValue} ${data.unit}`;
}

function bandOf(data, index) {
  return (data.bands ?? []).find((band) => band.first <= index && index <= band.last)?.name ?? "";
}

/** At least as high as what is expected reaches; an axis of nothing but zeros still has a height. */
function suggestedMax({ energy, expected }) {
  const foreseen = Math.max(0, ...(expected?.middle ?? []), ...(expected?.high ?? []));
  return foreseen || energy.some((each) => each) ? foreseen : 1;
}

function configuration(data, ink) {
  const pattern = hatched(ink.estimated, ink.surface);
  const fill = data.estimated.map((estimated) => (estimated ? pattern : ink.measured));
  const edge = data.estimated.map((estimated) => (estimated ? ink.estimated : ink.measured));
  const tick = { color: ink.muted, font: { family: ink.font, size: 12 } };
  return {
    type: "bar",
    data: {
      labels: data.labels,
      datasets: [
        {
          data: data.energy,
          stack: "own",
          spanGaps: false,
          backgroundColor: fill,
          borderColor: edge,
          borderWidth: data.estimated.map((estimated) => (estimated ? 1 : 0)),
          borderRadius: 3,
          categoryPercentage: 0.92,
          barPercentage: 0.9,
          maxBarThickness: 56,
        },
        ...(data.beside ? [besideSet(data, ink)] : []),
        ...expectedSets(data, ink),
      ],
    },
    options: {
      onClick: (_event, [bar]) => bar && data.opens && location.assign(data.opens[bar.index]),
      onHover: (event, [bar]) => (event.native.target.style.cursor = bar && data.opens ? "pointer" : ""),
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      layout: { padding: { top: 20 } },
      plugins: {
        legend: { display: false },
        tooltip: {
          displayColors: false,
          filter: isTold,
          backgroundColor: ink.text,
          titleColor: ink.surface,
          bodyColor: ink.surface,
          footerColor: ink.surface,
          footerFont: { family: ink.font, size: 12, weight: "400" },
          titleFont: { family: ink.font, size: 13, weight: "600" },
          bodyFont: { family: ink.font, size: 13 },
          padding: 10,
          cornerRadius: 8,
          callbacks: {
            title: ([item]) => data.names[item.dataIndex],
            label: (item) => wordsOf(data, item),
            footer: ([item]) => bandOf(data, item.dataIndex),
          },
        },
      },
      scales: {
        x: {
          grid: { display: false },
          border: { color: ink.line },
          ticks: { ...tick, maxRotation: 0, autoSkipPadding: 12 },
          afterBuildTicks(axis) {
            const shown = data.ticks?.filter((value) => axis.min <= value && value <= axis.max) ?? [];
            if (shown.length > 1) axis.ticks = shown.map((value) => ({ value }));
          },
          title: { display: true, text: data.axis, color: ink.muted, font: { family: ink.font, size: 12 } },
        },
        y: {
          beginAtZero: true,
          stacked: false,
          suggestedMax: suggestedMax(data),
          grid: { color: ink.line },
          border: { display: false },
          ticks: { ...tick, maxTicksLimit: 5 },
          title: { display: true, text: data.unit, color: ink.muted, font: { family: ink.font, size: 12 } },
        },
      },
    },
    plugins: [priceBands(data.bands ?? [], ink), stretchMark(data.stretch, ink), spanMarks(data.expected, ink), presentMark(data.present, data.presentWord, ink)],
  };
}

/** Draw the chart of a canvas from the JSON that its `data-usage` names; once a canvas. */
export function drawUsageChart(canvas) {
  if (drawn.has(canvas)) return;
  const data = JSON.parse(document.getElementById(canvas.dataset.usage).textContent);
  const draw = () => {
    drawn.get(canvas)?.destroy();
    drawn.set(canvas, new Chart(canvas, configuration(data, colours(canvas))));
    chooseAgain(canvas, drawn.get(canvas));
  };
  draw();
  addBrush(canvas, data, () => drawn.get(canvas));
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => (canvas.isConnected ? draw() : scheme.removeEventListener("change", redraw));
  scheme.addEventListener("change", redraw);
}
