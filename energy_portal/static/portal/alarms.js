/** Keeps what a page shows of alarms as it is now: a websocket says that they changed, the page fetches its part anew. */
import { follow } from "./live.js";

let heard = null;

const shown = () => document.querySelector("[data-alarms]");

function say(words) {
  const line = document.querySelector("[data-alarms-live]");
  if (line === null) return;
  line.textContent = words;
  line.hidden = false;
}

function hear(state, text) {
  const changed = heard === null ? state.open !== Number(shown().dataset.alarms) : text !== heard;
  heard = text;
  if (changed) window.htmx.trigger(shown(), "alarms");
}

if (shown() !== null) {
  const words = { ...document.querySelector("[data-alarms-live]")?.dataset };
  follow("/ws/alarms/", { say, live: words.live, words, hear });
}
