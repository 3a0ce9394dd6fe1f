/** Taking a reading with one hand: number, photo, value, place; or why there is none. */
import { concerns, faults, sameSerial } from "./checks.js";
import { draftOf, keepDraft } from "./drafts.js";
import { empty, fill, h, icon } from "./html.js";
import { keypad } from "./keypad.js";
import { call } from "./net.js";
import { askForSync, queue } from "./outbox.js";
import { photoButton, preview } from "./photo.js";
import { here, unwatch, watch } from "./position.js";
import { canScan, scan } from "./scan.js";
import { OBSTACLES, distance, due, isPlace, metresBetween } from "./words.js";

const BLANK = {
  outcome: "read",
  obstacle: "",
  serial: "",
  scanned: false,
  value: "",
  register: 0,
  notes: "",
  photo: null,
};
const GOOD_M = 20;
const LONGEST_NOTE = 2_000;

class Capture {
  constructor(root, context, task, draft) {
    Object.assign(this, { root, context, task, draft, accepted: "" });
  }

  get dial() {
    return this.task.dials[this.draft.register] ?? this.task.dials[0] ?? {
      code: "",
      unit: "",
      digits: 9,
      decimals: 6,
      plausible: [],
    };
  }

  /** Keep the draft: a camera that opens may cost the browser its page. */
  change(changes) {
    Object.assign(this.draft, changes);
    this.concerns.hidden = true;
    this.accepted = "";
    this.button.lastChild.textContent = "Send";
    keepDraft(this.context.agent, this.draft, changes);
  }

  draw() {
    const parts = [
      this.head(),
      this.outcomes(),
      this.serialPart(),
      this.obstaclePart(),
      this.photoPart(),
      this.valuePart(),
      this.placePart(),
      this.notesPart(),
      this.sendPart(),
    ];
    this.form = h("form", { class: "capture", novalidate: true, on: { submit: (event) => this.submit(event) } }, parts);
    fill(this.root, this.form);
    this.showOutcome();
    this.showPhoto();
    this.showSerial();
    this.onPosition = (fix, trouble) => this.showPlace(fix, trouble);
    this.showPlace(here(), null);
    watch(this.onPosition);
    addEventListener("pagehide", () => unwatch(this.onPosition));
    this.begin();
  }

  /** Let managers see that the agent is at it, where there is a connection; nothing depends on it. */
  begin() {
    if (this.task.status !== "pending" || !navigator.onLine) return;
    call(`/api/v1/assignments/${this.task.id}/start`, { method: "POST" }).catch(() => undefined);
  }

  head() {
    const { task } = this;
    const back = h("a", { class: "button quiet back", href: "/field/" }, icon("back"), "Today");
    const mend = task.returned && h(
      "p",
      { class: "notice warn" },
      icon("back"),
      h("span", {}, h("strong", {}, "Sent back. To mend: "), task.returned.notes),
    );
    this.away = h("span", { class: "away" });
    return h(
      "header",
      {},
      back,
      h("h1", {}, task.address || task.serial),
      h("p", { class: "muted" }, `${task.serial} · ${task.type} · ${due(task)}`, this.away),
      mend,
    );
  }

  outcomes() {
    const option = (value, words) => {
      const input = h("input", { type: "radio", name: "outcome", value, checked: this.draft.outcome === value });
      input.addEventListener("change", () => {
        this.change({ outcome: value });
        this.showOutcome();
      });
      return h("label", {}, input, h("span", {}, words));
    };
    return h(
      "fieldset",
      { class: "choice" },
      h("legend", { class: "for-ears" }, "What became of it"),
      option("read", "Reading"),
      option("could_not_read", "Could not read"),
    );
  }

  showOutcome() {
    const isRead = this.draft.outcome === "read";
    for (const part of this.form.querySelectorAll("[data-of]")) part.hidden = (part.dataset.of === "read") !== isRead;
    if (this.draft.photo !== null) return;
    this.photoHint.textContent = isRead ? "The whole display, sharp, without glare." : "What is in the way.";
  }

