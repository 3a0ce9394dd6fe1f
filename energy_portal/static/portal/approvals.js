/** The approval queue by keys: one key an act, the photo enlarged, the list and its counters kept as they are now. */

import { follow } from "./live.js";

const KEYS_OFF = "portal.approvals.keys-off";
const ZOOMS = [1, 2, 3, 4];
const TYPED_INTO = "input:not([type=checkbox]), textarea, select, [contenteditable]";

let zoom = 0;

const queue = () => document.getElementById("queue");
const keysAreOn = () => localStorage.getItem(KEYS_OFF) === null;

function address(path, at) {
  const { url, show } = queue().dataset;
  const query = new URLSearchParams();
  if (at) query.set("at", at);
  if (show) query.set("show", show);
  return `${url}${path}?${query}`;
}

function go(at) {
  if (at) window.htmx.ajax("GET", address("", at), { target: "#queue", swap: "outerHTML" });
}

function setZoom(step) {
  const picture = document.querySelector("[data-zoom] img");
  if (picture === null) return;
  const frame = picture.parentElement;
  const middle = [
    (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth,
    (frame.scrollTop + frame.clientHeight / 2) / frame.scrollHeight,
  ];
  zoom = (step + ZOOMS.length) % ZOOMS.length;
  frame.classList.toggle("portal-zoomed", zoom > 0);
  picture.style.width = `${100 * ZOOMS[zoom]}%`;
  frame.scrollTo(
    middle[0] * frame.scrollWidth - frame.clientWidth / 2,
    middle[1] * frame.scrollHeight - frame.clientHeight / 2,
  );
  document.querySelector("[data-zoom-level]").textContent = `${ZOOMS[zoom]} ×`;
}

const zoomBy = (steps) => setZoom(Math.min(ZOOMS.length - 1, Math.max(0, zoom + steps)));

function decide(key) {
  const button = document.querySelector(`[data-decide] [data-key="${key}"]`);
  button?.click();
}

/** A verdict that needs a note asks for it before it is sent; Ctrl and Enter in the note send it then. */
function askForNote(event) {
  const button = event.target.closest("[data-decide] button[data-key]");
  if (button === null) return;
  const form = button.form;
  const notes = form.elements.notes;
  if (!("needsNote" in button.dataset) || notes.value.trim() !== "") return;
  event.preventDefault();
  event.stopPropagation();
  form.dataset.pending = button.dataset.key;
  form.querySelector("[data-notes-error]").textContent =
    `Say why, then ${button.firstChild.textContent.trim().toLowerCase()} with Ctrl + Enter or the button.`;
  notes.focus();
}

const KEYS = {
  a: () => decide("a"),
  r: () => decide("r"),
  s: () => decide("s"),
  j: () => go(queue().dataset.after),
  k: () => go(queue().dataset.before),
  z: () => setZoom(zoom + 1),
  "+": () => zoomBy(1),
  "-": () => zoomBy(-1),
};

function onKey(event) {
  if (queue() === null) return;
  const form = event.target.closest?.("[data-decide]");
  if (form && event.key === "Enter" && event.ctrlKey && event.target.matches("textarea")) {
    event.preventDefault();
    decide(form.dataset.pending ?? "a");
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.(TYPED_INTO) || document.querySelector("dialog[open]") || !keysAreOn()) return;
  const act = KEYS[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
}

function showKeys() {
  const box = document.querySelector("[data-keys-on]");
  if (box !== null) box.checked = keysAreOn();
}

function chosen() {
  return new Set([...document.querySelectorAll("#queue-list [name=ids]:checked")].map((box) => box.value));
}

let ticked = new Set();

/** Fetch the list anew and leave what is being typed alone. */
function refreshList() {
  if (queue() === null) return;
  const { at, level } = queue().dataset;
  ticked = chosen();
  const place = `${address("list/", at)}&level=${level}`;
  window.htmx.ajax("GET", place, { target: "#queue-list", swap: "outerHTML" });
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", askForNote, { capture: true });
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-zoom]")) setZoom(zoom + 1);
  const by = event.target.closest("[data-zoom-by]");
  if (by !== null) zoomBy(Number(by.dataset.zoomBy));
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-keys-on]")) {
    if (event.target.checked) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
  }
  if (event.target.matches("[data-all]")) {
    for (const box of document.querySelectorAll("#queue-list [name=ids]")) box.checked = event.target.checked;
  }
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "queue-list") {
    for (const box of document.querySelectorAll("#queue-list [name=ids]")) box.checked = ticked.has(box.value);
  }
  if (event.detail.target.id !== "queue") return;
  zoom = 0;
  document.getElementById("case-heading")?.focus();
});
document.body.addEventListener("htmx:responseError", () => {
  document.getElementById("queue-news").textContent = "That did not work. Load the page again; nothing is lost.";
});
document.body.addEventListener("htmx:sendError", () => {
  document.getElementById("queue-news").textContent = "No connection: nothing was decided. Try again.";
});

showKeys();
if (queue() !== null) {
  let heard = null;
  follow("/ws/approvals/", {
    say: (words) => {
      document.querySelector("[data-approvals-live]").textContent = words;
    },
    live: "Live: what comes in appears by itself.",
    hear: (state, text) => {
      for (const name of ["waiting", "high", "mine", "second_level"]) {
        const figure = document.querySelector(`[data-count="${name}"]`);
        if (figure !== null && name in state) figure.textContent = state[name].toLocaleString("en");
      }
      if (heard !== null && heard !== text) refreshList();
      heard = text;
    },
  });
}
