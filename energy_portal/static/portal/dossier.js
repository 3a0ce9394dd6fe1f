/** A dossier's days: energy out above the line, energy in below it, and between which states of charge. */

function colours(element) {
  const style = getComputedStyle(element);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    out: token("series-1"),
    in: token("series-3"),
    soc: token("series-2"),
    line: token("line"),
    text: token("text"),
    muted: token("muted"),
    surface: token("surface"),
    font: style.fontFamily,
  };
}

function datasets(data, ink) {
  const bar = { grouped: false, borderRadius: 2, categoryPercentage: 0.9, barPercentage: 0.8, maxBarThickness: 40 };
  const energy = { ...bar, stack: "energy", yAxisID: "energy" };
  const below = data.charged.map((charged) => (charged === null ? null : -charged));
  return [
    { ...energy, label: "Discharged", data: data.discharged, backgroundColor: ink.out },
    { ...energy, label: "Charged", data: below, backgroundColor: ink.in },
    {
      ...bar,
      label: "State of charge",
      data: data.soc,
      yAxisID: "soc",
      backgroundColor: `${ink.soc}73`,
      borderColor: ink.soc,
      borderWidth: 1,
      borderSkipped: false,
    },
  ];
}

function words(item, data) {
  const day = item.dataIndex;
  if (item.dataset.yAxisID === "soc") return `State of charge: ${data.soc[day][0]} to ${data.soc[day][1]} %`;
  return `${item.dataset.label}: ${Math.abs(item.raw).toFixed(1)} kWh`;
}

function configuration(data, ink) {
  const font = { family: ink.font, size: 12 };
  const tick = { color: ink.muted, font };
  const title = (text) => ({ display: true, text, color: ink.muted, font });
  return {
    type: "bar",
    data: { labels: data.labels, datasets: datasets(data, ink) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: {
          displayColors: false,
          backgroundColor: ink.text,
          titleColor: ink.surface,
          bodyColor: ink.surface,
          titleFont: { ...font, weight: "600" },
          bodyFont: font,
          padding: 10,
          cornerRadius: 8,
          callbacks: {
            label: (item) => words(item, data),
            afterBody: ([item]) => `Known: ${data.known[item.dataIndex]} %`,
          },
        },
      },
      scales: {
        x: { grid: { display: false }, border: { color: ink.line }, ticks: { ...tick, maxRotation: 0, autoSkipPadding: 12 } },
        energy: {
          stack: "both",
          stackWeight: 2,
          stacked: true,
          position: "left",
          grid: { color: ink.line },
          border: { display: false },
          ticks: { ...tick, maxTicksLimit: 5, callback: (value) => Math.abs(value).toLocaleString("en") },
          title: title("kWh"),
        },
        soc: {
          stack: "both",
          stackWeight: 1,
          offset: true,
          position: "left",
          min: 0,
          max: 100,
          grid: { color: ink.line },
          border: { display: false },
          ticks: { ...tick, stepSize: 50 },
          title: title("%"),
        },
      },
    },
  };
}

for (const canvas of document.querySelectorAll("canvas[data-dossier]")) {
  const data = JSON.parse(document.getElementById(canvas.dataset.dossier).textContent);
  let chart = null;
  const draw = () => {
    chart?.destroy();
    chart = new Chart(canvas, configuration(data, colours(canvas)));
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
