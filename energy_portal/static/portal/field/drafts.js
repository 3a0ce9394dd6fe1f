/** Readings that were begun. A camera that opens may cost the browser its page, so that all is kept as it is typed. */
import { erase, read, write } from "./store.js";

const photoKey = (assignment) => `${assignment}/photo`;

/** Keep a draft; its photo lies in a row of its own, which typing does not write anew. */
export async function keepDraft(agent, draft, changes) {
  const { photo, ...words } = draft;
  const rows = "photo" in changes ? [words, { assignment: photoKey(draft.assignment), photo }] : [words];
  await Promise.all(rows.map((row) => write(agent, "drafts", row)));
}

/** Return what was kept of an assignment's draft; nothing where none was begun. */
export async function draftOf(agent, assignment) {
  const words = await read(agent, "drafts", assignment);
  const kept = await read(agent, "drafts", photoKey(assignment));
  return { ...words, ...(kept && { photo: kept.photo }) };
}

/** Forget a draft: it is sent, or given up. */
export async function dropDraft(agent, assignment) {
  await erase(agent, "drafts", assignment);
  await erase(agent, "drafts", photoKey(assignment));
}
