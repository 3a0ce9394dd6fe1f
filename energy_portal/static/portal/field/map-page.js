/** The walk on a map: meters in their order, and where the agent is. */
import { drawMap } from "../map.js";
import { empty, fill, h } from "./html.js";
import { here, isAllowed, unwatch, watch } from "./position.js";
import { counted, distance, due, isOverdue, isPlace, metresBetween } from "./words.js";

function pointsOf(todo, own) {
  const points = todo.map((task, index) => ({
    id: task.id,
    latitude: task.latitude,
    longitude: task.longitude,
    number: String(index + 1),
    label: `${index + 1}. ${task.address || task.serial}${isOverdue(task) ? ", overdue" : ""}`,
    tone: isOverdue(task) ? "bad" : "",
    task,
  }));
  return own ? [...points, { ...own, kind: "own", label: "You" }] : points;
}

function picked(task) {
  const own = here();
  const far = own && isPlace(task) ? `${distance(metresBetween(own, task))} · ` : "";
  return [
    h("p", {}, h("strong", {}, task.address || task.serial)),
    h("p", { class: "muted small" }, `${far}${task.serial} · ${due(task)}`),
    h("a", { class: "button", href: `/field/assignments/${task.id}` }, "Read this meter"),
  ];
}

/** Show the map; it is drawn once and changed from then on, so that it stays where the agent moved it. */
export function show(root, context) {
  let map = null;
  const frame = h("div", { class: "map walk-map", "aria-label": "Map of today's meters" });
  const chosen = h("div", { class: "card picked", role: "status" });
  const locate = h("button", { class: "button second", type: "button" }, "Where am I?");
  let framed = false;
  const redraw = () => {
    const own = here();
    const todo = context.state?.todo ?? [];
    const places = todo.filter(isPlace).map(({ latitude, longitude }) => [latitude, longitude]);
    map?.update({
      points: pointsOf(todo, own),
      circles: own ? [{ latitude: own.latitude, longitude: own.longitude, radius_m: own.accuracy_m }] : [],
      walk: own ? [[own.latitude, own.longitude], ...places] : places,
    });
    if (map === null || own === null || framed) return;
    framed = true;
    map.frame();
  };
  locate.addEventListener("click", () => {
    watch(redraw);
    if (here()) map?.show(here().latitude, here().longitude);
  });
  isAllowed().then((allowed) => allowed && watch(redraw));
  addEventListener("pagehide", () => unwatch(redraw));
  return ({ todo }) => {
    if (map !== null) {
      redraw();
      return;
    }
    const lost = todo.length - todo.filter(isPlace).length;
    if (todo.length === lost) {
      fill(
        root,
        h("h1", {}, "Map"),
        empty("map", "Nothing to show", "None of today's meters has coordinates, or there are none to read."),
      );
      return;
    }
    const without = `${counted(lost, "meter")} without coordinates: only on the list.`;
    const words = lost > 0 ? without : "Pick a meter to see which it is.";
    chosen.replaceChildren(h("p", { class: "muted" }, words));
    fill(root, h("div", { class: "field-head" }, h("h1", {}, "Map"), locate), frame, chosen);
    map = drawMap(frame, {
      points: pointsOf(todo, null),
      tiles: context.tiles,
      onPick: ({ task }) => chosen.replaceChildren(...picked(task)),
    });
    redraw();
  };
}
