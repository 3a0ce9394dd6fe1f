/** Keeps what a page shows of alarms as it is now: a websocket says that they changed, the page fetches its part anew. */

const REFUSED = new Set([4401, 4403]);
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

let wait = FIRST_WAIT_MS;
let heard = null;

const shown = () => document.querySelector("[data-alarms]");

function say(words) {
  const line = document.querySelector("[data-alarms-live]");
  if (line === null) return;
  line.textContent = words;
  line.hidden = false;
}

function refresh() {
  window.htmx.trigger(shown(), "alarms");
}

function listen() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/ws/alarms/`);
  socket.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    const changed = heard === null ? state.open !== Number(shown().dataset.alarms) : event.data !== heard;
    heard = event.data;
    wait = FIRST_WAIT_MS;
    say("Live: alarms appear here by themselves.");
    if (changed) refresh();
  });
  socket.addEventListener("close", (event) => {
    if (REFUSED.has(event.code)) {
      say("Your login has ended: log in again to see what is new.");
      return;
    }
    say("Not connected at the moment; trying again.");
    setTimeout(listen, wait);
    wait = Math.min(2 * wait, LONGEST_WAIT_MS);
  });
}

if (shown() !== null) listen();
