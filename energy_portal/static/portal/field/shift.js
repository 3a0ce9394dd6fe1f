/** The shift: on, on a break, or off. Positions are taken and sent on shift only, never on a break. */
import { h, icon } from "./html.js";
import { Refused, call } from "./net.js";
import { metresBetween } from "./words.js";
import { unwatch, watch } from "./position.js";
import { erase, list, write } from "./store.js";

const API = "/api/v1/agents/me";
const EVERY_MS = 30_000;
const MOVED_M = 25;
const BATCH = 100;

let agent = null;
let skew = 0;
let kept = null;

/**
 * Keep a position when time has passed or the agent has moved; the first is sent at once, the others together.
 * Phones tell a place only when it changes, so that it is where they are now, however long they have known it.
 */
async function keepFix(found, trouble) {
  if (found === null || trouble !== null) return;
  const fix = { ...found, at: new Date(Date.now() + skew).toISOString() };
  const passed = kept === null ? Infinity : new Date(fix.at) - new Date(kept.at);
  if (passed < EVERY_MS && metresBetween(kept, fix) < MOVED_M) return;
  const isFirst = kept === null;
  kept = fix;
  await write(agent, "fixes", fix);
  if (isFirst) await sendFixes(agent);
}

/** Send the positions that wait, oldest first. Those that the portal will not have are dropped. */
export async function sendFixes(who) {
  await navigator.locks.request(`field-fixes-${who}`, { ifAvailable: true }, async (lock) => {
    if (lock === null) return;
    for (let fixes = await list(who, "fixes"); fixes.length > 0; fixes = await list(who, "fixes")) {
      const batch = fixes.slice(0, BATCH);
      try {
        await call(`${API}/location`, { method: "POST", json: batch });
      } catch (error) {
        if (!(error instanceof Refused) || error.status === 401 || error.status === 403) return;
      }
      await erase(who, "fixes", IDBKeyRange.bound(batch[0].at, batch.at(-1).at));
    }
  });
}

/** Begin or stop taking positions, as the agent's standing says; the portal's clock is `ahead` by so many ms. */
export function follow(who, standing, ahead) {
  agent = who;
  skew = ahead;
  if (standing?.on_shift && standing.status !== "on_break") watch(keepFix);
  else unwatch(keepFix);
}

function stateOf(standing) {
  if (!standing.on_shift) return ["Off shift", "Your position is not taken."];
  if (standing.status === "on_break") return ["On a break", "Your position is not taken."];
  return ["On shift", "Your position is sent."];
}

function actions(standing, act) {
  const button = (key, label, change, kind = "second") =>
    h("button", { class: `button ${kind}`, type: "button", data: { key }, on: { click: () => act(change) } }, label);
  if (!standing.on_shift) return [button("on", "Start shift", { on: true }, "")];
  const rest = standing.status === "on_break" ? button(
    "work",
    "Go on",
    { status: "available" },
    "",
  ) : button("break", "Break", { status: "on_break" });
  return [rest, button("off", "End shift", { on: false })];
}

/** Return the card with the standing and what can be done about it; `done(standing)` hears of the new one. */
export function shiftCard(standing, done) {
  const [title, words] = stateOf(standing);
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const act = async (change) => {
    try {
      if (change.on === false) await sendFixes(agent);
      const path = "on" in change ? "shift" : "status";
      await call(`${API}/${path}`, { method: "POST", json: change });
      error.hidden = true;
      const status = change.status ?? (change.on ? "available" : "offline");
      done({ ...standing, on_shift: change.on ?? standing.on_shift, status });
    } catch (reason) {
      error.textContent = reason instanceof Refused ? reason.message : "No connection: try again where there is one.";
      error.hidden = false;
    }
  };
  return h(
    "section",
    { class: "card shift", "aria-label": "Shift" },
    h(
      "div",
      { class: "shift-row" },
      h("p", {}, icon("clock"), h("span", {}, h("strong", {}, title), h("small", { class: "muted" }, words))),
      h("div", { class: "buttons" }, actions(standing, act)),
    ),
    error,
  );
}
