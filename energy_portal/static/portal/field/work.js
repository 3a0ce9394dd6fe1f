/** The list of work as this phone knows it. */
import { Refused, call } from "./net.js";
import { settle } from "./outbox.js";
import { list, read, write, wipe } from "./store.js";

const FACT = "work";
const SKEWED_MS = 60_000;
const EMPTY = {
  as_of: null,
  agent: null,
  assignments: [],
  notices: [],
  submissions: [],
  photo_limit_bytes: 0,
  skew_ms: 0,
};

/** Return by how much the portal's clock is ahead, in ms: a phone that is set wrong would date its readings wrong. */
function skewOf(instant) {
  const skew = Date.parse(instant) - Date.now();
  return Math.abs(skew) > SKEWED_MS ? skew : 0;
}

/** Fetch the list anew and keep it. */
export async function refresh(agent) {
  try {
    const work = await call("/field/work");
    if (work.agent.id !== agent) return "stranger";
    await write(agent, "facts", { ...work, skew_ms: skewOf(work.as_of) }, FACT);
    await settle(agent, work.submissions);
    return "done";
  } catch (error) {
    if (!(error instanceof Refused)) return "offline";
    if (error.code !== "phone_revoked") return "login";
    // Not waited for: the page that says so wipes too, and this one may hold what is to be deleted.
    wipe().catch(() => undefined);
    return "revoked";
  }
}

/** Change what is kept of one's own standing, until the list is fetched anew. */
export async function note(agent, changes) {
  const work = await read(agent, "facts", FACT);
  if (work) await write(agent, "facts", { ...work, ...changes }, FACT);
}

/**
 * Return what is known: the list, the outbox, and the assignments parted into those to do and those that are under way.
 */
export async function known(agent) {
  const work = (await read(agent, "facts", FACT)) ?? EMPTY;
  const outbox = await list(agent, "outbox");
  const going = new Map(outbox.filter(({ problem }) => problem === null).map((entry) => [entry.assignment, entry]));
  const stuck = new Map(outbox.filter(({ problem }) => problem !== null).map((entry) => [entry.assignment, entry]));
  const bare = new Set(
    work.submissions.filter(({ status }) => status === "receiving").map(({ assignment }) => assignment),
  );
  const todo = [];
  const under = [];
  for (const task of work.assignments) {
    const entry = going.get(task.id) ?? stuck.get(task.id) ?? null;
    if (task.is_in_review || entry || bare.has(task.id)) under.push({ ...task, entry });
    else todo.push(task);
  }
  return { work, outbox, todo, under };
}
