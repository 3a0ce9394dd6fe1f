/** The regions of a list, each as its circle. */

import { drawMap } from "./map.js";

const canvas = document.querySelector("[data-regions-map]");
if (canvas !== null) {
  const circles = JSON.parse(document.getElementById("regions-map-data").textContent);
  drawMap(canvas, { circles, tiles: canvas.dataset.tiles });
}
