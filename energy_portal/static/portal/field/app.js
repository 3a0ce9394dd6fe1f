/** Runs on every page of an agent: shows what the phone knows at once, then asks the portal, and sends what waits. */
import { follow as listen } from "../live.js";
import * as capture from "./capture.js";
import { h } from "./html.js";
import * as mapPage from "./map-page.js";
import { Turn, sendAll } from "./outbox.js";
import * as sent from "./sent.js";
import { follow, sendFixes } from "./shift.js";
import { agents, forgetShown } from "./store.js";
import * as today from "./today.js";
import { known, note, refresh } from "./work.js";
import { counted, moment } from "./words.js";

const EVERY_MS = 30_000;
const PAGES = [
  [/^\/field\/$/, today, "Today"],
  [/^\/field\/map$/, mapPage, "Map"],
  [/^\/field\/sent$/, sent, "Sent"],
  [/^\/field\/assignments\//, capture, "Reading"],
];
const { agent, tiles, worker } = document.body.dataset;
const [, page, title] = PAGES.find(([path]) => path.test(location.pathname)) ?? PAGES[0];
const strip = document.getElementById("strip");
const context = { agent, tiles, state: null, reload, refresh: fetchAnew, send, setStanding };
let standing = navigator.onLine ? "done" : "offline";
let shown = "";
let paint = null;
let isListening = false;

/** The kept document may have been that of another page: its title and tabs are set right. */
function setFrame() {
  document.title = `${title} · Energy portal`;
  for (const link of document.querySelectorAll(".tabs a")) {
    const here = new URL(link.href).pathname === location.pathname;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function count(name, number, words) {
  for (const badge of document.querySelectorAll(`[data-count="${name}"]`)) {
    badge.hidden = number === 0;
    badge.replaceChildren(String(number), h("span", { class: "for-ears" }, ` ${words}`));
  }
}

function stripWords({ work, outbox }) {
  const waiting = outbox.filter(({ stage }) => stage !== "arrived").length;
  const queued = waiting > 0 ? ` ${counted(waiting, "reading")} ${waiting === 1 ? "waits" : "wait"} to be sent.` : "";
  const listed = work.as_of ? `As of ${moment(work.as_of)}.` : "";
  const login = () => h("a", { href: `/login?next=${encodeURIComponent(location.pathname)}` }, "Log in");
  if (!window.isSecureContext) return ["This address is not secure: phones give camera and position to HTTPS only."];
  if (standing === "login") return ["Your login has ended. ", login(), ` to go on.${queued}`];
  if (standing === "stranger") return ["Somebody else is logged in on this phone. ", login(), ` as yourself.${queued}`];
  if (standing === "offline") return [`No connection. ${listed}${queued}`];
  if (queued) return [queued.trim()];
  return [listed];
}

async function reload() {
  context.state = await known(agent);
  const { work, outbox, todo } = context.state;
  const words = stripWords(context.state);
  strip.replaceChildren(...words);
  strip.className = `field-strip ${standing}`;
  strip.setAttribute("aria-live", standing === "done" ? "off" : "polite");
  count("today", work.notices.length, "unseen");
  navigator.setAppBadge?.(work.notices.length).catch(() => undefined);
  count("sent", outbox.length + todo.filter(({ returned }) => returned).length, "waiting or sent back");
  follow(agent, work.agent, work.skew_ms);
  const waiting = outbox.map(({ id, stage, received, problem }) => [id, stage, received, problem]);
  const now = JSON.stringify([{ ...work, as_of: work.as_of !== null }, waiting]);
  if (now === shown) return;
  shown = now;
  await paint(context.state);
}

async function fetchAnew() {
  standing = await refresh(agent);
  if (standing !== "revoked") await reload();
  else location.replace("/field/revoked");
}

/** Send what waits, and then see what became of it; `patience_ms` is how long to wait for that at most. */
async function send({ patience_ms: patience = Infinity, waits = false } = {}) {
  const sending = sendAll(agent, { waits }).then(async (turn) => {
    if (turn !== Turn.BUSY) await fetchAnew();
    await sendFixes(agent);
  });
  if (patience === Infinity) return sending;
  return Promise.race([sending, new Promise((resolve) => setTimeout(resolve, patience))]);
}

async function setStanding(changed) {
  await note(agent, { agent: changed });
  await reload();
}

async function start() {
  setFrame();
  for (const other of await agents()) if (other !== agent) await forgetShown(other);
  paint = page.show(document.getElementById("view"), context);
  await reload();
  if (!window.isSecureContext) {
    await fetchAnew();
    return;
  }
  new BroadcastChannel(`field-${agent}`).addEventListener("message", reload);
  // A turn that still goes on may have met the end of the connection, and ends with nothing sent.
  addEventListener("online", () => send({ waits: true }));
  addEventListener("offline", () => {
    standing = "offline";
    reload();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && send());
  setInterval(() => document.visibilityState === "visible" && send(), EVERY_MS);
  await navigator.storage?.persist?.().catch(() => undefined);
  await navigator.serviceWorker?.register(worker, { type: "module" }).catch(() => undefined);
  await send();
  listen("/ws/work/", { say: () => undefined, live: "", hear: hearOfWork });
}

/** What was so when the page was opened is known; all that comes after is news. */
async function hearOfWork() {
  if (isListening) await fetchAnew();
  isListening = true;
}

await start();
