/** What waits to be sent. It goes up in order, one sender at a time, and however often it is tried, arrives once. */
import { dropDraft } from "./drafts.js";
import { Refused, Unreachable, call } from "./net.js";
import { list, read, write, erase } from "./store.js";

const PIECE_BYTES = 256 * 1024;
const API = "/api/v1/submissions";
const AT_PHOTO = { stage: "photo", received: 0, problem: null };
export const TAG = "field-outbox";

/** How a turn of sending ended: all is up, somebody else sends, no connection, no login, or somebody else's login. */
export const Turn = {
  DONE: "done",
  BUSY: "busy",
  OFFLINE: "offline",
  LOGIN: "login",
  REVOKED: "revoked",
  STRANGER: "stranger",
};

/** Tell other pages of this agent, and the service worker, that what is kept has changed. */
export function changed(agent) {
  const channel = new BroadcastChannel(`field-${agent}`);
  channel.postMessage("changed");
  channel.close();
}

/**
 * Put a submission into the outbox; it is safe there when the promise is kept.
 *
 * @param {string} agent
 * @param {object} entry `body` as the API takes it, `photo` `{bytes, type, sha256}` or null; `serial`, `address` and
 *   `unit` to show.
 */
export async function queue(agent, entry) {
  await write(agent, "outbox", {
    ...entry,
    id: entry.body.id,
    assignment: entry.body.assignment_id,
    stage: "waiting",
    received: 0,
    problem: null,
    queued_at: new Date().toISOString(),
  });
  await dropDraft(agent, entry.body.assignment_id);
  changed(agent);
}

async function keep(agent, entry, changes) {
  Object.assign(entry, changes);
  await write(agent, "outbox", entry);
  changed(agent);
}

/** Send what is in the photo still, from where the portal says it is. */
async function sendPhoto(agent, entry) {
  const { bytes, sha256 } = entry.photo;
  const path = `${API}/${entry.id}/photo`;
  let { received, done } = await call(path, { method: "POST", json: { size: bytes.byteLength, sha256 } });
  while (!done && received < bytes.byteLength) {
    try {
      ({ received, done } = await call(path, {
        method: "PATCH",
        bytes: bytes.slice(received, received + PIECE_BYTES),
        headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(received) },
      }));
    } catch (error) {
      if (error.code !== "wrong_offset" || error.body.received === received) throw error;
      received = error.body.received;
    }
    await keep(agent, entry, { received });
  }
}

async function sendOne(agent, entry) {
  if (entry.stage === "waiting") {
    const answer = await call(API, { method: "POST", json: entry.body });
    const whole = entry.photo === null || (answer.status && answer.status !== "receiving");
    await keep(agent, entry, { stage: whole ? "arrived" : "photo", problem: null, ...(whole ? { photo: null } : {}) });
  }
  if (entry.stage === "photo") {
    await sendPhoto(agent, entry);
    await keep(agent, entry, { stage: "arrived", photo: null, problem: null });
  }
}

function ended(error) {
  if (error instanceof Unreachable) return Turn.OFFLINE;
  if (!(error instanceof Refused)) throw error;
  if (error.code === "phone_revoked") return Turn.REVOKED;
  return error.status === 401 || error.code === "csrf_failed" ? Turn.LOGIN : null;
}

async function sendInTurn(agent) {
  const waiting = (await list(agent, "outbox")).filter(({ stage, problem }) => stage !== "arrived" && problem === null);
  if (waiting.length === 0) return Turn.DONE;
  waiting.sort((one, other) => one.queued_at.localeCompare(other.queued_at));
  try {
    const who = await call("/api/v1/agents/me");
    if (who.id !== agent) return Turn.STRANGER;
  } catch (error) {
    return ended(error) ?? Turn.LOGIN;
  }
  for (const entry of waiting) {
    try {
      await sendOne(agent, entry);
    } catch (error) {
      const turn = ended(error);
      if (turn !== null) return turn;
      await keep(agent, entry, { problem: { code: error.code, detail: error.message, of: entry.stage } });
    }
  }
  return Turn.DONE;
}

/** Send all that waits; a page and the service worker, or two pages, never do so at once. `waits`: for another's turn to end. */
export async function sendAll(agent, { waits = false } = {}) {
  return navigator.locks.request(`field-outbox-${agent}`, { ifAvailable: !waits }, (lock) =>
    lock === null ? Turn.BUSY : sendInTurn(agent),
  );
}

/** Drop what has arrived and is on the portal's list by now. */
export async function settle(agent, submissions) {
  const listed = new Set(submissions.map(({ id }) => id));
  for (const entry of await list(agent, "outbox")) {
    if (entry.stage === "arrived" && listed.has(entry.id)) await erase(agent, "outbox", entry.id);
  }
}

/** Give a submission whose photo was refused another one. */
export async function replacePhoto(agent, id, photo) {
  const entry = await read(agent, "outbox", id);
  await keep(agent, entry, { photo, received: 0, problem: null });
}

/** Send the photo of a submission that has none, and that lies on the portal only. */
export async function sendMissing(agent, submission, photo) {
  const { id, assignment, serial, address, outcome, value, unit, obstacle, read_at } = submission;
  const body = { id, outcome, value, obstacle, read_at };
  await write(
    agent,
    "outbox",
    { id, assignment, serial, address, unit, body, photo, ...AT_PHOTO, queued_at: new Date().toISOString() },
  );
  changed(agent);
}

/** Give up on a submission that the portal refused. */
export async function discard(agent, id) {
  await erase(agent, "outbox", id);
  changed(agent);
}

/** Have the browser send in the background as soon as there is a connection, where it can. */
export async function askForSync() {
  const registration = await navigator.serviceWorker?.ready;
  await registration?.sync?.register(TAG).catch(() => undefined);
}
