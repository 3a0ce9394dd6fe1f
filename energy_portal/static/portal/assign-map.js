/** Meters chosen on a map or in the list beside it: both show the same choice. */

import { drawMap } from "./map.js";

const form = document.querySelector("[data-assign]");
const boxes = new Map([...(form?.querySelectorAll("[name=meters]") ?? [])].map((box) => [box.value, box]));
const all = JSON.parse(document.getElementById("map-points")?.textContent ?? "[]");
const canvas = form?.querySelector("[data-map]");

let drawn = null;

const chosenPoints = () => all.map((point) => ({ ...point, chosen: boxes.get(point.id).checked }));

function tell() {
  const count = [...boxes.values()].filter((box) => box.checked).length;
  form.querySelector("[data-chosen]").textContent = count === 0 ? "none chosen" : `${count} chosen`;
  const every = form.querySelector("[data-all]");
  every.checked = count === boxes.size;
  every.indeterminate = count > 0 && count < boxes.size;
  drawn.update({ points: chosenPoints() });
}

function choose(ids, how) {
  for (const id of ids) {
    const box = boxes.get(id);
    box.checked = how === undefined ? !box.checked : how;
  }
  tell();
}

const within = (bounds) =>
  all.filter((point) => bounds.contains([point.latitude, point.longitude])).map((point) => point.id);

/** Let the next drag over the map draw a box, whose meters are chosen. */
function drawBox(button) {
  const { map } = drawn;
  let start = null;
  let frame = null;
  const at = (event) => map.mouseEventToContainerPoint(event);

  function stop() {
    frame?.remove();
    canvas.classList.remove("portal-map-boxing");
    button.setAttribute("aria-pressed", "false");
    map.dragging.enable();
    for (const [name, act] of Object.entries(acts)) canvas.removeEventListener(name, act, true);
    document.removeEventListener("keydown", onKey);
  }
  function onKey(event) {
    if (event.key === "Escape") stop();
  }
  const acts = {
    pointerdown: (event) => {
      if (event.target.closest(".leaflet-control")) return;
      event.preventDefault();
      event.stopPropagation();
      start = at(event);
      canvas.setPointerCapture(event.pointerId);
      frame = canvas.appendChild(document.createElement("div"));
      frame.className = "portal-map-box";
    },
    pointermove: (event) => {
      if (start === null) return;
      const here = at(event);
      Object.assign(frame.style, {
        left: `${Math.min(start.x, here.x)}px`,
        top: `${Math.min(start.y, here.y)}px`,
        width: `${Math.abs(start.x - here.x)}px`,
        height: `${Math.abs(start.y - here.y)}px`,
      });
    },
    pointerup: (event) => {
      if (start === null) return;
      const corners = [start, at(event)].map((point) => map.containerPointToLatLng(point));
      stop();
      choose(within(window.L.latLngBounds(corners)), true);
    },
  };
  map.dragging.disable();
  canvas.classList.add("portal-map-boxing");
  button.setAttribute("aria-pressed", "true");
  for (const [name, act] of Object.entries(acts)) canvas.addEventListener(name, act, true);
  document.addEventListener("keydown", onKey);
}

if (form !== null) {
  drawn = drawMap(canvas, { points: chosenPoints(), tiles: canvas.dataset.tiles, onPick: (point) => choose([point.id]) });
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) choose(boxes.keys(), event.target.checked);
    else if (event.target.name === "meters") tell();
  });
  form.querySelector("[data-box]").addEventListener("click", (event) => drawBox(event.currentTarget));
  form.querySelector("[data-in-sight]").addEventListener("click", () => choose(within(drawn.map.getBounds()), true));
  form.querySelector("[data-none]").addEventListener("click", () => choose(boxes.keys(), false));
  tell();
}
