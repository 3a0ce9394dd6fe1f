/** What is expected, or usual, over the bars of a chart: a line in its band, or frames around days; and a stretch. */

const ON_TOP = -2;
const BEHIND_THE_LINE = -1;
const BEHIND_THE_BARS = 1;
const DASHES = [6, 4];
const HALF_A_MARK = 4;

/** The datasets that show `expected`: of a band the line, its low and its high end; of frames the frames. */
export function expectedSets({ expected }, ink) {
  if (!expected) return [];
  const colour = ink.series[3];
  if (expected.shape === "frames") return [framesSet(expected, colour)];
  const line = { type: "line", pointRadius: 0, pointHoverRadius: 0, tension: 0.2, spanGaps: false };
  return [
    { ...line, role: "middle", data: expected.middle, borderColor: colour, borderWidth: 2.5, borderDash: DASHES, order: ON_TOP },
    { ...line, role: "edge", data: expected.low, borderWidth: 0, fill: "+1", backgroundColor: `${colour}3d`, order: BEHIND_THE_LINE },
    { ...line, role: "edge", data: expected.high, borderColor: `${colour}99`, borderWidth: 1, order: BEHIND_THE_LINE },
  ];
}

function framesSet(expected, colour) {
  return {
    role: "middle",
    data: expected.middle,
    stack: "own",
    backgroundColor: `${colour}1f`,
    borderColor: colour,
    borderWidth: 2,
    borderSkipped: "bottom",
    borderRadius: 3,
    categoryPercentage: 0.92,
    barPercentage: 0.9,
    maxBarThickness: 56,
    order: BEHIND_THE_BARS,
  };
}

/** Thin lines over the frames of days, from the low to the high end of what is expected. */
export function spanMarks(expected, ink) {
  return {
    id: "spanMarks",
    afterDatasetsDraw(chart) {
      if (expected?.shape !== "frames") return;
      const frames = chart.getDatasetMeta(chart.data.datasets.findIndex((each) => each.role === "middle")).data;
      const { ctx, scales } = chart;
      ctx.save();
      ctx.strokeStyle = ink.text;
      ctx.lineWidth = 1.5;
      for (const [index, { x }] of frames.entries()) {
        if (expected.low[index] === null || expected.high[index] === null) continue;
        if (index < scales.x.min || index > scales.x.max) continue;
        const [low, high] = [expected.low[index], expected.high[index]].map((value) => scales.y.getPixelForValue(value));
        ctx.beginPath();
        ctx.moveTo(x, low);
        ctx.lineTo(x, high);
        for (const end of [low, high]) {
          ctx.moveTo(x - HALF_A_MARK, end);
          ctx.lineTo(x + HALF_A_MARK, end);
        }
        ctx.stroke();
      }
      ctx.restore();
    },
  };
}

/** A pale stretch of bars behind all others: where something was unusual. */
export function stretchMark(stretch, ink) {
  return {
    id: "stretchMark",
    beforeDatasetsDraw({ ctx, chartArea, scales }) {
      if (!stretch) return;
      const step = scales.x.getPixelForValue(scales.x.min + 1) - scales.x.getPixelForValue(scales.x.min);
      const left = Math.max(scales.x.getPixelForValue(stretch.first) - step / 2, chartArea.left);
      const right = Math.min(scales.x.getPixelForValue(stretch.last) + step / 2, chartArea.right);
      if (right <= left) return;
      ctx.save();
      ctx.fillStyle = ink.warn;
      ctx.globalAlpha = 0.12;
      ctx.fillRect(left, chartArea.top, right - left, chartArea.bottom - chartArea.top);
      ctx.globalAlpha = 1;
      ctx.fillRect(left, chartArea.top, right - left, 3);
      ctx.restore();
    },
  };
}

/** Whether a dataset has words of its own at a bar: that a bar is not there yet is said where nothing is expected. */
export function isTold({ chart, dataset, dataIndex }) {
  if (dataset.role === "edge") return false;
  if (dataset.data[dataIndex] !== null) return true;
  const foreseen = chart.data.datasets.some((each) => each.role === "middle" && each.data[dataIndex] !== null);
  return dataset.role === undefined && !foreseen;
}