  serialPart() {
    this.serial = h(
      "input",
      {
        id: "serial",
        type: "text",
        autocomplete: "off",
        autocapitalize: "characters",
        spellcheck: "false",
        maxlength: "64",
        "aria-describedby": "serial-hint",
        value: this.draft.serial,
      },
    );
    this.serial.addEventListener("input", () => this.setSerial(this.serial.value, false));
    this.serialHint = h("p", { id: "serial-hint", class: "hint", role: "status" });
    const button = h("button", { class: "button second", type: "button" }, icon("scan"), "Scan");
    button.addEventListener("click", async () => {
      const found = await scan();
      if (found) this.setSerial(found, true);
      else this.serial.focus();
    });
    return h(
      "div",
      { class: "field" },
      h("label", { for: "serial" }, "Number on the meter"),
      h("div", { class: "beside" }, this.serial, canScan() && button),
      this.serialHint,
    );
  }

  setSerial(serial, scanned) {
    this.serial.value = serial;
    this.change({ serial, scanned });
    this.showSerial();
  }

  showSerial() {
    const { serial, scanned } = this.draft;
    const same = sameSerial(serial, this.task.serial);
    this.serialHint.className = `hint ${serial && same ? "good" : ""}`;
    let words = same ? "✓ The meter of this assignment." : "Not yet the number of this assignment.";
    if (same && scanned) words = "✓ The meter of this assignment, scanned.";
    if (!serial) words = canScan() ? "Scan it, or type it as it stands there." : "Type it as it stands there.";
    this.serialHint.textContent = words;
  }

  obstaclePart() {
    const option = ([value, words]) => {
      const input = h("input", { type: "radio", name: "obstacle", value, checked: this.draft.obstacle === value });
      input.addEventListener("change", () => this.change({ obstacle: value }));
      return h("label", {}, input, h("span", {}, words));
    };
    return h(
      "fieldset",
      { class: "reasons", id: "obstacle", tabindex: "-1", data: { of: "could_not_read" } },
      h("legend", {}, "Why not?"),
      Object.entries(OBSTACLES).map(option),
    );
  }

  photoPart() {
    this.picture = h(
      "canvas",
      { class: "preview", role: "img", "aria-label": "The photo that will be sent", hidden: true },
    );
    this.photoHint = h("p", { class: "hint", role: "status" });
    const button = photoButton("Photo", this.context.state.work.photo_limit_bytes, async (photo) => {
      this.change({ photo });
      await this.showPhoto();
    });
    return h("div", { class: "field" }, button, this.picture, this.photoHint);
  }

  async showPhoto() {
    const { photo } = this.draft;
    if (!photo) return;
    const shown = await preview(this.picture, photo);
    this.picture.hidden = !shown;
    this.photoHint.textContent = `✓ Photo taken, ${(photo.bytes.byteLength / 1e6).toFixed(1)} MB.`;
    this.form.querySelector(".photo-button label span").textContent = "Take it again";
  }

  valuePart() {
    const pad = keypad(
      { decimals: this.dial.decimals, changed: (value) => value !== this.draft.value && this.change({ value }) },
    );
    const unit = h("span", { class: "unit" }, this.dial.unit);
    const options = this.task.dials.map(
      ({ code, unit: of }, index) => h(
        "option",
        { value: String(index), selected: index === this.draft.register },
        `${code} (${of})`,
      ),
    );
    const select = h("select", { id: "register" }, options);
    select.addEventListener("change", () => {
      this.change({ register: Number(select.value) });
      unit.textContent = this.dial.unit;
      pad.dial(this.dial.decimals);
    });
    const several = options.length > 1 && h(
      "div",
      { class: "field" },
      h("label", { for: "register" }, "Which display"),
      select,
    );
    this.pad = pad;
    pad.set(this.draft.value);
    const hint = h("p", { id: "value-hint", class: "hint" }, "As it stands there, with what is behind the point.");
    return h(
      "div",
      { class: "field value-part", data: { of: "read" } },
      several,
      h("label", { for: "value" }, "Display shows"),
      h("div", { class: "beside display" }, pad.input, unit),
      hint,
      pad.element,
    );
  }

  placePart() {
    this.place = h("p", { class: "place", role: "status" });
    return this.place;
  }

  showPlace(fix, trouble) {
    const own = fix ?? null;
    const sure = own && own.accuracy_m <= GOOD_M;
    const words = {
      denied: "Position not allowed: allow it in the browser’s settings.",
      searching: "No position yet: step into the open.",
    };
    const none = words[trouble] ?? "Looking for your position …";
    const text = own ? `Position known to ${Math.round(own.accuracy_m)} m` : none;
    this.place.replaceChildren(icon("pin"), h("span", {}, text));
    this.place.className = `place ${sure ? "good" : ""}`;
    this.away.textContent = own && isPlace(this.task) ? `${distance(metresBetween(own, this.task))} away` : "";
  }

