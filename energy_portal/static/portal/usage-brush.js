/** A part of a chart chosen by two sliders, or by drawing over its bars; what it comes to is said in words. */

const LEAST_BARS = 2;
const LEAST_DRAG = 8;
const chosen = new WeakMap();

function between(data, first, last) {
  const known = data.energy.slice(first, last + 1).filter((energy) => energy !== null);
  const sum = known.reduce((total, energy) => total + energy, 0);
  const names = `${data.names[first]} … ${data.names[last]}`;
  return known.length ? `${names}: ${sum.toFixed(2)} ${data.unit}` : names;
}

function apply(chart, { first, last }) {
  const whole = first === 0 && last === chart.data.labels.length - 1;
  chart.options.scales.x.min = whole ? undefined : first;
  chart.options.scales.x.max = whole ? undefined : last;
  chart.update();
  return whole;
}

/** Let the part be drawn over the bars; a click without a way opens a bar as before. */
function followPointer(canvas, chart, choose) {
  let from = null;
  const bar = (event) => {
    const { x } = chart().scales;
    const at = Math.round(x.getValueForPixel(event.offsetX));
    return Math.min(Math.max(at, x.min), x.max);
  };
  canvas.addEventListener("pointerdown", (event) => {
    from = event.pointerType === "mouse" && event.button === 0 ? { bar: bar(event), x: event.offsetX } : null;
  });
  canvas.addEventListener("pointerup", (event) => {
    const start = from;
    from = null;
    if (!start || Math.abs(event.offsetX - start.x) < LEAST_DRAG) return;
    canvas.addEventListener("click", (click) => click.stopImmediatePropagation(), { capture: true, once: true });
    const [first, last] = [start.bar, bar(event)].sort((one, other) => one - other);
    if (last - first + 1 >= LEAST_BARS) choose({ first, last });
  });
}

/** Show the brush of a chart and let it choose; `chart` returns the one that is drawn now. */
export function addBrush(canvas, data, chart) {
  const brush = canvas.closest("figure")?.querySelector("[data-brush]");
  const end = data.labels.length - 1;
  if (!brush || end + 1 < 2 * LEAST_BARS) return;
  const [low, high] = brush.querySelectorAll("input");
  const [words, reset] = [brush.querySelector("output"), brush.querySelector("button")];
  const choose = ({ first, last }) => {
    [low.value, high.value] = [first, last];
    low.setAttribute("aria-valuetext", data.names[first]);
    high.setAttribute("aria-valuetext", data.names[last]);
    chosen.set(canvas, { first, last });
    const whole = apply(chart(), { first, last });
    words.textContent = whole ? "" : between(data, first, last);
    reset.hidden = whole;
  };
  for (const slider of [low, high]) slider.max = end;
  low.addEventListener("input", () => {
    const first = Math.min(Number(low.value), end + 1 - LEAST_BARS);
    choose({ first, last: Math.max(Number(high.value), first + LEAST_BARS - 1) });
  });
  high.addEventListener("input", () => {
    const last = Math.max(Number(high.value), LEAST_BARS - 1);
    choose({ first: Math.min(Number(low.value), last + 1 - LEAST_BARS), last });
  });
  reset.addEventListener("click", () => {
    choose({ first: 0, last: end });
    low.focus();
  });
  followPointer(canvas, chart, choose);
  brush.classList.add("ready");
  choose({ first: 0, last: end });
}

/** Keep the chosen part on a chart that was drawn anew. */
export function chooseAgain(canvas, chart) {
  if (chosen.has(canvas)) apply(chart, chosen.get(canvas));
}
