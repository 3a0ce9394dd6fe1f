/** What became of what was sent: waiting, sent, in review, approved, sent back with what to mend, rejected. */
import { keepDraft } from "./drafts.js";
import { empty, fill, h, icon } from "./html.js";
import { askForSync, discard, replacePhoto, sendMissing } from "./outbox.js";
import { photoButton } from "./photo.js";
import { OBSTACLES, moment } from "./words.js";

const STATES = {
  receiving: ["warn", "camera", "Sent, but its photo is missing"],
  in_review: ["", "clock", "In review"],
  approved: ["good", "check", "Approved"],
  returned: ["warn", "back", "Sent back"],
  rejected: ["bad", "alert", "Rejected"],
};

function stateOfEntry(entry) {
  if (entry.problem) return ["bad", "alert", "Could not be sent"];
  if (entry.stage === "arrived") return ["", "send", "Sent"];
  if (entry.stage === "waiting") return ["warn", "clock", "Waiting to be sent"];
  const share = Math.floor((100 * entry.received) / entry.photo.bytes.byteLength);
  return ["warn", "send", `Photo on its way, ${share} %`];
}

function what({ outcome, value, unit, obstacle }) {
  return outcome === "read" ? `${value} ${unit ?? ""}` : `Could not read: ${OBSTACLES[obstacle] ?? obstacle}`;
}

function card([tone, symbol, words], item, ...more) {
  return h(
    "li",
    { class: "card sent" },
    h("p", { class: `tag ${tone}` }, icon(symbol), words),
    h("h2", {}, item.address || item.serial),
    h("p", {}, what(item), " ", h("small", { class: "muted" }, `${item.serial} · ${moment(item.read_at)}`)),
    ...more,
  );
}

function ofEntry(context, entry) {
  const item = { ...entry.body, serial: entry.serial, address: entry.address, unit: entry.unit };
  if (!entry.problem) return card(stateOfEntry(entry), item);
  const again = async (photo) => {
    await replacePhoto(context.agent, entry.id, photo);
    await askForSync();
    await context.send();
  };
  const button = (key, words, act, kind) => h(
    "button",
    { class: `button ${kind}`, type: "button", data: { key: `${key}-${entry.id}` }, on: { click: act } },
    words,
  );
  const isOpen = context.state.work.assignments.some(
    ({ id, is_in_review: reviewed }) => id === entry.assignment && !reviewed,
  );
  const remedies =
    entry.problem.of === "photo"
      ? [photoButton("Take another photo", context.state.work.photo_limit_bytes, again)]
      : [
        isOpen && button("mend", "Mend it", () => mend(context, entry), ""),
        button("drop", "Delete it", () => drop(context, entry), "danger"),
      ];
  return card(
    stateOfEntry(entry),
    item,
    h("p", { class: "sum" }, entry.problem.detail),
    h("div", { class: "buttons" }, remedies),
  );
}

/** Open what was refused once more as a draft; it is another submission then. */
async function mend(context, { id, assignment, body, photo }) {
  const { outcome, obstacle = "", serial_given: serial, serial_scanned: scanned, value = "", notes } = body;
  const draft = {
    assignment,
    id: crypto.randomUUID(),
    outcome,
    obstacle,
    serial,
    scanned,
    value,
    register: 0,
    notes,
    photo,
  };
  await keepDraft(context.agent, draft, { photo });
  await discard(context.agent, id);
  location.assign(`/field/assignments/${assignment}`);
}

async function drop(context, entry) {
  if (!confirm("Delete this reading from the phone? It cannot be sent.")) return;
  await discard(context.agent, entry.id);
  await context.reload();
}

function ofSubmission(context, submission) {
  const notes = submission.review_notes && h(
    "p",
    { class: "sum" },
    submission.status === "returned" && h("strong", {}, "To mend: "),
    submission.review_notes,
  );
  const open = context.state.work.assignments.find(
    ({ id, returned }) => id === submission.assignment && returned?.id === submission.id,
  );
  const again = open && submission.status === "returned" && h(
    "a",
    { class: "button", href: `/field/assignments/${submission.assignment}` },
    "Do it again",
  );
  const missing =
    submission.status === "receiving" &&
    photoButton("Add the photo", context.state.work.photo_limit_bytes, async (photo) => {
      await sendMissing(context.agent, submission, photo);
      await context.send();
    });
  return card(
    STATES[submission.status],
    submission,
    notes,
    (again || missing) && h("div", { class: "buttons" }, again || missing),
  );
}

/** Show all of it, newest first, what still waits before the rest. */
export function show(root, context) {
  return ({ work, outbox }) => {
    const waiting = new Set(outbox.map(({ id }) => id));
    const listed = work.submissions.filter(({ id }) => !waiting.has(id));
    const newest = outbox.toSorted((one, other) => other.queued_at.localeCompare(one.queued_at));
    const items = [
      ...newest.map((entry) => ofEntry(context, entry)),
      ...listed.map((submission) => ofSubmission(context, submission)),
    ];
    const nothing = empty("send", "Nothing sent yet", "Readings that you take appear here, with what became of them.");
    fill(root, h("h1", {}, "Sent"), items.length > 0 ? h("ul", { class: "sent-list" }, items) : nothing);
  };
}
