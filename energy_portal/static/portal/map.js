/** A map of points and circles on a plain graticule; tiles lie under it only where somebody has set their address. */
import "../js_lib_leaflet/leaflet.js";

const L = window.L;
const MANY = 300;
const LARGEST_ZOOM = 19;
const ALONE_ZOOM = 16;
const LINES = 6;
const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function escape(words) {
  const holder = document.createElement("span");
  holder.textContent = words;
  return holder.innerHTML;
}

function degrees(value, step, [before, after]) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step)));
  return `${Math.abs(value).toFixed(digits)}° ${value < 0 ? after : before}`;
}

function stepOf(span) {
  return STEPS.findLast((step) => span / step <= LINES) ?? STEPS[0];
}

function label(position, words, kind) {
  const icon = L.divIcon({ className: `map-degree ${kind}`, html: words, iconSize: null });
  return L.marker(position, { icon, interactive: false, keyboard: false });
}

/** Draw meridians and parallels anew for what is in sight, each with its degrees at the edge. */
function drawGraticule(map, layer) {
  const seen = map.getBounds();
  const around = seen.pad(0.2);
  const style = { className: "map-line", weight: 1, interactive: false };
  layer.clearLayers();
  const step = stepOf(Math.max(seen.getEast() - seen.getWest(), seen.getNorth() - seen.getSouth()));
  const first = (value) => Math.ceil(value / step) * step;
  const corner = map.containerPointToLatLng([0, map.getSize().y]);
  for (let at = first(around.getWest()); at <= around.getEast(); at += step) {
    layer.addLayer(L.polyline([[around.getSouth(), at], [around.getNorth(), at]], style));
    layer.addLayer(label([corner.lat, at], degrees(at, step, ["E", "W"]), "meridian"));
  }
  for (let at = first(around.getSouth()); at <= around.getNorth(); at += step) {
    layer.addLayer(L.polyline([[at, around.getWest()], [at, around.getEast()]], style));
    layer.addLayer(label([at, corner.lng], degrees(at, step, ["N", "S"]), "parallel"));
  }
}

function mark(point) {
  const shown = document.createElement("span");
  shown.className = `map-mark ${point.kind ?? "meter"} ${point.tone ?? ""}${point.chosen ? " chosen" : ""}`;
  shown.textContent = point.number ?? "";
  const icon = L.divIcon({ className: "map-place", html: shown, iconSize: [44, 44] });
  const placed = L.marker([point.latitude, point.longitude], {
    icon,
    title: point.label,
    keyboard: Boolean(point.id),
    interactive: Boolean(point.id),
    zIndexOffset: point.kind === "own" ? 1000 : 0,
  });
  if (!point.id) return placed;
  return placed.on("add", () => placed.getElement().setAttribute("aria-label", point.label));
}

function colour(element, tone) {
  return getComputedStyle(element).getPropertyValue(`--${tone || "accent"}`).trim();
}

function dot(point, element, renderer) {
  const fill = colour(element, point.tone);
  const drawn = L.circleMarker([point.latitude, point.longitude], {
    renderer,
    radius: point.chosen ? 9 : 6,
    color: point.chosen ? colour(element, "text") : fill,
    weight: point.chosen ? 3 : 1,
    fillColor: fill,
    fillOpacity: 0.8,
  });
  return drawn.bindTooltip(escape(point.label));
}

function pickable(drawn, point, onPick) {
  if (!onPick || !point.id) return drawn;
  return drawn.on("click", () => onPick(point)).on("keydown", ({ originalEvent: key }) => {
    if (key.key === "Enter" || key.key === " ") onPick(point);
  });
}

function drawThings(state) {
  const { element, things, options } = state;
  const points = (options.points ?? []).filter((point) => point.latitude !== null && point.longitude !== null);
  things.clearLayers();
  for (const circle of options.circles ?? []) {
    const drawn = L.circle([circle.latitude, circle.longitude], {
      radius: circle.radius_m,
      className: `map-circle ${circle.tone ?? ""}`,
      interactive: false,
    });
    things.addLayer(drawn);
    if (circle.label) things.addLayer(label([circle.latitude, circle.longitude], escape(circle.label), "name"));
  }
  if ((options.walk ?? []).length > 1) {
    things.addLayer(L.polyline(options.walk, { className: "map-walk", weight: 3, interactive: false }));
  }
  const renderer = points.length > MANY ? state.renderer : null;
  for (const point of points) {
    const drawn = renderer && point.kind !== "own" ? dot(point, element, renderer) : mark(point);
    things.addLayer(pickable(drawn, point, options.onPick));
  }
  return points;
}

function frame(map, points, circles) {
  const corners = points.map((point) => [point.latitude, point.longitude]);
  const bounds = L.latLngBounds(corners);
  for (const circle of circles) bounds.extend(
    L.latLng(circle.latitude, circle.longitude).toBounds(2 * circle.radius_m),
  );
  if (!bounds.isValid()) map.setView([0, 0], 2);
  else map.fitBounds(bounds.pad(0.1), { maxZoom: ALONE_ZOOM, animate: false });
}

/**
 * Draw a map into an element that has a height.
 *
 * @param {HTMLElement} element
 * @param {object} options `points` `{id, latitude, longitude, label, number, kind, tone, chosen}` of a kind meter, agent
 *   or own and a tone good, warn, bad or muted (without an id it cannot be picked), `circles`
 *   `{latitude, longitude, radius_m, label, tone}`, `walk` `[[latitude, longitude]]`,
 *   `tiles` the address of tiles with `{z}/{x}/{y}`, or "", and `onPick(point)`.
 * @returns {{map, update(options), show(latitude, longitude), frame()}} `update` takes any of points, circles and walk,
 *   and leaves the view.
 */
export function drawMap(element, options) {
  const map = L.map(element, {
    attributionControl: Boolean(options.tiles),
    zoomAnimation: !still(),
    fadeAnimation: !still(),
    maxZoom: LARGEST_ZOOM,
    worldCopyJump: true,
  });
  const graticule = L.layerGroup().addTo(map);
  const things = L.layerGroup().addTo(map);
  const state = { element, things, options: { ...options }, renderer: L.canvas() };
  if (options.tiles) L.tileLayer(options.tiles, { maxZoom: LARGEST_ZOOM }).addTo(map);
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  element.setAttribute("role", "application");
  frame(map, drawThings(state), options.circles ?? []);
  if (!options.tiles) {
    drawGraticule(map, graticule);
    map.on("moveend resize", () => drawGraticule(map, graticule));
  }
  new ResizeObserver(() => map.invalidateSize({ animate: false })).observe(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawThings(state));
  return {
    map,
    update(changes) {
      Object.assign(state.options, changes);
      drawThings(state);
    },
    show: (latitude, longitude) => map.setView(
      [latitude, longitude],
      Math.max(map.getZoom(), ALONE_ZOOM),
      { animate: !still() },
    ),
    frame: () => frame(map, drawThings(state), state.options.circles ?? []),
  };
}