  notesPart() {
    const notes = h("textarea", { id: "notes", rows: "3", maxlength: String(LONGEST_NOTE) }, this.draft.notes);
    notes.addEventListener("input", () => this.change({ notes: notes.value }));
    return h(
      "details",
      { class: "field", open: this.draft.notes !== "" },
      h("summary", {}, "Add a note"),
      h("label", { class: "for-ears", for: "notes" }, "Note"),
      notes,
    );
  }

  sendPart() {
    this.errors = h("div", { class: "error-list", role: "alert" });
    this.concerns = h("div", { class: "concerns", role: "alert", hidden: true });
    this.button = h("button", { class: "button big", type: "submit" }, icon("send"), h("span", {}, "Send"));
    return h("div", { class: "send-part" }, this.errors, this.concerns, this.button);
  }

  showFaults(found) {
    for (const field of this.form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    this.errors.replaceChildren(...found.map(([, words]) => h("p", { class: "error" }, words)));
    for (const [id] of found) this.form.querySelector(`#${id}`).setAttribute("aria-invalid", "true");
    if (found.length > 0) this.form.querySelector(`#${found[0][0]}`).focus();
    return found.length > 0;
  }

  showConcerns(found) {
    const told = found.join(" ");
    if (found.length === 0 || told === this.accepted) return false;
    this.accepted = told;
    this.concerns.replaceChildren(
      h("p", {}, icon("alert"), h("strong", {}, "Look once more")),
      h("ul", {}, found.map((words) => h("li", {}, words))),
    );
    this.concerns.hidden = false;
    this.button.lastChild.textContent = "Send all the same";
    return true;
  }

  async submit(event) {
    event.preventDefault();
    const fix = here();
    const { draft, dial, task } = this;
    if (this.showFaults(faults(draft, dial))) return;
    if (this.showConcerns(concerns(draft, { dial, task, fix, photo: draft.photo }))) return;
    this.button.disabled = true;
    await queue(this.context.agent, entryOf(draft, task, dial, fix, this.context.state.work.skew_ms));
    unwatch(this.onPosition);
    await askForSync();
    await this.context.send({ patience_ms: 1_500 });
    location.assign("/field/sent");
  }
}

function entryOf(draft, task, dial, fix, skew) {
  const isRead = draft.outcome === "read";
  const body = {
    id: draft.id,
    assignment_id: task.id,
    outcome: draft.outcome,
    read_at: new Date(Date.now() + skew).toISOString(),
    serial_given: draft.serial.trim(),
    serial_scanned: draft.scanned,
    latitude: fix?.latitude ?? null,
    longitude: fix?.longitude ?? null,
    accuracy_m: fix?.accuracy_m ?? null,
    notes: draft.notes,
    expects_photo: draft.photo !== null,
    follows: task.returned?.id ?? null,
    ...(isRead ? { value: draft.value, register_code: dial.code } : { obstacle: draft.obstacle }),
  };
  return { body, photo: draft.photo, serial: task.serial, address: task.address, unit: dial.unit };
}

/** Show the form of an assignment as soon as it is known; what was begun before is there again. */
export function show(root, context) {
  const id = location.pathname.split("/").pop();
  let shown = false;
  return async ({ work, todo, under }) => {
    const task = todo.find((each) => each.id === id);
    if (shown) return;
    if (!window.isSecureContext) {
      fill(
        root,
        empty(
          "alert",
          "No readings here",
          "This address is not secure: phones give camera and position to HTTPS only.",
        ),
      );
      return;
    }
    if (task) {
      shown = true;
      const draft = { ...BLANK, assignment: id, id: crypto.randomUUID(), ...(await draftOf(context.agent, id)) };
      new Capture(root, context, task, draft).draw();
      return;
    }
    if (work.as_of === null && navigator.onLine) return;
    const taken = under.some((each) => each.id === id);
    const words = taken
      ? "Its reading is taken; what became of it stands under Sent."
      : "It is not on your list any more, or not on this phone yet.";
    const link = h(
      "a",
      { class: "button", href: taken ? "/field/sent" : "/field/" },
      taken ? "See what was sent" : "Back to today",
    );
    fill(
      root,
      empty(
        taken ? "check" : "info",
        taken ? "Already taken" : "Not on your list",
        words,
        h("div", { class: "buttons" }, link),
      ),
    );
  };
}
