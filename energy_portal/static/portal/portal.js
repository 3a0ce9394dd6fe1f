/** What every page does: menus that close, and charts drawn where there are any. */
import { drawUsageChart } from "./usage-chart.js";

for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

function drawCharts(root) {
  for (const canvas of root.querySelectorAll("canvas[data-usage]")) drawUsageChart(canvas);
}

drawCharts(document);
document.body.addEventListener("htmx:afterSettle", (event) => drawCharts(event.detail.elt));
document.body.addEventListener("htmx:historyRestore", () => drawCharts(document));
